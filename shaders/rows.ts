// Reductions, softmax and normalizations: everything that folds the elements of a row, a few times
// over, and then writes one number a row or one for each element.
import { functionsFor } from './functions.ts';
import { type BindingType, type Kernel, defineKernel } from './kernel.ts';
import { FOREVER, perItem, walk, walkUniforms } from './walk.ts';
import { wgsl } from './wgsl.ts';

/** Invocations of a workgroup. `lanes` of them, a power of two, share a row. */
export const ROW_LANES = 64;

/** One fold over the elements of a row. */
export interface Fold {
  /** Name by which later folds and the result read it. */
  readonly name: string;
  readonly type: 'f32' | 'i32';
  /** The fold of no elements. */
  readonly initial: string;
  /** What an element `x` at place `r` of its row contributes. */
  readonly map: string;
  /** `p` and `q` combined. */
  readonly combine: string;
}

/**
 * in: any strided array; `row` walks its rows, `col` the elements of a row. Writes `result` to out
 * [rows], or with `each` to out in the layout of `in`, for every element `x` at place `r`. Both may
 * read the folds, `params.size` (elements of a row) and `extra` bindings and uniforms.
 */
export function rowsKernel(options: {
  readonly name: string;
  readonly input: 'f32' | 'i32';
  readonly output: 'f32' | 'i32';
  readonly rank: number;
  /** Most axes of a row: 1 where they always merge. */
  readonly colRank: number;
  readonly folds: readonly Fold[];
  readonly each: boolean;
  readonly result: string;
  readonly extraBindings?: Readonly<Record<string, BindingType>>;
  readonly extraUniforms?: Readonly<Record<string, 'u32' | 'f32'>>;
}): Kernel {
  const { name, input, output, rank, colRank, folds, each, result } = options;
  const types = [...new Set(folds.map((fold) => fold.type))];
  // Four elements a turn while there are four, for a turn costs as much as an element.
  const loop = (body: string): string => {
    const visit = `{
  ${colRank === 1 ? 'let col = r * params.col0;' : walk('r', colRank, ['col'], 'c')}
  let x = data[row + col];
  ${body}
  r += params.lanes;
}`;
    return `
if (live) {
  var r = lane;
  for (var lap = 0u; lap < ${FOREVER}; lap++) {
    if (r + params.lanes * 3u >= params.size) { break; }
    ${visit.repeat(4)}
  }
  for (var lap = 0u; lap < 4u; lap++) {
    if (r >= params.size) { break; }
    ${visit}
  }
}`;
  };
  return defineKernel<string, string>({
    name,
    bindings: { data: `read ${input}`, ...options.extraBindings, out: `write ${output}` },
    uniforms: {
      rows: 'u32',
      size: 'u32',
      lanes: 'u32',
      ...walkUniforms(rank, ['row'], 'r'),
      ...(colRank === 1 ? { col0: 'u32' as const } : walkUniforms(colRank, ['col'], 'c')),
      ...options.extraUniforms,
    },
    body: wgsl`
${functionsFor([result, ...folds.flatMap(({ map, combine }) => [map, combine])].join(' '))}
${types.map((type) => `var<workgroup> ${type}Parts: array<${type}, ${ROW_LANES}>;`).join('\n')}
${folds
  .map(
    (fold, n) => `
fn combine${n}(p: ${fold.type}, q: ${fold.type}) -> ${fold.type} { return ${fold.combine}; }
fn fold${n}(mine: ${fold.type}, t: u32, lane: u32) -> ${fold.type} {
  if (params.lanes == 1u) { return mine; }
  workgroupBarrier();
  ${fold.type}Parts[t] = mine;
  workgroupBarrier();
  for (var lap = 1u; lap < 7u; lap++) {
    let far = params.lanes >> lap;
    if (far == 0u) { break; }
    if (lane < far) {
      ${fold.type}Parts[t] = combine${n}(${fold.type}Parts[t], ${fold.type}Parts[t + far]);
    }
    workgroupBarrier();
  }
  return ${fold.type}Parts[t - lane];
}`,
  )
  .join('')}
@compute @workgroup_size(${ROW_LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) t: u32) {
  let lane = t % params.lanes;
  let index = (group.x + group.y * groups.x) * (${ROW_LANES}u / params.lanes) + t / params.lanes;
  let live = index < params.rows; // the others take part in the barriers only
  ${walk('index', rank, ['row'], 'r')}
  ${folds
    .map(
      (fold, n) => `var own${n} = ${fold.type}(${fold.initial});
  ${loop(`own${n} = combine${n}(own${n}, ${fold.map});`)}
  let ${fold.name} = fold${n}(own${n}, t, lane);`,
    )
    .join('\n  ')}
  ${each ? loop(`out[row + col] = ${result};`) : `if (live && lane == 0u) { out[index] = ${result}; }`}
}`,
  });
}

/** out [outer, n, inner]: running sums of data along the middle axis, one invocation a line. */
export const scanKernel = (type: 'f32' | 'i32', exclusive: boolean, reverse: boolean): Kernel =>
  defineKernel<string, string>({
    name: 'cumulative-sum',
    bindings: { data: `read ${type}`, out: `write ${type}` },
    uniforms: { count: 'u32', n: 'u32', inner: 'u32' },
    body: perItem(wgsl`
let first = i / params.inner * params.inner * params.n + i % params.inner;
var sum = ${type}(0);
for (var k = 0u; k < params.n; k++) {
  let at = first + params.inner * ${reverse ? '(params.n - 1u - k)' : 'k'};
  let x = data[at];
  out[at] = ${exclusive ? 'sum' : 'sum + x'};
  sum += x;
}`),
  });

/**
 * The best `k` of each row and their places, best first, equals in their order; one workgroup a row.
 * data [outer, size, inner] → values, places [outer, k, inner].
 */
export const topKernel = (
  type: 'f32' | 'i32',
  largest: boolean,
): Kernel<'data' | 'values' | 'places'> =>
  defineKernel<'data' | 'values' | 'places', string>({
    name: 'top',
    bindings: { data: `read ${type}`, values: `write ${type}`, places: 'write i32' },
    uniforms: { rows: 'u32', k: 'u32', size: 'u32', inner: 'u32' },
    body: wgsl`
${type === 'f32' ? functionsFor('isNan(x)') : ''}
const NONE = 0xffffffffu;
struct Pick { value: ${type}, at: u32 }
var<workgroup> picks: array<Pick, ${ROW_LANES}>;
fn better(p: Pick, q: Pick) -> bool {
#if ${type === 'f32'}
  // NaN comes after every number.
  if (p.at != NONE && q.at != NONE && (isNan(p.value) || isNan(q.value))) {
    return select(!isNan(p.value), p.at < q.at, isNan(p.value) && isNan(q.value));
  }
#endif
  return p.at != NONE && (q.at == NONE || p.value ${largest ? '>' : '<'} q.value || (p.value == q.value && p.at < q.at));
}
@compute @workgroup_size(${ROW_LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  let outer = row / params.inner;
  let column = row % params.inner;
  var last = Pick(${type}(0), NONE);
  for (var rank = 0u; rank < params.k; rank++) {
    var best = Pick(${type}(0), NONE);
    for (var at = lane; at < params.size; at += ${ROW_LANES}u) {
      let here = Pick(data[(outer * params.size + at) * params.inner + column], at);
      if ((rank == 0u || better(last, here)) && better(here, best)) { best = here; }
    }
    workgroupBarrier();
    picks[lane] = best;
    workgroupBarrier();
    for (var n = 0u; n < 6u; n++) {
      let far = ${ROW_LANES / 2}u >> n;
      if (lane < far && better(picks[lane + far], picks[lane])) { picks[lane] = picks[lane + far]; }
      workgroupBarrier();
    }
    last = picks[0];
    if (lane == 0u) {
      let to = (outer * params.k + rank) * params.inner + column;
      values[to] = last.value;
      places[to] = i32(last.at);
    }
  }
}`,
  });
