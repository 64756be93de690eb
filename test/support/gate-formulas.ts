// The gates of LSTM, GRU and RNN written out from their textbooks, unit by unit, without the cells of the package.
import { ACTIVATIONS, type Activation } from '../../src/cells/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import type { RecurrentCase } from './random-recurrent.ts';

/** Numbers by a name and `[t, d, b, j]`; what no step computed is NaN. */
export interface Formula {
  readonly gates: Readonly<Record<string, Float64Array>>;
  readonly states: Readonly<Record<string, Float64Array>>;
}

type Vector = number[];

const NAMES = {
  lstm: [
    ['i', 'o', 'f', 'c'],
    ['h', 'c'],
  ],
  gru: [['z', 'r', 'h'], ['h']],
  rnn: [['i'], ['h']],
} as const;

/** Every gate and state of each step of a layer. */
export function gatesByFormula({ config, graph, feeds }: RecurrentCase): Formula {
  const { cell, T, B, I, hidden: H, layout, direction, clip, coupled, resetAfter } = config;
  const O = config.projected || H;
  const D = direction === 'bidirectional' ? 2 : 1;
  const [gateNames, stateNames] = NAMES[cell];
  const G = gateNames.length;
  const numbers = (name: string): ArrayLike<number> | undefined =>
    (feeds[name] ?? graph.constants.get(name))?.data as Float32Array | undefined;
  const [X, W, R, bias, P, projection] = ['X', 'W', 'R', 'B', 'P', 'projection'].map(numbers);
  const [mask, h0, c0] = ['mask', 'initialH', 'initialC'].map(numbers);
  const series = (names: readonly string[], width: (name: string) => number) =>
    Object.fromEntries(
      names.map((name) => [name, new Float64Array(T * D * B * width(name)).fill(NaN)]),
    );
  const gates = series(gateNames, () => H);
  const states = series(stateNames, (name) => (name === 'h' ? O : H));
  const units = Array.from({ length: H }, (_, j) => j);

  for (let d = 0; d < D; d++) {
    const count = config.activations.length / D;
    const act = (k: number, x: number): number => {
      const at = d * count + k;
      const {
        f,
        alpha = 0,
        beta = 0,
      }: Activation = ACTIVATIONS[config.activations[at] as keyof typeof ACTIVATIONS];
      const [a, b] = [config.alphas[at]!, config.betas[at]!];
      return f(x, Number.isNaN(a) ? alpha : a, Number.isNaN(b) ? beta : b);
    };
    const clipped = (x: number): number => (clip === 0 ? x : Math.max(-clip, Math.min(clip, x)));
    const dot = (m: ArrayLike<number>, row: number, v: Vector): number =>
      v.reduce((sum, value, k) => sum + m[row * v.length + k]! * value, 0);
    const row = (gate: string, j: number): number =>
      (d * G + (gateNames as readonly string[]).indexOf(gate)) * H + j;
    const wx = (gate: string, j: number, x: Vector): number =>
      dot(W!, row(gate, j), x) + (bias?.[row(gate, j) + d * G * H] ?? 0);
    const rb = (gate: string, j: number): number => bias?.[row(gate, j) + (d + 1) * G * H] ?? 0;
    const peep = (k: number, j: number, c: number): number => (P ? P[(d * 3 + k) * H + j]! * c : 0);

    for (let b = 0; b < B; b++) {
      const at = layout === 0 ? d * B + b : b * D + d;
      let h: Vector = Array.from({ length: O }, (_, j) => h0?.[at * O + j] ?? 0);
      let c: Vector = units.map((j) => c0?.[at * H + j] ?? 0);
      for (let s = 0; s < T; s++) {
        const t = direction === 'reverse' || d === 1 ? T - 1 - s : s;
        const place = layout === 0 ? t * B + b : b * T + t;
        const isLive = t < (config.lengths?.[b] ?? T) && mask?.[place] !== 0;
        const put = (values: Record<string, Vector>, into: Record<string, Float64Array>): void => {
          for (const [name, vector] of Object.entries(values))
            into[name]!.set(vector, ((t * D + d) * B + b) * vector.length);
        };
        if (isLive) {
          const x = Array.from({ length: I }, (_, k) => X![place * I + k]!);
          const sum = (gate: string, j: number): number =>
            wx(gate, j, x) + dot(R!, row(gate, j), h) + rb(gate, j);
          if (cell === 'rnn') {
            h = units.map((j) => act(0, clipped(sum('i', j))));
            put({ i: h }, gates);
          } else if (cell === 'gru') {
            const z = units.map((j) => act(0, clipped(sum('z', j))));
            const r = units.map((j) => act(0, clipped(sum('r', j))));
            const before = h;
            const rh = before.map((value, j) => r[j]! * value);
            const n = units.map((j) =>
              act(
                1,
                clipped(
                  resetAfter
                    ? wx('h', j, x) + r[j]! * (dot(R!, row('h', j), before) + rb('h', j))
                    : wx('h', j, x) + dot(R!, row('h', j), rh) + rb('h', j),
                ),
              ),
            );
            h = units.map((j) => (1 - z[j]!) * n[j]! + z[j]! * before[j]!);
            put({ z, r, h: n }, gates);
          } else {
            const i = units.map((j) => act(0, clipped(sum('i', j) + peep(0, j, c[j]!))));
            const f = units.map((j) =>
              coupled ? 1 - i[j]! : act(0, clipped(sum('f', j) + peep(2, j, c[j]!))),
            );
            const g = units.map((j) => act(1, clipped(sum('c', j))));
            c = units.map((j) => f[j]! * c[j]! + i[j]! * g[j]!);
            const o = units.map((j) => act(0, clipped(sum('o', j) + peep(1, j, c[j]!))));
            const m = units.map((j) => o[j]! * act(2, c[j]!));
            put({ i, f, o, c: g }, gates);
            h = projection ? Array.from({ length: O }, (_, k) => dot(projection, d * O + k, m)) : m;
          }
        }
        put(cell === 'lstm' ? { h, c } : { h }, states);
      }
    }
  }
  return { gates, states };
}

/** Shape of a series in a trace. */
export const seriesDims = ({ config }: RecurrentCase, width: number): number[] => [
  config.T,
  config.direction === 'bidirectional' ? 2 : 1,
  config.B,
  width,
];

/** Largest difference of a tensor from float64 numbers rounded to float32. */
export const maxDifference = ({ data }: Tensor, exact: Float64Array): number =>
  exact.reduce((max, x, i) => Math.max(max, Math.abs(Number(data[i]) - Math.fround(x))), 0);
