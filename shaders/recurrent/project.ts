// W·x + b of every gate for a chunk of time steps, as one tiled matrix product: it does not depend on
// the state, so it is taken out of the recurrence.
import { defineKernel, present } from '../kernel.ts';
import type { Kernel } from '../kernel.ts';
import { rowLoads } from './rows.ts';
import type { RowBlock } from './rows.ts';
import { instancesOf, recurrenceUniforms, timeFunctions } from './spec.ts';
import type { RecurrentSpec } from './spec.ts';
import { scaled, weightAccess } from './weights.ts';
import { wgsl } from '../wgsl.ts';

/** Shape of the block of results that one invocation computes. Rows are (step, batch row) pairs of the chunk. */
export interface ProjectTile extends RowBlock {
  /** Invocations of a workgroup, side by side along the columns. */
  readonly lanes: number;
  /** Columns, `lanes` apart. */
  readonly columns: number;
}

/** Columns that a workgroup covers. */
export const projectSpan = ({ lanes, columns }: ProjectTile): number => lanes * columns;

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/**
 * The layers of a stack above the first project what the recurrence of the layer below has left in `below`.
 *
 * Buffers: x, input of the layer, or `below`; w, [D][column tiles][⌈I/4⌉][columns of a tile] vec4 over I; b, [D, N]; xw, [D, turns, B, N].
 * N = G·H. Grid: columns along x, rows along y, D along z.
 * In a stack w and b have the layers above the first only, xw has all.
 */
export function projectKernel(
  spec: RecurrentSpec,
  inputs: number,
  tile: ProjectTile,
  hasBias: boolean,
): Kernel {
  const columns = spec.gates.length * spec.hidden;
  const span = projectSpan(tile);
  const tiles = Math.ceil(columns / span);
  const k4 = Math.ceil(inputs / 4);
  const stacked = spec.layers > 1;
  const instances = stacked ? spec.layers - 1 : instancesOf(spec);
  const weights = weightAccess(
    'w',
    spec.storage.input,
    { groups: instances * tiles, k4, span },
    spec.arithmetic,
  );
  const vector = inputs % 4 === 0;
  const loads = rowLoads(tile);
  const shares = loads.parameters !== '';
  const R = count(tile.rows);
  const C = count(tile.columns);
  const scalar = (r: number, c: number): string => {
    const at = `at${r} + k * 4u + ${c}u`;
    return c === 0 || inputs % 4 === 0
      ? `x[${at}]`
      : `select(0.0, x[min(${at}, at${r} + ${inputs - 1}u)], k * 4u + ${c}u < ${inputs}u)`;
  };
  const sum = (r: number, c: number): string =>
    scaled(`a${r}_${c}`, weights.scale?.(`dir * ${tiles}u + wid.x`, `lid.x + ${c * tile.lanes}u`));
  const load = (r: number): string =>
    vector
      ? `x[at${r} + k]`
      : `vec4f(${count(4)
          .map((c) => scalar(r, c))
          .join(', ')})`;
  return defineKernel({
    name: 'recurrent-project',
    enables: shares ? [...weights.enables, 'subgroups'] : weights.enables,
    bindings: present({
      x: vector ? 'read vec4f' : 'read f32',
      w: weights.binding,
      b: hasBias && 'read f32',
      lengths: spec.hasLengths && !stacked && 'read i32',
      xw: 'write f32',
    }),
    uniforms: { ...recurrenceUniforms(spec), xT: 'u32', xB: 'u32' },
    body: wgsl`
var<private> dir: u32;
#if ${!stacked}
${timeFunctions({ ...spec, mask: undefined })}
#endif
${weights.functions}
fn placeOf(turn: u32, row: u32) -> u32 {
  #if ${stacked}
  let at = ((dir * params.turns + min(turn, params.turns - 1u)) * params.rows + row) * ${inputs}u;
  #else
  let t = min(timeOf(row, params.start + turn), params.steps - 1u);
  let at = t * params.xT + row * params.xB;
  #endif
  return at${vector ? ' >> 2u' : ''};
}
@compute @workgroup_size(${tile.lanes})
fn main(${loads.parameters}@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_id) lid: vec3u) {
  dir = wid.z${stacked ? ' + params.layer' : ''};
  let column = wid.x * ${span}u + lid.x;
  let first = wid.y * ${tile.rows}u;
  let count = params.turns * params.rows;
  // What lies beyond the last row is computed from some row before it, and not written.
  #if ${shares}
  ${loads.own
    .map(
      (j) => `let m${j} = first + ${loads.rowOf(j)};
  let at${j} = placeOf(m${j} / params.rows, m${j} % params.rows);`,
    )
    .join('\n  ')}
  #else
  // One division for all rows: some adapters make four scalar ones of each.
  var turn = first / params.rows;
  var row = first % params.rows;
  let at0 = placeOf(turn, row);
  ${R.slice(1)
    .map(
      (r) => `row += 1u;
  if (row == params.rows) { row = 0u; turn += 1u; }
  let at${r} = placeOf(turn, row);`,
    )
    .join('\n  ')}
  #endif
  ${R.map((r) => C.map((c) => `var a${r}_${c} = 0.0;`).join(' ')).join('\n  ')}
  for (var k = 0u; k < ${k4}u; k++) {
    let at = ((dir * ${tiles}u + wid.x) * ${k4}u + k) * ${span}u + lid.x;
    ${C.map((c) => `let w${c} = ${weights.load(`at + ${c * tile.lanes}u`)};`).join(' ')}
    ${loads.own.map((j) => `let l${j} = ${load(j)};`).join(' ')}
    ${R.map((r) => `let x${r} = ${weights.operand(loads.row(r, 'l'))};\n    ${C.map((c) => `a${r}_${c} += ${weights.dot(`w${c}`, `x${r}`)};`).join(' ')}`).join('\n    ')}
  }
  ${C.map(
    (c) => `if (column + ${c * tile.lanes}u < ${columns}u) {
    let n = column + ${c * tile.lanes}u;
    let bias = ${hasBias ? `b[dir * ${columns}u + n]` : '0.0'};
    ${R.map(
      (r) => `if (first + ${r}u < count) {
      let m = first + ${r}u;
      xw[(${stacked ? '(dir + 1u)' : 'dir'} * count + m) * ${columns}u + n] = ${sum(r, c)} + bias;
    }`,
    ).join('\n    ')}
  }`,
  ).join('\n  ')}
}`,
  });
}
