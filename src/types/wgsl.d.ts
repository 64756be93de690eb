/** A shader as text: `import step from './step.wgsl?raw'`. */
declare module '*.wgsl?raw' {
  const text: string;
  export default text;
}
