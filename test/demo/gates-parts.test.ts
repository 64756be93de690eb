// The parts of the page of the gates that need no browser.
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { equationsOf, flowOf, LANES, valuesOf } from '../../demo/gates/equations.ts';
import { gradientNorms } from '../../demo/gates/gradient.ts';
import { type Episode, type RecurrentWeights, UNITS } from '../../demo/gates/networks.ts';
import {
  CELLS,
  type CellName,
  cueOf,
  depthsOf,
  encodeText,
  FILLERS,
  recallText,
  UnknownCharacter,
} from '../../demo/gates/tasks.ts';
import { LANGUAGES } from '../../demo/gates/words.ts';
import { functional, gru, input, loadModel, lstm, rnn, tensor } from '../../src/index.ts';
import { randomOf } from '../support/random.ts';

const FEATURES = 3;
const STEPS = 7;
const BUILDERS = { rnn, gru, lstm };
const STATES = { rnn: ['h'], gru: ['h'], lstm: ['h', 'c'] } as const;

/** A layer with random weights, an episode of it, and its last state from any state and step on. */
async function randomLayer(cell: CellName) {
  const random = randomOf(11);
  const rows = { rnn: 1, gru: 3, lstm: 4 }[cell] * UNITS;
  const weight = (...dims: [number] | [number, number]) =>
    tensor(random.floats(dims[0] * (dims[1] ?? 1), 0.8), dims);
  const [W, R, b, b2] = [weight(rows, FEATURES), weight(rows, UNITS), weight(rows), weight(rows)];
  const layer = BUILDERS[cell]({ order: 'pytorch', W, R, B: [b, b2] });
  const x = input('x', ['batch', 'time', FEATURES]);
  const names: readonly string[] = STATES[cell];
  const initialState = names.map((name) => input(name, ['batch', UNITS]));
  const { y, states } = layer.withStates(x, { initialState });
  const last = Object.fromEntries(names.map((name, k) => [`last_${name}`, states[k]!]));
  const graph = functional({ inputs: [x, ...initialState], outputs: { y, ...last } });
  const model = await loadModel(graph, { device: 'reference' });
  const values = random.floats(STEPS * FEATURES, 1.5);
  const feedsOf = (from: number, state: Float32Array) => ({
    x: tensor(values.slice(from * FEATURES), [1, STEPS - from, FEATURES]),
    ...Object.fromEntries(
      names.map((name, k) => [name, tensor(state.slice(k * UNITS, (k + 1) * UNITS), [1, UNITS])]),
    ),
  });
  const node = `${cell}_0`;
  const start = new Float32Array(names.length * UNITS);
  const { trace } = await model.run(feedsOf(0, start), { trace: [node] });
  const plain = (tensors: Readonly<Record<string, { data: Float32Array }>>) =>
    Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));
  const { gates, inputs, products, states: traced, deviation } = trace[node]!;
  const episode: Episode = {
    cell,
    steps: STEPS,
    gates: plain(gates),
    inputs: plain(inputs),
    products: plain(products),
    states: plain(traced),
    answers: new Float32Array(),
    deviation,
  };
  const weights: RecurrentWeights = { R: R.data, candidateBias: b2.data.subarray(2 * UNITS) };
  /** (h, c) after the last step, when it is `state` before step `from`. */
  const lastFrom = async (from: number, state: Float32Array): Promise<number[]> => {
    const results = await model.run(feedsOf(from, state));
    return names.flatMap((name) => [...(results[`last_${name}`]!.data as Float32Array)]);
  };
  /** (h, c) after a step. */
  const stateAfter = (step: number): Float32Array =>
    Float32Array.from(
      names.flatMap((name) => [...traced[name]!.data.subarray(step * UNITS, (step + 1) * UNITS)]),
    );
  return { episode, weights, lastFrom, stateAfter };
}

describe.each(CELLS)('%s', (cell) => {
  test('norms of gradients are those of finite differences', async () => {
    const { episode, weights, lastFrom, stateAfter } = await randomLayer(cell);
    const norms = gradientNorms(episode, weights);
    expect(norms[STEPS - 1]).toBeCloseTo(1, 12);
    const h = 1 / 128;
    for (const step of [0, 3, STEPS - 2]) {
      const state = stateAfter(step);
      let sum = 0;
      for (let k = 0; k < state.length; k++) {
        const [more, less] = [state.slice(), state.slice()];
        more[k]! += h;
        less[k]! -= h;
        const [above, below] = [await lastFrom(step + 1, more), await lastFrom(step + 1, less)];
        for (let j = 0; j < above.length; j++) sum += ((above[j]! - below[j]!) / (2 * h)) ** 2;
      }
      const expected = Math.sqrt(sum / state.length);
      expect(Math.abs(norms[step]! - expected)).toBeLessThan(1e-3 * expected + 1e-6);
    }
  });

  test('the numbers of each equation come to its value', async () => {
    const { episode, weights } = await randomLayer(cell);
    for (const [step, unit] of [
      [0, 0],
      [3, 5],
      [STEPS - 1, UNITS - 1],
    ] as const) {
      // prettier-ignore
      const equations = equationsOf(episode, weights, step, unit);
      expect(equations.map(({ symbol }) => symbol).toSorted()).toEqual(
        LANES[cell].map(({ symbol }) => symbol).toSorted(),
      );
      for (const { numbers, value, symbol } of equations) {
        expect(Math.abs(evaluate(numbers) - value), `${symbol} = ${numbers}`).toBeLessThan(0.03);
        const lane = LANES[cell].find((one) => one.symbol === symbol)!;
        expect(value).toBe(valuesOf(episode, lane)[step * UNITS + unit]);
      }
    }
  });
});

/** The value of a line such as `σ(1.20 − 0.30)`, whose numbers are rounded to 2 digits. */
function evaluate(numbers: string): number {
  const code = numbers.replaceAll('− −', '+ ').replaceAll('−', '-').replaceAll('·', '*');
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  return runInNewContext(code.replaceAll('σ(', 'sigmoid('), { sigmoid, tanh: Math.tanh }) as number;
}

test('what is kept and written are means over the units', async () => {
  const { episode } = await randomLayer('gru');
  const z = episode.gates['z']!.subarray(2 * UNITS, 3 * UNITS);
  const { kept, written, shown } = flowOf(episode, 2);
  expect(kept).toBeCloseTo(z.reduce((sum, value) => sum + value, 0) / UNITS, 12);
  expect(kept! + written!).toBeCloseTo(1, 12);
  expect(shown).toBeUndefined();
});

describe('tasks', () => {
  test('texts become one-hot rows', () => {
    const { values, features, labels } = encodeText('count', '(x)');
    expect([features, labels]).toEqual([3, ['(', 'x', ')']]);
    expect([...values]).toEqual([1, 0, 0, 0, 0, 1, 0, 1, 0]);
  });

  test('a character that was never learned is named', () => {
    const encode = () => encodeText('recall', 'aQ?');
    expect(encode).toThrow(UnknownCharacter);
    expect(encode).toThrow(/got Q, expected one of abcduvwxyz\?/);
  });

  test('a text to recall asks for its cue', () => {
    const text = recallText('c', 50);
    expect(text).toMatch(new RegExp(`^c[${FILLERS}]{50}\\?$`));
    expect(new Set(text).size).toBeGreaterThan(5);
    expect(cueOf(text)).toBe('c');
    expect(cueOf('uvw?')).toBeUndefined();
  });

  test('depths count what is open', () => {
    expect(depthsOf('(x(x))x)(')).toEqual([1, 1, 2, 2, 1, 0, 0, 0, 1]);
  });
});

test('Chinese says what English says, with the same names to fill in', () => {
  const names = (words: string) => [...words.matchAll(/\{\w+\}/g)].map(([name]) => name).toSorted();
  for (const [key, words] of Object.entries(LANGUAGES.en)) {
    const chinese = LANGUAGES['zh-Hans'][key as keyof typeof LANGUAGES.en];
    expect(chinese, key).toMatch(/[\u4e00-\u9fff]/);
    expect(names(chinese), key).toEqual(names(words));
  }
});
