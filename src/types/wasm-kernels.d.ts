declare module 'virtual:wasm-kernels' {
  /** The kernels for 128-bit SIMD, in base64. */
  export const simd: string;
  /** The same with relaxed SIMD, which has a fused multiply-add. */
  export const relaxed: string;
}
