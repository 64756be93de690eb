// The package declares types for its bare name only, which Node resolves to a file that is no module.
declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  export { WgslReflect } from 'wgsl_reflect';
}
