// The portable recurrent kernel: one dispatch a time step computes all gates of all units, rows and
// directions and applies the cell. Lanes along x are units, so that neighbours read neighbouring 16
// bytes of R; lanes along y share the product, each a slice of it; each keeps a block of rows.
import type { CellPhase } from '../../src/cells/index.ts';
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
import { scaled, weightAccess } from './weights.ts';
import type { WeightAccess, WeightShape } from './weights.ts';

/** How a step is spread over invocations. Each keeps a block of batch rows. */
export interface StepTile extends RowBlock {
  /** Lanes along the units. */
  readonly lanes: number;
  /** Units of a lane, `lanes` apart: they share its loads of the state. */
  readonly units: number;
  /** Lanes that share one unit's product. */
  readonly slices: number;
  /**
   * Whether the lanes of a workgroup are one subgroup, lanes times slices in all, and add up their slices
   * among each other; else they do it through workgroup memory.
   */
  readonly isSubgroup?: boolean;
}

/**
 * The input of a step kernel that is a sequence of one step by itself: it computes W·x + b, and takes and
 * leaves h and c in buffers of their own, as the graph has them.
 */
export interface SingleStep {
  /** Width of the input. */
  readonly width: number;
  readonly hasBias: boolean;
}

/** Units that a workgroup covers. */
export const stepSpan = ({ lanes, units }: StepTile): number => lanes * units;

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** A product of the recurrence: the phases of the cell, then the projection where there is one. */
export type StepPhase = CellPhase | 'projection';

/** The phases of a layer in order. */
export function stepPhases(spec: RecurrentSpec): readonly StepPhase[] {
  return spec.projected ? [...spec.phases, 'projection'] : spec.phases;
}

/**
 * Buffers: xw, [D, turns, B, G·H] from project; r, [D][unit tiles][⌈K/4⌉][products][units of a tile] vec4 over K;
 * extra, [D, names, H]; state and next, before and after the step: h [D, B, O padded] then c
 * [D, B, H padded]; u, between phases: [2, D, B, H padded]; y and below: see outputBindings. D: directions, or
 * layers of a stack.
 * A single step has, instead of xw: x, its input; w, as r but over the input; b, [D, G·H]; and instead of
 * state, next and, without a mask, y: hBefore, hAfter [D, B, O], cBefore, cAfter [D, B, H].
 * Grid: units along x, rows along y, D along z.
 */
export function stepKernel(
  spec: RecurrentSpec,
  phase: StepPhase,
  index: number,
  tile: StepTile,
  single?: SingleStep,
): Kernel {
  const projection = phase === 'projection';
  const last = index === stepPhases(spec).length - 1;
  const toU = !last;
  const { gates, hidden, output } = spec;
  const products = projection ? ['p'] : phase.gates.map((g) => gates[g]!);
  const operand = projection ? 'u' : phase.operand;
  const units = projection ? output : hidden;
  const width = operand === 'h' ? output : hidden;
  const k4 = Math.ceil(width / 4);
  const { lanes: L, units: UL, slices: S, rows: RB, isSubgroup = false } = tile;
  const loads = rowLoads(tile);
  const throughMemory = S > 1 && !isSubgroup;
  const span = stepSpan(tile);
  const tiles = Math.ceil(units / span);
  const op = paddedOutput(spec);
  const hp = paddedHidden(spec);
  // A lane has a sum for each of its units and products, named by one number, and each row. The
  // products with the input, where there are any, come after those with the state.
  const ownX = projection ? undefined : single;
  const P = products.length * (ownX ? 2 : 1);
  const G = count(P * UL);
  const R = count(RB);
  const instances = instancesOf(spec);
  const masked = spec.hasLengths || spec.mask !== undefined;
  const writesC = spec.hasC && !projection;
  const afterU = index > 0;
  const writesY = last && spec.writesY && (!single || masked);
  const stacked = last && spec.layers > 1;
  const hBefore = single ? 'hBefore' : 'state';
  const source = operand === 'h' ? hBefore : 'u';
  const keepAt = `params.rows * ${instances * hp}u + at * ${hp}u + unit`;
  const cAt = `${single ? '' : `params.rows * ${instances * op}u + `}at * ${hp}u + unit`;
  const [hAfter, cAfter] = single ? ['hAfter', 'cAfter'] : ['next', 'next'];
  const scalar = (buffer: string, at: string): string => `${buffer}[(${at}) >> 2u][(${at}) & 3u]`;
  const body = projection ? 'hNew = s_p;' : phase.wgsl;
  const needs = (name: string): boolean => !projection && new RegExp(`\\b${name}\\b`).test(body);
  // With a projection the cell's own h is what the projection multiplies.
  const result = toU && !needs('u') ? 'hNew' : 'u';
  const shapeOf = (vectors: number): WeightShape => ({
    groups: instances * tiles,
    k4: vectors,
    span: products.length * span,
  });
  const { storage } = spec;
  const stored = projection ? storage.projection : storage.recurrent;
  const weights = weightAccess('r', stored, shapeOf(k4), spec.arithmetic);
  const xVectors = Math.ceil((single?.width ?? 0) / 4);
  const xWeights = ownX && weightAccess('w', storage.input, shapeOf(xVectors), spec.arithmetic);
  const scale = (access: WeightAccess, p: number): string | undefined =>
    access.scale?.(`dir * ${tiles}u + wid.x`, `${p * span}u + m * ${L}u + lid.x`);
  const ownInput = (sum: (g: number) => string): ((gate: number) => string) | undefined =>
    xWeights &&
    ((gate) => {
      const p = (phase as CellPhase).gates.indexOf(gate);
      const bias = `b[dir * ${gates.length * hidden}u + ${gate * hidden}u + unit]`;
      return `${scaled(sum(products.length + p), scale(xWeights, p))}${single!.hasBias ? ` + ${bias}` : ''}`;
    });
  const cell = (sum: (g: number) => string): string => `
    let at = dir * params.rows + row;
    ${projection ? '' : phaseInputs(spec, phase, ownInput(sum))}
    ${products.map((name, g) => `let s_${name} = ${scaled(sum(g), scale(weights, g))};`).join('\n    ')}
    ${last || needs('h') ? `let h = ${scalar(hBefore, `at * ${op}u + min(unit, ${output - 1}u)`)};` : ''}
    ${writesC ? `let c = ${single ? `cBefore[${cAt}]` : scalar('state', cAt)};\n    var cNew = c;` : ''}
    ${afterU && needs('keep') ? `let keep = ${scalar('u', keepAt)};` : ''}
    ${toU && needs('keep') ? 'var keep = 0.0; var u = 0.0;' : 'var hNew = 0.0;'}
    ${body}
    let s = start + turn;
    ${masked && (last || writesC) ? 'let live = isLive(row, s);' : ''}
    ${toU ? `uNext[at * ${hp}u + unit] = ${result};` : ''}
    ${toU && needs('keep') ? `uNext[${keepAt}] = keep;` : ''}
    ${writesC ? `${cAfter}[${cAt}] = ${masked ? 'select(c, cNew, live)' : 'cNew'};` : ''}
    ${last ? `${hAfter}[at * ${op}u + unit] = ${masked ? 'select(h, hNew, live)' : 'hNew'};` : ''}
    ${writesY || stacked ? storeY(spec, 'hNew') : ''}`;
  const vector = !ownX || ownX.width % 4 === 0;
  const loadX = (j: number): string => {
    if (vector) return `x[x${j} + k]`;
    const { width: I } = ownX!;
    const parts = count(4).map(
      (c) => `select(0.0, x[x${j} + min(k * 4u + ${c}u, ${I - 1}u)], k * 4u + ${c}u < ${I}u)`,
    );
    return `vec4f(${parts.join(', ')})`;
  };
  /** The products with one vector, of so many vec4, added to the sums from `from`. */
  const multiply = (
    { load: loadWeight, operand: prepared, dot }: WeightAccess,
    vectors: number,
    from: number,
    load: (j: number) => string,
  ): string => {
    const turns = Math.ceil(vectors / S);
    const mine = count(products.length * UL).map((q) => {
      const [m, p] = [Math.floor(q / products.length), q % products.length];
      return { sum: m * P + from + p, at: p * span + m * L };
    });
    return `for (var i = 0u; i < ${turns}u; i++) {
    let k = ${S === 1 ? 'i' : `i * ${S}u + lid.y`};
    ${S > 1 && turns * S !== vectors ? `if (k >= ${vectors}u) { break; }` : ''}
    let wAt = ((dir * ${tiles}u + wid.x) * ${vectors}u + k) * ${products.length * span}u + lid.x;
    ${mine.map(({ at }, q) => `let w${q} = ${loadWeight(`wAt + ${at}u`)};`).join(' ')}
    ${loads.own.map((j) => `let l${j} = ${load(j)};`).join(' ')}
    ${R.map(
      (r) => `let v${r} = ${prepared(loads.row(r, 'l'))};
    ${mine.map(({ sum }, q) => `a${sum}_${r} += ${dot(`w${q}`, `v${r}`)};`).join(' ')}`,
    ).join('\n    ')}
  }`;
  };
  const reduced = (sum: string): string => {
    const distances = count(Math.log2(S)).map((i) => L * 2 ** i);
    return distances.map((d) => `${sum} += subgroupShuffleXor(${sum}, ${d}u);`).join(' ');
  };
  const enables: Extension[] = [...weights.enables, ...(xWeights?.enables ?? [])];
  if (isSubgroup || loads.parameters !== '') enables.push('subgroups');
  const readsH = operand === 'h' || last || needs('h');
  const time = recurrenceUniforms(spec);
  const uniforms: Kernel['uniforms'] = ownX ? { ...time, xB: 'u32' } : time;
  return defineKernel({
    name: `recurrent-step-${index}`,
    stepped: true,
    enables: [...new Set(enables)],
    bindings: present({
      xw: !projection && !ownX && 'read f32',
      x: ownX && (vector ? 'read vec4f' : 'read f32'),
      w: xWeights?.binding,
      b: ownX?.hasBias && 'read f32',
      r: weights.binding,
      extra: !projection && spec.extra.some(needs) && 'read f32',
      state: !single && (readsH || writesC) && 'read vec4f',
      hBefore: single && readsH && 'read vec4f',
      cBefore: single && writesC && 'read f32',
      u: afterU && 'read vec4f',
      ...((last || writesC) && maskBindings(spec)),
      next: !single && (last || writesC) && 'write f32',
      hAfter: single && last && 'write f32',
      cAfter: single && writesC && 'write f32',
      uNext: toU && 'write f32',
      ...((writesY || stacked) && outputBindings(spec)),
    }),
    uniforms,
    body: wgsl`
${MATH}
var<private> dir: u32;
${activationFunctions(spec)}${weights.functions}${xWeights?.functions ?? ''}
#if ${last || writesC}
${timeFunctions(spec)}
#endif
#if ${throughMemory}
var<workgroup> partial: array<f32, ${S * L * G.length * RB}>;
#endif
@compute @workgroup_size(${isSubgroup ? L * S : `${L}${S === 1 ? '' : `, ${S}`}`})
fn main(${loads.parameters}@builtin(workgroup_id) wid: vec3u, ${isSubgroup ? '@builtin(subgroup_invocation_id) lane: u32' : '@builtin(local_invocation_id) lid: vec3u'}) {
  ${isSubgroup ? `let lid = vec2u(lane % ${L}u, lane / ${L}u);` : ''}
  ${beginInstance(spec)}
  #if ${spec.layers > 1}
  // Others of the stack still have steps.
  if (start + turn >= params.steps) { return; }
  #endif
  let first = wid.y * ${RB}u;
  ${loads.own.map((j) => `let o${j} = (dir * params.rows + min(first + ${loads.rowOf(j)}, params.rows - 1u)) * ${operand === 'h' ? op / 4 : hp / 4}u;`).join('\n  ')}
  ${G.map((g) => R.map((r) => `var a${g}_${r} = 0.0;`).join(' ')).join('\n  ')}
${multiply(weights, k4, 0, (j) => `${source}[o${j} + k]`)}
  #if ${ownX !== undefined}
  ${loads.own.map((j) => `let x${j} = (min(first + ${loads.rowOf(j)}, params.rows - 1u) * params.xB)${vector ? ' >> 2u' : ''};`).join('\n  ')}
  ${xWeights ? multiply(xWeights, xVectors, products.length, loadX) : ''}
  #endif
  #if ${isSubgroup}
  // Afterwards each lane has the sums over all slices.
  ${G.map((g) => R.map((r) => reduced(`a${g}_${r}`)).join(' ')).join('\n  ')}
  #endif
  #if ${throughMemory}
  let lane = lid.y * ${L}u + lid.x;
  ${G.map((g) => R.map((r) => `partial[${(g * RB + r) * S * L}u + lane] = a${g}_${r};`).join(' ')).join('\n  ')}
  workgroupBarrier();
  // Each sum is added up by the lane of its row.
  for (var block = lid.y; block < ${RB}u; block += ${S}u) {
    let row = first + block;
    if (row >= params.rows) { break; }
    for (var m = 0u; m < ${UL}u; m++) {
      let unit = wid.x * ${span}u + m * ${L}u + lid.x;
      if (unit >= ${units}u) { break; }
      let sum = (m * ${P * RB}u + block) * ${S * L}u + lid.x;
      ${count(P)
        .map(
          (g) => `var b${g} = 0.0;
      for (var j = 0u; j < ${S}u; j++) { b${g} += partial[sum + ${g * RB * S * L}u + j * ${L}u]; }`,
        )
        .join('\n      ')}
      ${cell((g) => `b${g}`)}
    }
  }
  #else
  #if ${G.length * RB > P}
  var sums = array<f32, ${G.length * RB}>(${G.flatMap((g) => R.map((r) => `a${g}_${r}`)).join(', ')});
  #endif
  for (var m = 0u; m < ${UL}u; m++) {
    let unit = wid.x * ${span}u + m * ${L}u + lid.x;
    if (unit >= ${units}u) { break; }
    for (var q = ${isSubgroup ? 'lid.y' : '0u'}; q < ${RB}u; q += ${S}u) {
      let row = first + q;
      if (row >= params.rows) { break; }
      ${cell((g) => (G.length * RB === P ? `a${g}_0` : `sums[(m * ${P}u + ${g}u) * ${RB}u + q]`))}
    }
  }
  #endif
}`,
  });
}
