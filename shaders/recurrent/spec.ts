// What the recurrent kernels bake of a layer, and the WGSL they share. Numbers a call varies (rows,
// steps, lengths) are uniforms; everything here is fixed by the model.
import type { Activation, ActivationName, CellPhase, CellVariant } from '../../src/cells/index.ts';
import { ACTIVATIONS } from '../../src/cells/index.ts';
import type { BindingType, Kernel } from '../kernel.ts';
import { literal } from '../wgsl.ts';
import type { Arithmetic, WeightStorage } from './weights.ts';

/** One activation of one direction with its parameters. */
export interface ActivationUse {
  readonly name: ActivationName;
  readonly alpha: number;
  readonly beta: number;
}

/** A recurrent layer as its kernels see it. */
export interface RecurrentSpec {
  readonly gates: readonly string[];
  readonly hasC: boolean;
  readonly variant: CellVariant;
  readonly phases: readonly CellPhase[];
  /** Width of the cell, H. */
  readonly hidden: number;
  /** Whether h is a projection of o ∘ tanh c. */
  readonly projected: boolean;
  /** Width of h, O: H, or the projected width. */
  readonly output: number;
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  /**
   * Layers on top of each other that differ in nothing but weights, all forward, each reading what the one
   * below has made of the chunk of time steps before: then all compute at once. 1 for a layer by itself.
   */
  readonly layers: number;
  /** By direction, then in the order of the cell. */
  readonly activations: readonly (readonly ActivationUse[])[];
  readonly clip: number;
  /** Vectors of `extra`, [D, names, H]: peepholes, and biases that cannot be folded. */
  readonly extra: readonly string[];
  readonly hasLengths: boolean;
  /** Element type of the step mask, where there is one. */
  readonly mask: 'f32' | 'i32' | undefined;
  readonly maskedOutput: 'zero' | 'repeat';
  /** Whether Y is wanted; without it only the final state is written. */
  readonly writesY: boolean;
  /** How the weights of each product are stored. */
  readonly storage: Readonly<Record<'input' | 'recurrent' | 'projection', WeightStorage>>;
  /** What weights that are stored as f16 are multiplied in. */
  readonly arithmetic: Arithmetic;
}

/** `n` rounded up to a multiple of `unit`. */
export const roundUp = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** Units that h of a row takes in a state buffer: O padded so that rows start on 16 bytes. */
export const paddedOutput = (spec: RecurrentSpec): number => roundUp(spec.output, 4);

/** Units that c of a row takes in a state buffer. */
export const paddedHidden = (spec: RecurrentSpec): number => roundUp(spec.hidden, 4);

/** What a recurrent kernel computes side by side, along z: the directions of a layer, or the layers of a stack. */
export const instancesOf = ({ direction, layers }: RecurrentSpec): number =>
  direction === 'bidirectional' ? 2 : layers;

/** WGSL: `clipGate(x)` and `act0(x)` … for direction `dir`. */
export function activationFunctions(spec: RecurrentSpec): string {
  const clip = literal(spec.clip);
  const lines = [
    `fn clipGate(x: f32) -> f32 { return ${spec.clip > 0 ? `clamp(x, -${clip}, ${clip})` : 'x'}; }`,
  ];
  spec.activations[0]!.forEach((_, k) => {
    const [forward, backward] = spec.activations.map((uses) => {
      const { name, alpha, beta } = uses[k]!;
      const defaults: Activation = ACTIVATIONS[name];
      const a = Number.isNaN(alpha) ? (defaults.alpha ?? 0) : alpha;
      const b = Number.isNaN(beta) ? (defaults.beta ?? 0) : beta;
      return defaults.wgsl('x', literal(a), literal(b));
    });
    const other =
      backward === undefined || backward === forward
        ? ''
        : `if (dir == 1u) { return ${backward}; } `;
    lines.push(`fn act${k}(x: f32) -> f32 { ${other}return ${forward}; }`);
  });
  return lines.join('\n');
}

/**
 * WGSL: `timeOf(row, s)`, the position in time of step `s` of the recurrence; `isWithin(row, s)`,
 * whether the row is that long; `isLive(row, s)`, whether it takes part in the step. They need `params.steps` and, with a mask, its strides.
 */
export function timeFunctions(spec: RecurrentSpec): string {
  const reversed = { forward: 'false', reverse: 'true', bidirectional: 'dir == 1u' }[
    spec.direction
  ];
  const length = 'min(u32(max(lengths[row], 0)), params.steps)';
  const last = spec.hasLengths ? length : 'params.steps';
  const zero = spec.mask === 'f32' ? '0.0' : '0';
  const place = 'timeOf(row, s) * params.maskT + row * params.maskB';
  return `
fn timeOf(row: u32, s: u32) -> u32 {
  let last = ${last};
  return select(s, last - 1u - s, (${reversed}) && s < last);
}
fn isWithin(row: u32, s: u32) -> bool { return ${spec.hasLengths ? `s < ${length}` : 'true'}; }
fn isLive(row: u32, s: u32) -> bool {
  return isWithin(row, s)${spec.mask ? ` && mask[${place}] != ${zero}` : ''};
}`;
}

/**
 * WGSL: the start of a kernel, which sets `dir`, a module-level variable: which {@link instancesOf} this
 * is; and `start`, the first step of its chunk. A layer is as many chunks behind as it is above the first.
 */
export const beginInstance = ({ layers }: RecurrentSpec): string =>
  layers > 1
    ? `dir = wid.z + params.layer;
  let start = params.start - (wid.z + params.layer) * params.turns;`
    : `dir = wid.z;
  let start = params.start;`;

/** Storage bindings of what a call may restrict its steps by. */
export function maskBindings(spec: RecurrentSpec): Record<string, BindingType | false> {
  return {
    lengths: spec.hasLengths && 'read i32',
    mask: spec.mask !== undefined && `read ${spec.mask}`,
  };
}

/** Uniforms of {@link timeFunctions} and of the place of Y in memory, strides in elements. */
export const TIME_UNIFORMS = {
  rows: 'u32', // B
  steps: 'u32', // T
  start: 'u32', // step of the recurrence at which this chunk begins
  turns: 'u32', // steps of this chunk
  maskT: 'u32',
  maskB: 'u32',
  yT: 'u32',
  yB: 'u32',
  yD: 'u32',
} as const;

/** Uniforms of a recurrence: where there is a stack, also the first layer that takes part. */
export const recurrenceUniforms = ({ layers }: RecurrentSpec): Kernel['uniforms'] =>
  layers > 1 ? { ...TIME_UNIFORMS, layer: 'u32' } : TIME_UNIFORMS;

/**
 * WGSL statements that load what a phase reads besides its products: `x_GATE`, `rb_GATE`, `p_GATE`,
 * for unit `unit` of `row` at chunk step `turn`.
 *
 * @param ownX expression of `x_GATE` by number of the gate, where it does not come from `xw`
 */
export function phaseInputs(
  spec: RecurrentSpec,
  phase: CellPhase,
  ownX?: (gate: number) => string,
): string {
  const { gates, hidden, extra } = spec;
  const used = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(phase.wgsl);
  const lines: string[] = [];
  if (!ownX) {
    const at = '((dir * params.turns + turn) * params.rows + row)';
    lines.push(`let xAt = ${at} * ${gates.length * hidden}u + unit;`);
  }
  gates.forEach((gate, g) => {
    const x = ownX ? ownX(g) : `xw[xAt + ${g * hidden}u]`;
    if (used(`x_${gate}`)) lines.push(`let x_${gate} = ${x};`);
  });
  extra.forEach((name, e) => {
    const at = `(dir * ${extra.length}u + ${e}u) * ${hidden}u + unit`;
    if (used(name)) lines.push(`let ${name} = extra[${at}];`);
  });
  return lines.join('\n');
}

/** What {@link storeY} writes: Y, and in a stack the outputs of all layers but the last for those above. */
export const outputBindings = (spec: RecurrentSpec): Record<string, BindingType | false> => ({
  y: spec.writesY && 'write f32',
  below: spec.layers > 1 && 'write f32', // [layers - 1, turns, B, O]
});

/** WGSL statements that write the output of `unit` for step `s`, `turn` of the chunk, live or not. */
export function storeY(spec: RecurrentSpec, value: string): string {
  const { layers, output } = spec;
  if (layers === 1) return storeLast(spec, value);
  // What a row that has ended leaves below, nobody uses: it has ended above as well.
  return `if (dir == ${layers - 1}u) { ${storeLast(spec, value)} } else {
  below[((dir * params.turns + turn) * params.rows + row) * ${output}u + unit] = ${value};
}`;
}

function storeLast(spec: RecurrentSpec, value: string): string {
  if (!spec.writesY) return '';
  const direction = spec.layers > 1 ? '' : 'dir * params.yD + ';
  const at = `(t * params.yT + row * params.yB + ${direction}unit)`;
  const masked = spec.hasLengths || spec.mask !== undefined;
  const value0 = masked ? `select(0.0, ${value}, live)` : value;
  if (spec.mask === undefined || spec.maskedOutput === 'zero') {
    return `
let t = timeOf(row, s);
y[${at}] = ${value0};`;
  }
  // The output before, in the order of processing, is already in Y; before the first it is zero.
  return `
var t = timeOf(row, s);
var out = ${value0};
if (!live && s > 0u && isWithin(row, s)) {
  t = timeOf(row, s - 1u);
  out = y[${at}];
  t = timeOf(row, s);
}
y[${at}] = out;`;
}
