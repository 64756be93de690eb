declare module 'virtual:wasm-kernels' {
  /** The kernels in base64, for engines with relaxed SIMD. */
  export const kernels: string;
}
