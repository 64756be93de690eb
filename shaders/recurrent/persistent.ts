// recurrent/step.ts, but a whole chunk of time steps in one dispatch: one workgroup for each direction
// and block of rows keeps h in workgroup memory and loops over time inside the shader. No workgroup
// waits for another, so it is legal on every adapter. For hidden sizes that one workgroup can serve.
import { defineKernel, present } from '../kernel.ts';
import type { Extension, Kernel } from '../kernel.ts';
import { MATH } from '../math.ts';
import { wgsl } from '../wgsl.ts';
import { rowLoads } from './rows.ts';
import type { RowBlock } from './rows.ts';
import {
  activationFunctions,
  beginInstance,
  instancesOf,
  maskBindings,
  outputBindings,
  paddedHidden,
  paddedOutput,
  phaseInputs,
  recurrenceUniforms,
  storeY,
  timeFunctions,
} from './spec.ts';
import type { RecurrentSpec } from './spec.ts';
import { stepPhases } from './step.ts';
import type { StepPhase } from './step.ts';
import { scaled, weightAccess } from './weights.ts';
import type { WeightAccess } from './weights.ts';

/** How a workgroup is spread over a block of batch rows. Lanes that share loads must not keep weights. */
export interface PersistentTile extends RowBlock {
  /**
   * Invocations; each serves the units lane, lane + lanes, … Where it does not keep their weights, it
   * computes the products of all of them together, which then share their loads of the state.
   */
  readonly lanes: number;
  /**
   * Whether each invocation keeps its weights in variables during the loop, with the product written
   * out so that no place is computed: registers on a GPU while there are few, and the nearest memory
   * there is on a CPU. Else they are read from their buffer in each step.
   */
  readonly keepsWeights: boolean;
}

/** Time steps of one dispatch at most: a constant, so that the loop needs no guard. */
export const PERSISTENT_STEPS = 256;

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Bytes of workgroup memory that {@link persistentKernel} needs. */
export function persistentMemory(spec: RecurrentSpec, tile: PersistentTile): number {
  const two = stepPhases(spec).length > 1;
  return tile.rows * (paddedOutput(spec) + (two ? paddedHidden(spec) : 0)) * 4;
}

/**
 * Buffers as in recurrent/step.ts, but `r0` and `r1` for the products of the phases, and `state` is
 * read at the start and written at the end. Grid: 1, row blocks, D.
 */
export function persistentKernel(spec: RecurrentSpec, tile: PersistentTile): Kernel {
  const phases = stepPhases(spec);
  const { gates, hidden, output } = spec;
  const { lanes, rows: RB } = tile;
  const instances = instancesOf(spec);
  const op = paddedOutput(spec);
  const hp = paddedHidden(spec);
  const R = count(RB);
  const loads = rowLoads(tile);
  const shares = loads.parameters !== '';
  const masked = spec.hasLengths || spec.mask !== undefined;
  const two = phases.length > 1;
  const perLane = Math.ceil(Math.max(hidden, output) / lanes);
  const M = count(perLane);

  /** Sizes of the product of a phase: units, vec4 along the sum, gates. */
  const sizesOf = (item: StepPhase) => {
    const projection = item === 'projection';
    const [units, k] = [
      projection ? output : hidden,
      projection || item.operand === 'u' ? hidden : output,
    ];
    return {
      units,
      tiles: Math.ceil(units / lanes),
      k4: Math.ceil(k / 4),
      blocks: projection ? 1 : item.gates.length,
    };
  };
  const weights = phases.map((item, index): WeightAccess => {
    const { tiles, k4, blocks } = sizesOf(item);
    const shape = { groups: instances * tiles, k4, span: blocks * lanes };
    const storage = item === 'projection' ? spec.storage.projection : spec.storage.recurrent;
    return weightAccess(`r${index}`, storage, shape, spec.arithmetic);
  });

  // Few cells are written out, so that what they keep is in registers; many are a loop over arrays.
  const loops = perLane * RB > 4;
  /** A number that the invocation keeps of the cell of its unit `m` and row `r`. */
  const own = (name: string, m: number | string, r: number | string): string =>
    loops ? `${name}Own[${m} * ${RB} + ${r}]` : `${name}${m}_${r}`;

  /** The products and the arithmetic of one phase for units `ms` of the lane. */
  const phase = (item: StepPhase, index: number, ms: readonly number[]): string => {
    const projection = item === 'projection';
    const last = index === phases.length - 1;
    const names = projection ? ['p'] : item.gates.map((g) => gates[g]!);
    const operand = projection ? 'u' : item.operand;
    const { units, tiles, k4 } = sizesOf(item);
    const stride = operand === 'h' ? op : hp;
    const vector = operand === 'h' ? 'hs' : 'us';
    const mine = ms.filter((m) => m * lanes < units);
    if (mine.length === 0) return '';
    const body = projection ? 'hNew = s_p;' : item.wgsl;
    const needs = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(body);
    const writesC = spec.hasC && !projection;
    const { scale, operand: prepared, dot } = weights[index]!;
    const sum = (g: number, m: number | string, r: number | string): string => {
      const bare = loops ? own(`sum${g}`, m, r) : `a${g}_${m}_${r}`;
      if (!scale) return bare;
      const group = `dir * ${tiles}u + u32(${m})`;
      return scaled(bare, loops ? scale(group, `${g * lanes}u + lane`) : `scale${index}_${m}_${g}`);
    };
    const cell = (m: number | string, r: number | string): string => `
      if (first + ${r} < params.rows) {
        let row = first + ${r};
        ${projection ? '' : phaseInputs(spec, item)}
        ${names.map((name, g) => `let s_${name} = ${sum(g, m, r)};`).join(' ')}
        ${last || needs('h') ? `let h = hs[${r} * ${op} + unit];` : ''}
        ${writesC ? `let c = ${own('c', m, r)}; var cNew = c;` : ''}
        ${!last && needs('keep') ? 'var keep = 0.0; var u = 0.0;' : 'var hNew = 0.0;'}
        ${last && needs('keep') ? `let keep = ${own('keep', m, r)};` : ''}
        ${body}
        ${masked && (last || writesC) ? 'let live = isLive(row, s);' : ''}
        ${last ? '' : `us[${r} * ${hp} + unit] = ${needs('u') ? 'u' : 'hNew'};`}
        ${!last && needs('keep') ? `${own('keep', m, r)} = keep;` : ''}
        ${writesC ? `${own('c', m, r)} = ${masked ? 'select(c, cNew, live)' : 'cNew'};` : ''}
        ${last ? `${own('h', m, r)} = ${masked ? 'select(h, hNew, live)' : 'hNew'};` : ''}
        ${last ? storeY(spec, 'hNew') : ''}
      }`;
    const read = (k: string, j: number): string => {
      const at = (c: number): string =>
        `${vector}[${k} * 4u + ${loads.rowOf(j)} * ${stride}u + ${c}u]`;
      return `vec4f(${[0, 1, 2, 3].map(at).join(', ')})`;
    };
    const weight = (k: string, g: number, m: number): string =>
      !tile.keepsWeights
        ? weights[index]!.load(
            `((dir * ${tiles}u + ${m}u) * ${k4}u + ${k}) * ${names.length * lanes}u + ${g * lanes}u + lane`,
          )
        : `w${index}_${m}[${k} * ${names.length}u + ${g}u]`;
    const sums = mine.flatMap((m) => names.map((_, g) => [g, m] as const));
    const terms = (k: string): string =>
      `${sums.map(([g, m]) => `let w_${g}_${m} = ${weight(k, g, m)};`).join(' ')}
        ${loads.own.map((j) => `let l${j} = ${read(k, j)};`).join(' ')}
        ${R.map((r) => `let v${r} = ${prepared(loads.row(r, 'l'))}; ${sums.map(([g, m]) => `a${g}_${m}_${r} += ${dot(`w_${g}_${m}`, `v${r}`)};`).join(' ')}`).join('\n        ')}`;
    const product = (): string =>
      tile.keepsWeights
        ? count(k4)
            .map((k) => `{ ${terms(`${k}u`)} }`)
            .join('\n      ')
        : `for (var k = 0u; k < ${k4}u; k++) { ${terms('k')} }`;
    const listed = (g: number): string =>
      mine.flatMap((m) => R.map((r) => `a${g}_${m}_${r}`)).join(', ');
    const arrays = names.map(
      (_, g) => `var sum${g}Own = array<f32, ${mine.length * RB}>(${listed(g)});`,
    );
    const cells = loops
      ? `${arrays.join(' ')}
      for (var m = 0u; m < ${mine.length}u; m++) {
        let unit = lane + m * ${lanes}u;
        if (unit >= ${units}u) { break; }
        for (var q = 0u; q < ${RB}u; q++) { ${cell('m', 'q')} }
      }`
      : mine
          .map((m) => {
            const unit = `let unit = lane + ${m * lanes}u;`;
            return `if (lane + ${m * lanes}u < ${units}u) { ${unit} ${R.map((r) => cell(m, r)).join('')} }`;
          })
          .join('\n      ');
    // Where lanes share loads, none may be missing; those without a unit have weights of zero.
    return `
    ${shares ? '' : `if (lane + ${mine[0]! * lanes}u < ${units}u)`} {
      ${sums.map(([g, m]) => R.map((r) => `var a${g}_${m}_${r} = 0.0;`).join(' ')).join('\n      ')}
      ${product()}
      ${cells}
    }`;
  };
  // Weights in a buffer are read for all units at once, which then share their loads of the state.
  const together = tile.keepsWeights ? M.map((m) => [m]) : [M];
  const inTurn = (index: number): string =>
    together.map((ms) => phase(phases[index]!, index, ms)).join('');

  /** Brings to the invocation, once for all steps, the scales of a phase and the weights it keeps. */
  const hold = (item: StepPhase, index: number): string => {
    const { units, tiles, k4, blocks } = sizesOf(item);
    const { load, scale, type } = weights[index]!;
    const group = (m: number): string => `dir * ${tiles}u + ${m}u`;
    const scales = (m: number): string[] =>
      count(scale && !loops ? blocks : 0).map(
        (g) => `let scale${index}_${m}_${g} = ${scale!(group(m), `${g * lanes}u + lane`)};`,
      );
    const kept = (m: number): string => `var w${index}_${m}: array<${type}, ${k4 * blocks}>;
  for (var q = 0u; q < ${k4 * blocks}u; q++) {
    w${index}_${m}[q] = ${load(`((${group(m)}) * ${k4 * blocks}u + q) * ${lanes}u + lane`)};
  }`;
    return M.filter((m) => m * lanes < units)
      .flatMap((m) => [...scales(m), ...(tile.keepsWeights ? [kept(m)] : [])])
      .join('\n  ');
  };

  type Of = (m: number | string, r: number | string) => string;
  const each = (units: number, text: Of): string => {
    const at = (m: number | string, r: number | string): string =>
      `if (first + ${r} < params.rows) { let at = dir * params.rows + first + ${r}; ${text(m, r)} }`;
    if (loops) {
      return `for (var m = 0u; m < ${perLane}u; m++) {
    let unit = lane + m * ${lanes}u;
    if (unit >= ${units}u) { break; }
    for (var q = 0u; q < ${RB}u; q++) { ${at('m', 'q')} }
  }`;
    }
    return M.filter((m) => m * lanes < units)
      .map(
        (m) => `if (lane + ${m * lanes}u < ${units}u) {
    let unit = lane + ${m * lanes}u;
    ${R.map((r) => at(m, r)).join('\n    ')}
  }`,
      )
      .join('\n  ');
  };
  const hAt = `state[at * ${op}u + unit]`;
  const cAt = `state[params.rows * ${instances * op}u + at * ${hp}u + unit]`;
  const declare = (name: string): string =>
    loops
      ? `var ${name}Own: array<f32, ${perLane * RB}>;`
      : M.map((m) => R.map((r) => `var ${name}${m}_${r} = 0.0;`).join(' ')).join(' ');
  const keeps = phases.some((item) => item !== 'projection' && /\bkeep\b/.test(item.wgsl));
  const enables: Extension[] = weights.flatMap((access) => access.enables);
  if (shares) enables.push('subgroups');
  return defineKernel({
    name: 'recurrent-persistent',
    enables: [...new Set(enables)],
    bindings: present({
      xw: 'read f32',
      r0: weights[0]!.binding,
      r1: two && weights[1]!.binding,
      extra: spec.extra.length > 0 && 'read f32',
      ...maskBindings(spec),
      state: 'write f32',
      ...outputBindings(spec),
    }),
    uniforms: { ...recurrenceUniforms(spec), fromZero: 'u32' },
    body: wgsl`
${MATH}
var<private> dir: u32;
${activationFunctions(spec)}
${timeFunctions(spec)}${weights.map(({ functions }) => functions).join('')}
var<workgroup> hs: array<f32, ${RB * op}>;
#if ${two}
var<workgroup> us: array<f32, ${RB * hp}>;
#endif
@compute @workgroup_size(${lanes})
fn main(${loads.parameters}@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${beginInstance(spec)}
  let turns = min(params.turns, params.steps - start);
  let first = wid.y * ${RB}u;
  ${declare('h')}
  ${spec.hasC ? declare('c') : ''}
  ${keeps ? declare('keep') : ''}
  ${phases.map(hold).join('\n  ')}
  ${each(output, (m, r) => `${own('h', m, r)} = select(${hAt}, 0.0, params.fromZero == 1u); hs[${r} * ${op} + unit] = ${own('h', m, r)};`)}
  ${spec.hasC ? each(hidden, (m, r) => `${own('c', m, r)} = select(${cAt}, 0.0, params.fromZero == 1u);`) : ''}
  workgroupBarrier();
  for (var turn = 0u; turn < ${PERSISTENT_STEPS}u; turn++) {
    if (turn >= turns) { break; }
    let s = start + turn;
    ${inTurn(0)}
    workgroupBarrier();
    #if ${two}
    ${two ? inTurn(1) : ''}
    workgroupBarrier();
    #endif
    ${each(output, (m, r) => `hs[${r} * ${op} + unit] = ${own('h', m, r)};`)}
    workgroupBarrier();
  }
  ${each(output, (m, r) => `${hAt} = ${own('h', m, r)};`)}
  ${spec.hasC ? each(hidden, (m, r) => `${cAt} = ${own('c', m, r)};`) : ''}
}`,
  });
}
