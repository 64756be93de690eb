// Kernels that find elements by index. A negative index counts from the end. One out of range is an
// error in the specification; here it is moved to the nearest end, for a shader cannot refuse.
import { type Kernel, defineKernel } from './kernel.ts';
import { perItem, walk, walkUniforms } from './walk.ts';
import { wgsl } from './wgsl.ts';

const WRAP = `fn wrap(index: i32, size: u32) -> u32 {
  return u32(clamp(select(index, index + i32(size), index < 0), 0, i32(size) - 1));
}`;

/** out [outer, n, inner] = data [outer, size, inner] at indices [n]. */
export const gatherKernel = defineKernel({
  name: 'gather',
  bindings: { data: 'read u32', indices: 'read i32', out: 'write u32' },
  uniforms: { count: 'u32', n: 'u32', size: 'u32', inner: 'u32' },
  body: perItem(
    wgsl`
let row = i / params.inner;
let at = wrap(indices[row % params.n], params.size);
out[i] = data[(row / params.n * params.size + at) * params.inner + i % params.inner];`,
    WRAP,
  ),
});

/** out[index] = data[index with `axis` replaced by indices[index]]; `s` is 0 along the axis. */
export const gatherElementsKernel = (rank: number): Kernel =>
  defineKernel<string, string>({
    name: 'gather-elements',
    bindings: { data: 'read u32', indices: 'read i32', out: 'write u32' },
    uniforms: { count: 'u32', size: 'u32', step: 'u32', ...walkUniforms(rank, ['s']) },
    body: perItem(
      `${walk('i', rank, ['s'])}
out[i] = data[s + wrap(indices[i], params.size) * params.step];`,
      WRAP,
    ),
  });

/** out = data [.., ..] with the first lengths[row] steps of each row in reverse; steps by strides. */
export const reverseKernel = defineKernel({
  name: 'reverse-sequence',
  bindings: { data: 'read u32', lengths: 'read i32', out: 'write u32' },
  uniforms: { count: 'u32', rows: 'u32', rowStep: 'u32', steps: 'u32', step: 'u32' },
  body: perItem(wgsl`
let t = i / params.step % params.steps;
let n = u32(lengths[i / params.rowStep % params.rows]);
out[i] = data[select(i, i + (n - 1u - 2u * t) * params.step, t < n)];`),
});

/** How a scattered element meets what is there, by the `reduction` attribute. */
const MEETINGS: Readonly<Record<string, string>> = {
  none: 'y',
  add: 'x + y',
  mul: 'x * y',
  min: 'min(x, y)',
  max: 'max(x, y)',
};

const meeting = (reduction: string): string => MEETINGS[reduction] ?? 'y';

/**
 * out [data, filled before] at indices along one axis meets updates of their shape; an item is a
 * line along that axis, at `s` in out and at `u` in indices and updates.
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
      ...walkUniforms(rank, ['s', 'u']),
    },
    // Updates that may meet are on one line, and applied in order: see below.
    body: perItem(
      wgsl`
${walk('i', rank, ['s', 'u'])}
for (var k = 0u; k < params.n; k++) {
  let place = u + k * params.updateStep;
  let at = s + wrap(indices[place], params.size) * params.step;
  let x = out[at];
  let y = updates[place];
  out[at] = ${meeting(reduction)};
}`,
      WRAP,
    ),
  });

/** out [data, filled before] at index tuples [n, depth] meets updates [n, inner]; count = inner. */
export function scatterKernel(depth: number, type: 'f32' | 'i32', reduction: string): Kernel {
  const axes = Array.from({ length: depth }, (_, k) => k);
  const uniforms: Record<string, 'u32'> = { count: 'u32', n: 'u32' };
  for (const k of axes) uniforms[`size${k}`] = uniforms[`step${k}`] = 'u32';
  return defineKernel<string, string>({
    name: 'scatter',
    bindings: { indices: 'read i32', updates: `read ${type}`, out: `write ${type}` },
    uniforms,
    // Updates that may meet belong to one invocation, which applies them in order: the last one
    // wins, and sums are the same in every run.
    body: perItem(
      wgsl`
for (var tuple = 0u; tuple < params.n; tuple++) {
  var at = i;
  ${axes.map((k) => `at += wrap(indices[tuple * ${depth}u + ${k}u], params.size${k}) * params.step${k};`).join('\n')}
  let x = out[at];
  let y = updates[tuple * params.count + i];
  out[at] = ${meeting(reduction)};
}`,
      WRAP,
    ),
  });
}
