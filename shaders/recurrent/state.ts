// The state of a recurrent layer between its kernels: h then c, rows padded to 16 bytes, batch rows
// innermost but units. These kernels bring the states of a graph, in either layout, in and out of it.
import { defineKernel, FLAT_INDEX, present } from '../kernel.ts';
import type { Kernel } from '../kernel.ts';

/** Invocations of a workgroup. */
export const STATE_LANES = 64;

/** Uniforms of both kernels: rows B, directions D, width O or H, padded width, place of the part. */
const UNIFORMS = {
  rows: 'u32',
  directions: 'u32',
  width: 'u32',
  padded: 'u32',
  offset: 'u32', // element of the state where this part begins
  batchFirst: 'u32', // 1: the graph's tensor is [B, D, width], else [D, B, width]
} as const;

const head = `
@compute @workgroup_size(${STATE_LANES})
fn main(${FLAT_INDEX.parameters}) {
  let id = ${FLAT_INDEX.index(STATE_LANES)};
  let unit = id % params.padded;
  let row = id / params.padded % params.rows;
  let dir = id / params.padded / params.rows;
  if (dir >= params.directions) { return; }
  let tensor = select(dir * params.rows + row, row * params.directions + dir, params.batchFirst == 1u);
  let at = tensor * params.width + unit;`;

/** state ← tensor [D, B, width]; zeros where `from` is false. One invocation a padded unit. */
export function packState(from: boolean): Kernel {
  return defineKernel({
    name: 'recurrent-pack-state',
    bindings: present({ tensor_: from && 'read f32', state: 'write f32' }),
    uniforms: UNIFORMS,
    body: `${head}
  ${from ? 'let value = select(0.0, tensor_[min(at, arrayLength(&tensor_) - 1u)], unit < params.width);' : 'let value = 0.0;'}
  state[params.offset + id] = value;
}`,
  });
}

/** tensor [D, B, width] ← state. */
export const unpackState: Kernel = defineKernel({
  name: 'recurrent-unpack-state',
  bindings: { state: 'read f32', tensor_: 'write f32' },
  uniforms: UNIFORMS,
  body: `${head}
  if (unit < params.width) { tensor_[at] = state[params.offset + id]; }
}`,
});

/**
 * out[i] = Σ source[map[j·n + i] - 1] over the maps j, 0 where a map has 0: brings weights that are
 * only known when a model runs into the layout that the kernels read.
 */
export function gatherWeights(maps: number): Kernel {
  const terms = Array.from(
    { length: maps },
    (_, j) => `
  let m${j} = map[${j}u * params.n + id];
  value += select(0.0, source[max(m${j}, 1u) - 1u], m${j} > 0u);`,
  );
  return defineKernel({
    name: 'recurrent-gather-weights',
    bindings: { source: 'read f32', map: 'read u32', out: 'write f32' },
    uniforms: { n: 'u32' },
    body: `
@compute @workgroup_size(${STATE_LANES})
fn main(${FLAT_INDEX.parameters}) {
  let id = ${FLAT_INDEX.index(STATE_LANES)};
  if (id >= params.n) { return; }
  var value = 0.0;${terms.join('')}
  out[id] = value;
}`,
  });
}
