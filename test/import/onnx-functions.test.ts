// LinearAttention and CausalConvWithState of opset 27, against their formulas written out in float64.
import { describe, expect, it } from 'vitest';
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { BACKENDS, loadOn, runOn } from '../support/onnx-backends.ts';
import { float, node } from '../support/onnx-parts.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

const random = randomOf(SEED);
const numbers = (...dims: number[]): Tensor => tensor(random.floats(sizeOf(dims), 0.7), dims);
const [B, HEADS, KEYS, VALUES] = [2, 2, 3, 4];

interface Case {
  readonly rule: string;
  readonly group: number;
  /** Numbers of the decay for each head. */
  readonly decays?: number;
  readonly betas?: number;
  readonly scale?: number;
  readonly past?: boolean;
}

const feedsOf = ({ group, decays, betas, past }: Case, steps: number): Record<string, Tensor> => ({
  q: numbers(B, steps, HEADS * group * KEYS),
  k: numbers(B, steps, HEADS * KEYS),
  v: numbers(B, steps, HEADS * VALUES),
  ...(past && { past: numbers(B, HEADS, KEYS, VALUES) }),
  ...(decays && { decay: numbers(B, steps, HEADS * decays) }),
  ...(betas && { beta: numbers(B, steps, betas) }),
});

const fileOf = (example: Case): Uint8Array => {
  const { rule, group, decays, betas, scale, past } = example;
  const inputs = ['q', 'k', 'v', past ? 'past' : '', decays ? 'decay' : '', betas ? 'beta' : ''];
  const attributes = {
    update_rule: rule,
    q_num_heads: HEADS * group,
    kv_num_heads: HEADS,
    ...(scale && { scale: { float: scale } }),
  };
  const graph = {
    nodes: [node('LinearAttention', inputs, ['y', 'present'], attributes)],
    inputs: Object.entries(feedsOf(example, 1)).map(([name, { dims }]) =>
      name === 'past' ? float(name, ...dims) : float(name, B, 'T', dims[2]!),
    ),
    outputs: [float('y', B, 'T', HEADS * group * VALUES), float('present', B, HEADS, KEYS, VALUES)],
  };
  return writeOnnx(graph, { opset: 27 });
};

/** S = exp(g)·S + β·k ⊗ (v - exp(g)·Sᵀ·k), o = scale·Sᵀ·q, number by number. */
function formula(
  { group, decays = 0, betas = 0, scale = 1 / Math.sqrt(KEYS) }: Case,
  { q, k, v, past, decay, beta }: Readonly<Record<string, Tensor>>,
  steps: number,
) {
  const at = (x: Tensor | undefined, i: number): number => Number(x!.data[i]);
  const state = Array.from({ length: B * HEADS * KEYS * VALUES }, (_, i) =>
    past ? at(past, i) : 0,
  );
  const y: number[] = Array.from({ length: B * steps * HEADS * group * VALUES }, () => 0);
  for (let row = 0; row < B * steps; row++) {
    for (let h = 0; h < HEADS; h++) {
      const b = Math.floor(row / steps);
      const cell = (i: number, j: number): number => ((b * HEADS + h) * KEYS + i) * VALUES + j;
      const key = (i: number): number => at(k, (row * HEADS + h) * KEYS + i);
      for (let j = 0; j < VALUES; j++) {
        for (let i = 0; i < KEYS; i++) {
          if (decays)
            state[cell(i, j)]! *= Math.exp(at(decay, (row * HEADS + h) * decays + (i % decays)));
        }
        let written = at(v, (row * HEADS + h) * VALUES + j);
        if (betas) {
          for (let i = 0; i < KEYS; i++) written -= state[cell(i, j)]! * key(i);
          written *= at(beta, row * betas + (h % betas));
        }
        for (let i = 0; i < KEYS; i++) state[cell(i, j)]! += key(i) * written;
        for (let g = 0; g < group; g++) {
          const head = (row * HEADS + h) * group + g;
          for (let i = 0; i < KEYS; i++)
            y[head * VALUES + j]! += scale * at(q, head * KEYS + i) * state[cell(i, j)]!;
        }
      }
    }
  }
  return { y, present: state };
}

const CASES: readonly Case[] = [
  { rule: 'linear', group: 1 },
  { rule: 'gated', group: 2, decays: 1, past: true },
  { rule: 'delta', group: 1, betas: 1, scale: 0.5 },
  { rule: 'gated_delta', group: 2, decays: KEYS, betas: HEADS, past: true },
];

describe('LinearAttention', () => {
  it.each(CASES)('of rule $rule, with $group queries for each head', async (example) => {
    for (const steps of [3, 20]) {
      const feeds = feedsOf(example, steps);
      const expected = formula(example, feeds, steps);
      for (const device of BACKENDS) {
        const { y, present } = await runOn(device, fileOf(example), feeds);
        expectClose(y!.data as Float32Array, expected.y, { label: `${device} y`, rtol: 1e-5 });
        expectClose(present!.data as Float32Array, expected.present, { label: device, rtol: 1e-5 });
      }
    }
  });

  it('streams with its state', async () => {
    const example = CASES[2]!;
    const feeds = feedsOf(example, 6);
    const { y } = await runOn('reference', fileOf(example), feeds);
    const model = await loadOn('wasm', fileOf(example));
    const stream = model.stream();
    for (let t = 0; t < 6; t += 2) {
      const part = Object.entries(feeds).map(([name, { data, dims }]) => {
        const width = dims[2]!;
        const rows = [0, 1]
          .map((b) =>
            Array.from(
              (data as Float32Array).subarray((b * 6 + t) * width, (b * 6 + t + 2) * width),
            ),
          )
          .flat();
        return [name, tensor(rows, [B, 2, width])];
      });
      const got = stream.stepSync(Object.fromEntries(part) as Record<string, Tensor>);
      const width = HEADS * VALUES;
      const want = [0, 1]
        .map((b) =>
          Array.from(
            (y!.data as Float32Array).subarray((b * 6 + t) * width, (b * 6 + t + 2) * width),
          ),
        )
        .flat();
      expectClose(got['y']!.data as Float32Array, want);
    }
    model.dispose();
  });

  it.each([
    [{ rule: 'gated', group: 1 }, /rule gated and its decay do not fit/],
    [{ rule: 'linear', group: 1, betas: 1 }, /rule linear and its beta do not fit/],
    [
      { rule: 'forget', group: 1 },
      /updates by 'forget', expected linear, gated, delta, gated_delta/,
    ],
    [
      { rule: 'linear', group: 0.5 },
      /needs numbers of heads, got q_num_heads 1 and kv_num_heads 2/,
    ],
  ])('refuses %j', async (example, message) => {
    await expect(loadOn('wasm', fileOf(example))).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      path: 'graph.nodes[0]',
      message: expect.stringMatching(message),
    });
  });
});

describe('CausalConvWithState', () => {
  const [C, T] = [3, 5];

  it.each([
    [3, 'none', false],
    [4, 'silu', true],
    [1, 'swish', false],
  ] as const)('of width %d, activation %s, a state: %s', async (width, activation, past) => {
    const weight = numbers(C, 1, width);
    const bias = numbers(C);
    const inputs = ['x', 'weight', past ? 'bias' : '', past ? 'past' : ''];
    const file = writeOnnx(
      {
        nodes: [node('CausalConvWithState', inputs, ['y', 'present'], { activation })],
        inputs: [float('x', B, C, 'T'), ...(past ? [float('past', B, C, width - 1)] : [])],
        outputs: [float('y', B, C, 'T'), float('present', B, C, width - 1)],
        initializers: { weight, bias },
      },
      { opset: 27 },
    );
    const feeds = { x: numbers(B, C, T), ...(past && { past: numbers(B, C, width - 1) }) };
    const frame = (row: number, t: number): number =>
      t >= 0
        ? Number(feeds.x.data[row * T + t])
        : Number('past' in feeds ? feeds.past!.data[(row + 1) * (width - 1) + t] : 0);
    const y = Array.from({ length: B * C * T }, (_, i) => {
      const [row, t] = [Math.floor(i / T), i % T];
      let sum = past ? Number(bias.data[row % C]) : 0;
      for (let n = 0; n < width; n++) {
        sum += Number(weight.data[(row % C) * width + n]) * frame(row, t + n - width + 1);
      }
      return activation === 'none' ? sum : sum / (1 + Math.exp(-sum));
    });
    const present = Array.from({ length: B * C * (width - 1) }, (_, i) =>
      frame(Math.floor(i / (width - 1)), T - width + 1 + (i % (width - 1))),
    );
    for (const device of BACKENDS) {
      const got = await runOn(device, file, feeds);
      expectClose(got['y']!.data as Float32Array, y, { label: device });
      expectClose(got['present']!.data as Float32Array, present, { label: device });
    }
  });

  it('refuses weights that are no constants', async () => {
    const file = writeOnnx(
      {
        nodes: [node('CausalConvWithState', ['x', 'weight'], ['y'])],
        inputs: [float('x', B, C, 'T'), float('weight', C, 1, 2)],
        outputs: [float('y', B, C, 'T')],
      },
      { opset: 27 },
    );
    await expect(loadOn('wasm', file)).rejects.toThrow(
      /needs constant weights \[C, 1, k\], got others/,
    );
  });
});
