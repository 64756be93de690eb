// Matrix products. Two kernels: tiles of 32 × 32 results a workgroup for many rows, and columns with
// the inner size split over invocations for a few rows, where a tile would stand mostly empty.
import { type BindingType, type Kernel, defineKernel } from './kernel.ts';
import { walk, walkUniforms } from './walk.ts';
import { wgsl } from './wgsl.ts';

/** Rows and columns of results of a workgroup of the tiled kernel. */
export const TILE = 32;
const INNER = 32; // of the inner size, held in workgroup memory: 2 × 4 KiB
const SIDE = TILE / 4; // invocations along each side; each has 4 × 4 results

/** What a matrix product bakes in. */
export interface MatmulOptions {
  readonly type: 'f32' | 'i32';
  /** B is packed by {@link packColumns}. */
  readonly packed: boolean;
  /** A is [K, M], or B is [N, K]; B only where it is not packed. */
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Most axes of the batch; 0 for one matrix. */
  readonly rank: number;
  /** A term C is added, with strides `cRow` and `cCol`. */
  readonly bias?: boolean;
  /** WGSL of the result from `y`: alpha · A · B + beta · C. */
  readonly finish?: string;
  readonly functions?: string;
}

const uniformsOf = (options: MatmulOptions): Record<string, 'u32' | 'f32'> => ({
  m: 'u32',
  n: 'u32',
  k: 'u32',
  ...(options.type === 'f32' && { alpha: 'f32' }),
  ...(options.bias && { cRow: 'u32', cCol: 'u32', ...(options.type === 'f32' && { beta: 'f32' }) }),
});

const bindingsOf = ({ type, packed, bias }: MatmulOptions): Record<string, BindingType> => ({
  A: `read ${type}`,
  B: packed ? 'read vec4f' : `read ${type}`,
  ...(bias && { C: `read ${type}` }),
  out: `write ${type}`,
});

/** WGSL: writes four results of a row, of which those past the last column are dropped. */
const storeFour = ({ type, bias, finish = 'y' }: MatmulOptions): string => wgsl`
fn store(row: u32, col: u32, start: u32, sums: vec4<${type}>) {
  for (var j = 0u; j < 4u; j++) {
    if (row < params.m && col + j < params.n) {
      ${type === 'f32' ? 'var y = params.alpha * sums[j];' : 'var y = sums[j];'}
      ${bias ? `y += ${type === 'f32' ? 'params.beta * ' : ''}C[row * params.cRow + (col + j) * params.cCol];` : ''}
      out[start + row * params.n + col + j] = ${finish};
    }
  }
}`;

/** Buffers: A [batch, M, K], B [batch, K, N] or packed, C [M, N] by strides, out [batch, M, N]. */
export function tiledMatmul(options: MatmulOptions): Kernel {
  const { type, packed, transA = false, transB = false, rank, functions = '' } = options;
  const load = (row: string, k: string): string =>
    transA ? `${k} * params.m + ${row}` : `${row} * params.k + ${k}`;
  const loadB = (k: string, col: string): string =>
    transB ? `${col} * params.k + ${k}` : `${k} * params.n + ${col}`;
  // Neighbouring invocations read neighbouring elements: along K, or across it where transposed.
  const place = transA
    ? `let side = t % ${TILE}u; let inner = t / ${TILE}u;`
    : `let side = t / ${INNER}u; let inner = t % ${INNER}u;`;
  const vector = `vec4<${type}>`;
  const rows = [0, 1, 2, 3];
  return defineKernel<string, string>({
    name: `matmul${packed ? '-packed' : ''}`,
    bindings: bindingsOf(options),
    uniforms: { ...uniformsOf(options), ...(rank > 0 && walkUniforms(rank, ['aBatch', 'bBatch'])) },
    body: wgsl`
${functions}
var<workgroup> tileA: array<${type}, ${TILE * INNER}>; // [inner][row]
var<workgroup> tileB: array<${vector}, ${(TILE * INNER) / 4}>; // [inner][column / 4]
${storeFour(options)}
@compute @workgroup_size(${SIDE * SIDE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lid: u32) {
  let across = (params.n + ${TILE - 1}u) / ${TILE}u;
  let down = (params.m + ${TILE - 1}u) / ${TILE}u;
  let tile = group.x + group.y * groups.x;
  let col0 = tile % across * ${TILE}u;
  let row0 = tile / across % down * ${TILE}u;
  let batch = tile / across / down;
  ${rank > 0 ? walk('batch', rank, ['aBatch', 'bBatch']) : 'let aBatch = 0u; let bBatch = 0u;'}
  let x = lid % ${SIDE}u;
  let y = lid / ${SIDE}u;
  ${rows.map((r) => `var sum${r} = ${vector}();`).join(' ')}
  let steps = (params.k + ${INNER - 1}u) / ${INNER}u;
  for (var step0 = 0u; step0 < steps; step0++) {
    let k0 = step0 * ${INNER}u;
    for (var part = 0u; part < ${(TILE * INNER) / (SIDE * SIDE)}u; part++) {
      let t = part * ${SIDE * SIDE}u + lid;
      ${place}
      let row = row0 + side;
      let k = k0 + inner;
      var a = ${type}(0);
      if (row < params.m && k < params.k) { a = A[aBatch + ${load('row', 'k')}]; }
      tileA[inner * ${TILE}u + side] = a;
    }
#if ${packed}
    for (var part = 0u; part < ${(TILE * INNER) / 4 / (SIDE * SIDE)}u; part++) {
      let t = part * ${SIDE * SIDE}u + lid;
      let k = k0 + t / ${SIDE}u;
      let quad = col0 / 4u + t % ${SIDE}u;
      let quads = (params.n + 3u) / 4u;
      var b = ${vector}();
      if (k < params.k && quad < quads) { b = ${vector}(B[k * quads + quad]); }
      tileB[t] = b;
    }
#else
    for (var part = 0u; part < ${(TILE * INNER) / 4 / (SIDE * SIDE)}u; part++) {
      let t = part * ${SIDE * SIDE}u + lid;
      ${transB ? `let inner = t % ${INNER}u; let quad = t / ${INNER}u;` : `let inner = t / ${SIDE}u; let quad = t % ${SIDE}u;`}
      let k = k0 + inner;
      var b = ${vector}();
      for (var j = 0u; j < 4u; j++) {
        let col = col0 + quad * 4u + j;
        if (col < params.n && k < params.k) { b[j] = B[bBatch + ${loadB('k', 'col')}]; }
      }
      tileB[inner * ${SIDE}u + quad] = b;
    }
#endif
    workgroupBarrier();
    for (var k = 0u; k < ${INNER}u; k++) {
      let b = tileB[k * ${SIDE}u + x];
      let at = k * ${TILE}u + y * 4u;
      ${rows.map((r) => `sum${r} += tileA[at + ${r}u] * b;`).join(' ')}
    }
    workgroupBarrier();
  }
  let start = batch * params.m * params.n;
  ${rows.map((r) => `store(row0 + y * 4u + ${r}u, col0 + x * 4u, start, sum${r});`).join('\n  ')}
}`,
  });
}

/** Columns of a workgroup of {@link columnMatmul}, and how many rows it can do. */
export const COLUMNS = 32;
export const FEW_ROWS = 4;
const SLICES = 16; // of the inner size

/** Like {@link tiledMatmul} for M ≤ FEW_ROWS with B packed. Grid: N / COLUMNS. */
export function columnMatmul(options: MatmulOptions): Kernel {
  const quads = COLUMNS / 4;
  const rows = Array.from({ length: FEW_ROWS }, (_, r) => r);
  return defineKernel<string, string>({
    name: 'matmul-columns',
    bindings: bindingsOf(options),
    uniforms: uniformsOf(options),
    body: wgsl`
${options.functions ?? ''}
var<workgroup> parts: array<vec4f, ${FEW_ROWS * SLICES * quads}>; // [row][slice][quad]
${storeFour(options)}
@compute @workgroup_size(${quads * SLICES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lid: u32) {
  let slice = lid / ${quads}u;
  let quad = (group.x + group.y * groups.x) * ${quads}u + lid % ${quads}u;
  let quads = (params.n + 3u) / 4u;
  ${rows.map((r) => `var sum${r} = vec4f();`).join(' ')}
  if (quad < quads) {
    for (var k = slice; k < params.k; k += ${SLICES}u) {
      let b = B[k * quads + quad];
      sum0 += A[k] * b;
      ${rows
        .slice(1)
        .map((r) => `if (params.m > ${r}u) { sum${r} += A[${r}u * params.k + k] * b; }`)
        .join('\n      ')}
    }
  }
  ${rows.map((r) => `parts[${r * SLICES * quads}u + lid] = sum${r};`).join(' ')}
  workgroupBarrier();
  // One invocation a row and four columns adds up the slices.
  if (lid < ${FEW_ROWS * quads}u) {
    let row = lid / ${quads}u;
    var sum = vec4f();
    for (var s = 0u; s < ${SLICES}u; s++) {
      sum += parts[(row * ${SLICES}u + s) * ${quads}u + lid % ${quads}u];
    }
    store(row, quad * 4u, 0u, sum);
  }
}`,
  });
}

/** Four columns side by side: [⌈N/4⌉ quads of each row k] from B [K, N], or [N, K] where transposed. */
export function packColumns(
  data: ArrayLike<number>,
  k: number,
  n: number,
  transposed: boolean,
): Float32Array {
  const width = Math.ceil(n / 4) * 4;
  const packed = new Float32Array(k * width);
  for (let row = 0; row < k; row++) {
    for (let col = 0; col < n; col++) {
      packed[row * width + col] = data[transposed ? col * k + row : row * n + col]!;
    }
  }
  return packed;
}
