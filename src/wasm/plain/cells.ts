// The cells of recurrent layers: one row, all units. Sums of the gates come in blocks of 4 units,
// [block][gate][4]. Cells with sigmoid, tanh and nothing else have loops of their own.
import type { Scalar } from './math.ts';
import { gate, tanh } from './math.ts';

/** What a layer has beyond sums and states. */
export interface CellOptions {
  /** Whether the activations are sigmoid and tanh, without a limit, peepholes or coupled gates. */
  readonly usual: boolean;
  /** The limit of arguments of gates, Infinity for none. */
  readonly clip: number;
  readonly activations: readonly {
    readonly f: Scalar;
    readonly alpha: number;
    readonly beta: number;
  }[];
  /** Where peepholes [block][i, o, f][4] begin, or 0. */
  readonly peepholes: number;
  readonly coupled: boolean;
}

function plain({ activations }: CellOptions, k: number, x: number): number {
  const { f, alpha, beta } = activations[k]!;
  return f(x, alpha, beta);
}

function clipped(options: CellOptions, k: number, x: number): number {
  const { clip } = options;
  return plain(options, k, x > clip ? clip : x < -clip ? -clip : x);
}

/** g: sums; out: h. */
export function rnnRow(
  m: Float32Array,
  options: CellOptions,
  units: number,
  g: number,
  out: number,
): void {
  if (options.usual) for (let u = 0; u < units; u++) m[out + u] = tanh(m[g + u]!);
  else for (let u = 0; u < units; u++) m[out + u] = clipped(options, 0, m[g + u]!);
}

/** g: sums of i, o, f, c; c: the cell state; out: h. */
export function lstmRow(
  m: Float32Array,
  options: CellOptions,
  units: number,
  g: number,
  c: number,
  out: number,
): void {
  if (!options.usual) return lstmAny(m, options, units, g, c, out);
  for (let u = 0; u < units; u += 4, g += 16)
    for (let lane = 0; lane < 4; lane++, c++, out++) {
      const x = g + lane;
      const next = gate(m[x + 8]!) * m[c]! + gate(m[x]!) * tanh(m[x + 12]!);
      m[c] = next;
      m[out] = gate(m[x + 4]!) * tanh(next);
    }
}

function lstmAny(
  m: Float32Array,
  options: CellOptions,
  units: number,
  g: number,
  c: number,
  out: number,
): void {
  const { peepholes, coupled } = options;
  for (let u = 0; u < units; u++) {
    const [block, lane] = [u >> 2, u & 3];
    const x = g + block * 16 + lane;
    const peephole = peepholes + block * 12 + lane;
    const before = m[c + u]!;
    const seen = (k: number, state: number): number =>
      peepholes === 0 ? 0 : m[peephole + 4 * k]! * state;
    const i = clipped(options, 0, m[x]! + seen(0, before));
    const f = coupled ? 1 - i : clipped(options, 0, m[x + 8]! + seen(2, before));
    const next = f * before + i * clipped(options, 1, m[x + 12]!);
    const o = clipped(options, 0, m[x + 4]! + seen(1, next));
    m[c + u] = next;
    m[out + u] = o * plain(options, 2, next);
  }
}

/** Reset after the product. x: W·x + b of z, r, h; g: R·h with the recurrent bias of the candidate; h: the state. */
export function gruAfterRow(
  m: Float32Array,
  options: CellOptions,
  units: number,
  x: number,
  g: number,
  h: number,
): void {
  const { usual } = options;
  for (let u = 0; u < units; u += 4, x += 12, g += 12)
    for (let lane = 0; lane < 4; lane++, h++) {
      const [a, b] = [m[x + lane]! + m[g + lane]!, m[x + lane + 4]! + m[g + lane + 4]!];
      const r = usual ? gate(b) : clipped(options, 0, b);
      const s = m[x + lane + 8]! + r * m[g + lane + 8]!;
      const n = usual ? tanh(s) : clipped(options, 1, s);
      const z = usual ? gate(a) : clipped(options, 0, a);
      m[h] = (1 - z) * n + z * m[h]!;
    }
}

/** Reset before the product, first part. g: sums of z, r, of which z becomes the gate; reset: r ∘ h. */
export function gruGates(
  m: Float32Array,
  options: CellOptions,
  units: number,
  g: number,
  h: number,
  reset: number,
): void {
  const { usual } = options;
  for (let u = 0; u < units; u += 4, g += 8)
    for (let lane = 0; lane < 4; lane++, h++, reset++) {
      const [a, b] = [m[g + lane]!, m[g + lane + 4]!];
      m[g + lane] = usual ? gate(a) : clipped(options, 0, a);
      m[reset] = (usual ? gate(b) : clipped(options, 0, b)) * m[h]!;
    }
}

/** Reset before the product, second part. g: z; s: sums of the candidate; h: the state. */
export function gruCandidate(
  m: Float32Array,
  options: CellOptions,
  units: number,
  g: number,
  s: number,
  h: number,
): void {
  const { usual } = options;
  for (let u = 0; u < units; u += 4, g += 8)
    for (let lane = 0; lane < 4; lane++, h++, s++) {
      const x = m[s]!;
      const n = usual ? tanh(x) : clipped(options, 1, x);
      const z = m[g + lane]!;
      m[h] = (1 - z) * n + z * m[h]!;
    }
}
