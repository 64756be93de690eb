// Packages that a development server of the demos must prepare before a page asks for them.

/**
 * What the workers and the lazy parts of the demos import from npm. Vite follows neither when it starts, and loads a page
 * again when it has prepared a package that it finds later: https://vite.dev/guide/dep-pre-bundling
 */
export const FOUND_LATE = [
  '@bufbuild/protobuf/wire',
  '@tensorflow/tfjs',
  '@tensorflow/tfjs-backend-webgpu',
  'onnxruntime-web/wasm',
  'onnxruntime-web/webgpu',
  'uplot',
  'wgsl-preprocessor/wgsl-preprocessor.js',
] as const;
