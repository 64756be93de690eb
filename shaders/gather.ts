// Kernels that find elements by index. A negative index counts from the end. One out of range is an error in
// the specification (https://onnx.ai/onnx/operators/onnx__Gather.html), which a shader cannot raise: it writes
// `params.invalid` instead, the bits of NaN or of another value that stands out.
import { functionsFor } from './functions.ts';
import { type Kernel, defineKernel } from './kernel.ts';
import { perItem, walk, walkUniforms } from './walk.ts';
import { wgsl } from './wgsl.ts';

// The position of an index counted from the front; `size` or more where it is out of range.
const POSITION = `fn position(index: i32, size: u32) -> u32 {
  return u32(select(index, index + i32(size), index < 0));
}`;

/** out [outer, n, inner] = data [outer, size, inner] at indices [n]. */
export const gatherKernel = defineKernel({
  name: 'gather',
  bindings: { data: 'read u32', indices: 'read i32', out: 'write u32' },
  uniforms: { count: 'u32', n: 'u32', size: 'u32', inner: 'u32', invalid: 'u32' },
  body: perItem(
    wgsl`
let row = i / params.inner;
let at = position(indices[row % params.n], params.size);
if (at >= params.size) { out[i] = params.invalid; return; }
out[i] = data[(row / params.n * params.size + at) * params.inner + i % params.inner];`,
    POSITION,
  ),
});

/** out[index] = data[index with `axis` replaced by indices[index]]; `s` is 0 along the axis. */
export const gatherElementsKernel = (rank: number): Kernel =>
  defineKernel<string, string>({
    name: 'gather-elements',
    bindings: { data: 'read u32', indices: 'read i32', out: 'write u32' },
    uniforms: {
      count: 'u32',
      size: 'u32',
      step: 'u32',
      invalid: 'u32',
      ...walkUniforms(rank, ['s']),
    },
    body: perItem(
      `${walk('i', rank, ['s'])}
let at = position(indices[i], params.size);
if (at >= params.size) { out[i] = params.invalid; return; }
out[i] = data[s + at * params.step];`,
      POSITION,
    ),
  });

/**
 * out = data [.., ..] with the first lengths[row] steps of each row in reverse; steps by strides. A length
 * beyond the steps counts as all of them, a negative one as none.
 */
export const reverseKernel = defineKernel({
  name: 'reverse-sequence',
  bindings: { data: 'read u32', lengths: 'read i32', out: 'write u32' },
  uniforms: { count: 'u32', rows: 'u32', rowStep: 'u32', steps: 'u32', step: 'u32' },
  body: perItem(wgsl`
let t = i / params.step % params.steps;
let n = min(u32(max(lengths[i / params.rowStep % params.rows], 0)), params.steps);
out[i] = data[select(i, i + (n - 1u - 2u * t) * params.step, t < n)];`),
});

/** The new element by the `reduction` attribute, from the old one `x` and the update `y`. */
const COMBINE: Readonly<Record<string, readonly [floats: string, integers: string]>> = {
  none: ['y', 'y'],
  add: ['x + y', 'x + y'],
  mul: ['x * y', 'x * y'],
  min: ['minNan(x, y)', 'min(x, y)'],
  max: ['maxNan(x, y)', 'max(x, y)'],
};

const combine = (reduction: string, type: 'f32' | 'i32'): string =>
  COMBINE[reduction]![type === 'f32' ? 0 : 1];

const functions = (expression: string): string => `${functionsFor(expression)}\n${POSITION}`;

/**
 * Combines out [data, filled before] at indices along one axis with updates of their shape; an item is a line
 * along that axis, at `s` in out and at `u` in indices and updates. An index out of range makes its whole
 * line `params.invalid`.
 */
export const scatterElementsKernel = (
  rank: number,
  type: 'f32' | 'i32',
  reduction: string,
): Kernel =>
  defineKernel<string, string>({
    name: 'scatter-elements',
    bindings: { indices: 'read i32', updates: `read ${type}`, out: `write ${type}` },
    uniforms: {
      count: 'u32',
      n: 'u32',
      size: 'u32',
      step: 'u32',
      updateStep: 'u32',
      invalid: 'u32',
      ...walkUniforms(rank, ['s', 'u']),
    },
    // Updates of one element are on one line, and applied in order: see below.
    body: perItem(
      wgsl`
${walk('i', rank, ['s', 'u'])}
var isValid = true;
for (var k = 0u; k < params.n; k++) {
  let place = u + k * params.updateStep;
  let to = position(indices[place], params.size);
  if (to >= params.size) { isValid = false; continue; }
  let at = s + to * params.step;
  let x = out[at];
  let y = updates[place];
  out[at] = ${combine(reduction, type)};
}
if (isValid) { return; }
for (var k = 0u; k < params.size; k++) { out[s + k * params.step] = bitcast<${type}>(params.invalid); }`,
      functions(combine(reduction, type)),
    ),
  });

/**
 * Combines out [data, filled before] at index tuples [n, depth] with updates [n, inner]; count = inner. A tuple
 * out of range makes all of out, `blocks` times inner, `params.invalid`.
 */
export function scatterKernel(depth: number, type: 'f32' | 'i32', reduction: string): Kernel {
  const axes = Array.from({ length: depth }, (_, k) => k);
  const uniforms: Record<string, 'u32'> = {
    count: 'u32',
    n: 'u32',
    blocks: 'u32',
    invalid: 'u32',
  };
  for (const k of axes) uniforms[`size${k}`] = uniforms[`step${k}`] = 'u32';
  return defineKernel<string, string>({
    name: 'scatter',
    bindings: { indices: 'read i32', updates: `read ${type}`, out: `write ${type}` },
    uniforms,
    // Updates of one element belong to one invocation, which applies them in order: the last one
    // wins, and sums are the same in every run.
    body: perItem(
      wgsl`
var isValid = true;
for (var tuple = 0u; tuple < params.n; tuple++) {
  var at = i;
  var isInside = true;
  ${axes
    .map(
      (k) => `{
    let to = position(indices[tuple * ${depth}u + ${k}u], params.size${k});
    isInside = isInside && to < params.size${k};
    at += to * params.step${k};
  }`,
    )
    .join('\n')}
  if (!isInside) { isValid = false; continue; }
  let x = out[at];
  let y = updates[tuple * params.count + i];
  out[at] = ${combine(reduction, type)};
}
if (isValid) { return; }
for (var k = 0u; k < params.blocks; k++) { out[k * params.count + i] = bitcast<${type}>(params.invalid); }`,
      functions(combine(reduction, type)),
    ),
  });
}
