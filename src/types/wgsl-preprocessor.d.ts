// wgsl-preprocessor ships neither an entry point nor types; this is the one path that resolves everywhere.
declare module 'wgsl-preprocessor/wgsl-preprocessor.js' {
  /** Template tag: joins the parts and resolves `#if`, `#elif`, `#else` and `#endif` lines. */
  export function wgsl(strings: TemplateStringsArray, ...values: unknown[]): string;
}
