// Recurrent layers with every option, written as Keras 3 and as Keras 2 lay their files out, against
// the formulas of Keras in float64.
import { describe, expect, it } from 'vitest';
import { importKeras } from '../../src/import/keras/index.ts';
import { loadModel, tensor } from '../../src/node.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { randomOf, type Random } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { layer, MERGES, type Kind, type Result } from './keras-formulas.ts';
import { around, FORMATS, namesOf, randomCell } from './keras-models.ts';
import { randomSequences, writeModel } from './keras-models.ts';
import type { BothWeights, Format, ModelJson, RandomCell } from './keras-models.ts';

const KINDS: readonly Kind[] = ['SimpleRNN', 'GRU', 'LSTM'];
const SNAKE = { SimpleRNN: 'simple_rnn', GRU: 'gru', LSTM: 'lstm' } as const;

/** A model, its input, and what the formulas make of it. */
interface Case {
  readonly model: ModelJson;
  readonly weights: BothWeights;
  readonly x: readonly (readonly number[])[][];
  /** One array for each output, rows one after the other. */
  readonly expected: readonly number[][];
}

/** Both backends compute what the formulas say. */
async function expectCase(format: Format, { model, weights, x, expected }: Case): Promise<void> {
  const bytes = await writeModel(model, weights, format);
  const graph = await importKeras(bytes);
  const X = tensor(Float32Array.from(x.flat(2)), [x.length, x[0]!.length, x[0]![0]!.length]);
  const results = [...runReference(graph, { x: X }).values()];
  expect(results.map(({ data }) => data.length)).toEqual(expected.map((values) => values.length));
  // Weights are float32 in both; the formulas and the reference are float64.
  expected.forEach((values, i) => {
    expectClose(results[i]!.data, values, {
      atol: 1e-6,
      label: `output ${i}`,
      dims: results[i]!.dims,
    });
  });
}

/** What a layer gives: sequence or last output, then states. */
function outputsOf(rows: readonly Result[], sequences: boolean, states: boolean): number[][] {
  const first = rows.flatMap(({ sequence, last }) => (sequences ? sequence.flat() : last));
  if (!states) return [first];
  return [first, ...rows[0]!.states.map((_, k) => rows.flatMap((row) => row.states[k]!))];
}

const sizes = (random: Random): [number, number, number] => [
  random.int(1, 3),
  random.int(1, 7),
  random.int(1, 5),
];

function plainCase(
  random: Random,
  format: Format,
  kind: Kind,
  change: Parameters<typeof randomCell>[4] = {},
): Case {
  const dims = sizes(random);
  const masked = random.chance(0.5);
  const { x, mask } = randomSequences(random, dims, masked);
  const { cell, config, weights } = randomCell(random, kind, dims[2], format, change);
  const options = {
    return_sequences: random.chance(0.5),
    return_state: random.chance(0.5),
    go_backwards: random.chance(0.4),
    zero_output_for_mask: random.chance(0.4),
    stateful: random.chance(0.2),
    unroll: random.chance(0.2),
  };
  const rows = x.map((row, b) =>
    layer([cell], row, {
      goBackwards: options.go_backwards,
      zeroMasked: options.zero_output_for_mask,
      mask: mask?.[b],
    }),
  );
  const expected = outputsOf(rows, options.return_sequences, options.return_state);
  const main = { class_name: kind, name: 'layer_7', config: { ...config, ...options } };
  return {
    model: around(main, dims.slice(1), masked, expected.length),
    weights: {
      placed: { [`layers/${SNAKE[kind]}/cell`]: weights },
      named: { layer_7: namesOf(`layer_7/${SNAKE[kind]}_cell`, weights) },
    },
    x,
    expected,
  };
}

function bidirectionalCase(random: Random, format: Format, kind: Kind, mode: string | null): Case {
  const dims = sizes(random);
  const masked = random.chance(0.5);
  const { x, mask } = randomSequences(random, dims, masked);
  const sequences = random.chance(0.6);
  const states = random.chance(0.5);
  const forward = randomCell(random, kind, dims[2], format);
  const { units } = forward.cell;
  // Keras copies the layer for the way back, so all but the weights is the same.
  const fresh = randomCell(random, kind, dims[2], format, {
    units,
    resetAfter: forward.cell.resetAfter,
  });
  const { use_bias: useBias } = forward.config;
  const backward: RandomCell = {
    config: forward.config,
    weights: forward.weights.map(({ dims: shape }, i) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return fresh.weights[i] ?? { dims: shape, data: random.floats(size, 0.7) };
    }),
    cell: fresh.cell,
  };
  const [kernel, recurrent, bias] = backward.weights;
  const back = {
    ...forward.cell,
    kernel: kernel!.data,
    recurrent: recurrent!.data,
    bias: useBias ? bias!.data : undefined,
  };
  // Bidirectional sets this option of both layers to return_sequences.
  const options = { zeroMasked: sequences };
  const rows = x.map((row, b) => {
    const f = layer([forward.cell], row, { ...options, mask: mask?.[b] });
    const g = layer([back], row, { ...options, mask: mask?.[b], goBackwards: true });
    return { f, g: { ...g, sequence: g.sequence.toReversed() } };
  });
  const pick = ({ sequence, last }: Result): number[][] => (sequences ? sequence : [last]);
  const merge = mode === null ? undefined : MERGES[mode]!;
  const joined = merge
    ? [rows.flatMap(({ f, g }) => pick(f).flatMap((value, t) => merge(value, pick(g)[t]!)))]
    : [rows.flatMap(({ f }) => pick(f).flat()), rows.flatMap(({ g }) => pick(g).flat())];
  const ends = (['f', 'g'] as const).flatMap((direction) =>
    rows[0]![direction].states.map((_, k) => rows.flatMap((row) => row[direction].states[k]!)),
  );
  const expected = states ? [...joined, ...ends] : joined;
  const inner = {
    ...forward.config,
    name: 'rnn',
    return_sequences: sequences,
    return_state: states,
  };
  const main = {
    class_name: 'Bidirectional',
    name: 'both',
    config: { layer: { class_name: kind, config: inner }, merge_mode: mode },
  };
  return {
    model: around(main, dims.slice(1), masked, expected.length),
    weights: {
      placed: {
        'layers/bidirectional/forward_layer/cell': forward.weights,
        'layers/bidirectional/backward_layer/cell': backward.weights,
      },
      named: {
        both: {
          ...namesOf(`both/forward_rnn/${SNAKE[kind]}_cell`, forward.weights),
          ...namesOf(`both/backward_rnn/${SNAKE[kind]}_cell_1`, backward.weights),
        },
      },
    },
    x,
    expected,
  };
}

function stackedCase(random: Random, format: Format): Case {
  const dims = sizes(random);
  const masked = random.chance(0.5);
  const { x, mask } = randomSequences(random, dims, masked);
  const cells: RandomCell[] = [];
  for (let i = random.int(1, 3); i > 0; i--) {
    const inputs = cells.at(-1)?.cell.units ?? dims[2];
    cells.push(randomCell(random, random.pick(KINDS), inputs, format));
  }
  const options = {
    return_sequences: random.chance(0.5),
    return_state: random.chance(0.5),
    go_backwards: random.chance(0.4),
  };
  const rows = x.map((row, b) =>
    layer(
      cells.map(({ cell }) => cell),
      row,
      { goBackwards: options.go_backwards, mask: mask?.[b] },
    ),
  );
  const expected = outputsOf(rows, options.return_sequences, options.return_state);
  const json = cells.map(({ cell, config }, i) => ({
    class_name: `${cell.kind}Cell`,
    config: { ...config, name: `own_${i}` },
  }));
  const stack = { class_name: 'StackedRNNCells', config: { name: 'stack', cells: json } };
  const main = { class_name: 'RNN', name: 'rnn_3', config: { cell: stack, ...options } };
  const counts = new Map<string, number>();
  const places = cells.map(({ cell }) => {
    const name = `${SNAKE[cell.kind]}_cell`;
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return `layers/rnn/cell/cells/${count === 0 ? name : `${name}_${count}`}`;
  });
  return {
    model: around(main, dims.slice(1), masked, expected.length),
    weights: {
      placed: Object.fromEntries(cells.map(({ weights }, i) => [places[i]!, weights])),
      named: {
        rnn_3: Object.assign(
          {},
          ...cells.map(({ weights }, i) => namesOf(`rnn_3/stack/own_${i}`, weights) as object),
        ) as BothWeights['named'][string],
      },
    },
    x,
    expected,
  };
}

describe.each(FORMATS)('recurrent layers in %s files', (format) => {
  it.each(KINDS)('%s with 60 random options', async (kind) => {
    for (let seed = 0; seed < 60; seed++) {
      const random = randomOf(SEED * 1000 + seed);
      await expectCase(format, plainCase(random, format, kind));
    }
  });

  it('a GRU that leaves reset_after out has the default of its framework', async () => {
    const resetAfter = format === '.keras'; // Keras 3; files of Keras 2 without it are older than it
    for (let seed = 0; seed < 6; seed++) {
      const made = plainCase(randomOf(SEED * 1500 + seed), format, 'GRU', { resetAfter });
      const layers = made.model.layers.map((each) => {
        const { reset_after: _, ...config } = each.config;
        return { ...each, config };
      });
      await expectCase(format, { ...made, model: { ...made.model, layers } });
    }
  });

  it.each(['concat', 'sum', 'mul', 'ave', null])('Bidirectional, merge mode %s', async (mode) => {
    for (let seed = 0; seed < 24; seed++) {
      const random = randomOf(SEED * 2000 + seed);
      await expectCase(format, bidirectionalCase(random, format, KINDS[seed % 3]!, mode));
    }
  });

  it('RNN over stacks of cells', async () => {
    for (let seed = 0; seed < 40; seed++) {
      await expectCase(format, stackedCase(randomOf(SEED * 3000 + seed), format));
    }
  });

  it('initial states that another layer ends with', async () => {
    for (const kind of KINDS) {
      const random = randomOf(SEED + KINDS.indexOf(kind));
      const { x } = randomSequences(random, [2, 5, 3], false);
      const first = randomCell(random, kind, 3, format, { units: 4 });
      const second = randomCell(random, kind, 3, format, { units: 4 });
      const from = Array.from({ length: kind === 'LSTM' ? 3 : 2 }, (_, i) => ['a', i] as const);
      const model: ModelJson = {
        inputs: { x: [null, null, 3] },
        layers: [
          {
            class_name: kind,
            name: 'a',
            config: { ...first.config, return_state: true },
            from: ['x'],
          },
          { class_name: kind, name: 'b', config: second.config, from: ['x', ...from.slice(1)] },
        ],
        outputs: ['b'],
      };
      const rows = x.map((row) => {
        const { states } = layer([first.cell], row);
        return layer([second.cell], row, { initial: [states] });
      });
      const weights: BothWeights = {
        placed: {
          [`layers/${SNAKE[kind]}/cell`]: first.weights,
          [`layers/${SNAKE[kind]}_1/cell`]: second.weights,
        },
        named: { a: namesOf('a', first.weights), b: namesOf('b', second.weights) },
      };
      await expectCase(format, { model, weights, x, expected: outputsOf(rows, false, false) });
    }
  });
});

describe('on WebGPU', () => {
  it.each(FORMATS)('a layer of each kind from a %s file gives the same numbers', async (format) => {
    const device = await (await getAdapter()).requestDevice();
    for (const kind of KINDS) {
      const { model, weights, x, expected } = bidirectionalCase(
        randomOf(SEED + 5),
        format,
        kind,
        'concat',
      );
      using loaded = await loadModel(await writeModel(model, weights, format), { device });
      const X = tensor(Float32Array.from(x.flat(2)), [x.length, x[0]!.length, x[0]![0]!.length]);
      const results = Object.values(await loaded.run({ x: X }));
      expect(results).toHaveLength(expected.length);
      results.forEach(({ data, dims }, i) => {
        // A dozen products of numbers below one for each gate: 1e-5 is a hundred roundings.
        expectClose(data as Float32Array, expected[i]!, {
          atol: 1e-5,
          label: `${kind} output ${i}`,
          dims,
        });
      });
    }
    device.destroy();
  });
});
