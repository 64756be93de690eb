// Recurrent layers with every option, as TF.js computes them.
import { beforeAll, describe, expect, it } from 'vitest';
import { randomOf, type Random } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { expectSame, randomize, tf, useTfjs, type Fed } from './tfjs-oracle.ts';

beforeAll(useTfjs);

const ACTIVATIONS = [
  'tanh',
  'relu',
  'sigmoid',
  'hardSigmoid',
  'elu',
  'selu',
  'softplus',
  'softsign',
  'linear',
  'relu6',
  'swish',
  'mish',
] as const;

interface RecurrentArgs {
  units: number;
  activation: (typeof ACTIVATIONS)[number];
  useBias: boolean;
  returnSequences: boolean;
  goBackwards: boolean;
}

const CELLS = ['simpleRNN', 'gru', 'lstm'] as const;
const CELL_LAYERS = { simpleRNN: 'simpleRNNCell', gru: 'gruCell', lstm: 'lstmCell' } as const;

function randomArgs(random: Random): RecurrentArgs {
  return {
    units: random.int(1, 5),
    // A state that grows from step to step would only measure rounding.
    activation: random.pick(random.chance(0.5) ? ['tanh', 'sigmoid', 'softsign'] : ACTIVATIONS),
    useBias: random.chance(0.7),
    returnSequences: random.chance(0.5),
    goBackwards: random.chance(0.3),
  };
}

/** TF.js cannot wrap RNN in Bidirectional, so `wrapped` layers have one cell of their own. */
function randomLayer(random: Random, args: RecurrentArgs, wrapped: boolean): tf.RNN {
  const kind = random.pick(CELLS);
  const gate = { recurrentActivation: random.pick(['sigmoid', 'hardSigmoid', 'tanh'] as const) };
  if (wrapped || random.chance(0.6))
    return tf.layers[kind]({ ...args, ...gate } as never) as tf.RNN;
  const cells = Array.from({ length: random.int(1, 3) }, () => {
    const cell = { ...args, ...gate, units: random.int(1, 5) };
    return tf.layers[CELL_LAYERS[random.pick(CELLS)]](cell as never);
  });
  const { returnSequences, goBackwards } = args;
  return tf.layers.rnn({
    cell: cells.length === 1 ? cells[0]! : cells,
    returnSequences,
    goBackwards,
  });
}

/** A sequence, some of whose steps hold nothing but `masked`. */
function sequence(random: Random, dims: readonly [number, number, number], masked?: number): Fed {
  const data = random.floats(dims[0] * dims[1] * dims[2]);
  if (masked !== undefined) {
    for (let step = 0; step < dims[0] * dims[1]; step++) {
      if (random.chance(0.4)) data.fill(masked, step * dims[2], (step + 1) * dims[2]);
    }
  }
  return { data, dims };
}

describe('random recurrent models compute as in TF.js', () => {
  it.for(Array.from({ length: 150 }, (_, i) => SEED * 1000 + i))('seed %i', async (seed) => {
    const random = randomOf(seed);
    const [batch, time, features] = [random.int(1, 3), random.int(1, 6), random.int(1, 4)] as const;
    const start = random.pick(['plain', 'plain', 'masking', 'embedding'] as const);
    const model = tf.sequential();
    const maskValue = random.pick([0, -1.5]);
    const free = random.chance(0.5);
    const steps = free ? null : time;
    if (start === 'embedding') {
      model.add(
        tf.layers.embedding({
          inputDim: 4,
          outputDim: features,
          maskZero: true,
          inputShape: [steps],
        }),
      );
    } else if (start === 'masking') {
      model.add(tf.layers.masking({ maskValue, inputShape: [steps, features] }));
    }
    const count = random.int(1, 2);
    for (let i = 0; i < count; i++) {
      const args = randomArgs(random);
      if (i < count - 1) args.returnSequences = true;
      const first = start === 'plain' && i === 0 ? { inputShape: [steps, features] } : {};
      const wrapped = random.chance(0.4);
      const layer = randomLayer(random, args, wrapped);
      const mergeMode = random.pick(['concat', 'sum', 'mul', 'ave'] as const);
      if (wrapped) model.add(tf.layers.bidirectional({ layer, mergeMode, ...first }));
      else {
        Object.assign(
          layer,
          'inputShape' in first ? { batchInputShape: [null, steps, features] } : {},
        );
        model.add(layer);
      }
    }
    if (random.chance(0.5)) model.add(tf.layers.dense({ units: 3, activation: 'softmax' }));
    randomize(model, random);
    const input =
      start === 'embedding'
        ? {
            data: Array.from({ length: batch * time }, () => random.int(0, 3)),
            dims: [batch, time],
          }
        : sequence(random, [batch, time, features], start === 'masking' ? maskValue : undefined);
    // Two layers of up to 5 units without a squashing function reach values of order ten.
    await expectSame(model, [input], { shards: random.int(1, 3), atol: 1e-5 });
  });
});

describe('states', () => {
  const random = randomOf(SEED);

  it.for(['simpleRNN', 'gru', 'lstm'] as const)('of %s come out and go in again', async (kind) => {
    const x = tf.input({ shape: [5, 3], name: 'x' });
    const encoder = tf.layers[kind]({ units: 4, returnState: true, name: 'encoder' });
    const [, ...states] = encoder.apply(x) as tf.SymbolicTensor[];
    const y = tf.input({ shape: [2, 3], name: 'y' });
    const decoder = tf.layers[kind]({ units: 4, returnSequences: true, name: 'decoder' });
    const decoded = decoder.apply([y, ...states] as tf.SymbolicTensor[]) as tf.SymbolicTensor;
    const model = tf.model({ inputs: [x, y], outputs: [decoded, ...states] });
    randomize(model, random);
    const graph = await expectSame(model, [
      sequence(random, [2, 5, 3]),
      sequence(random, [2, 2, 3]),
    ]);
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x', 'y']);
    const names = ['decoder', 'encoder', 'encoder_1'].slice(0, graph.outputs.length);
    expect(graph.outputs.map(({ name }) => name)).toEqual(names);
  });

  it.for(['concat', 'sum', 'mul', 'ave', null] as const)(
    'of both directions come out, joined by %s',
    async (mergeMode) => {
      const x = tf.input({ shape: [4, 3] });
      const layer = tf.layers.lstm({ units: 3, returnState: true, returnSequences: true });
      const wrapped = tf.layers.bidirectional({
        layer: layer as tf.RNN,
        mergeMode: mergeMode as never,
      });
      const outputs = wrapped.apply(x) as tf.SymbolicTensor[];
      const model = tf.model({ inputs: x, outputs });
      randomize(model, random);
      const graph = await expectSame(model, [sequence(random, [2, 4, 3])]);
      expect(graph.outputs).toHaveLength(mergeMode === null ? 6 : 5);
      expect(graph.nodes.filter(({ op }) => op === 'Recurrent')).toHaveLength(1);
    },
  );

  it('go into both directions', async () => {
    const x = tf.input({ shape: [4, 3] });
    const states = [0, 1, 2, 3].map((i) => tf.input({ shape: [3], name: `state${i}` }));
    const layer = tf.layers.lstm({ units: 3, returnSequences: true }) as tf.RNN;
    const wrapped = tf.layers.bidirectional({ layer, mergeMode: 'concat' });
    const y = wrapped.apply([x, ...states]) as tf.SymbolicTensor;
    const model = tf.model({ inputs: [x, ...states], outputs: y });
    randomize(model, random);
    const fed = states.map(() => ({ data: random.floats(6), dims: [2, 3] }));
    await expectSame(model, [sequence(random, [2, 4, 3]), ...fed]);
  });

  it('of stacked cells come out and go in, the last cell first', async () => {
    const cells = (): tf.RNN =>
      tf.layers.rnn({
        cell: [tf.layers.lstmCell({ units: 2 }), tf.layers.gruCell({ units: 3 })],
        returnState: true,
        returnSequences: true,
      });
    const x = tf.input({ shape: [4, 3] });
    const [, ...states] = cells().apply(x) as tf.SymbolicTensor[];
    const outputs = cells().apply([x, ...states] as tf.SymbolicTensor[]) as tf.SymbolicTensor[];
    const model = tf.model({ inputs: x, outputs });
    randomize(model, random);
    await expectSame(model, [sequence(random, [2, 4, 3])]);
  });

  it('are what a masked row shows before its first step that counts', async () => {
    for (const goBackwards of [false, true]) {
      const x = tf.input({ shape: [5, 3] });
      const h = tf.input({ shape: [4] });
      const masked = tf.layers.masking().apply(x) as tf.SymbolicTensor;
      const gru = tf.layers.gru({ units: 4, returnSequences: true, goBackwards });
      const model = tf.model({
        inputs: [x, h],
        outputs: gru.apply([masked, h]) as tf.SymbolicTensor,
      });
      randomize(model, random);
      const fed = sequence(random, [3, 5, 3], 0);
      (fed.data as Float32Array).fill(0, 0, 6).fill(0, 15, 30).fill(0, 36, 45);
      await expectSame(model, [fed, { data: random.floats(12), dims: [3, 4] }]);
    }
  });
});

describe('masks', () => {
  const random = randomOf(SEED + 1);

  it('linger in TF.js behind layers that drop them', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.embedding({ inputDim: 4, outputDim: 3, maskZero: true, inputShape: [6] }),
        tf.layers.lstm({ units: 3 }),
        tf.layers.repeatVector({ n: 6 }),
        tf.layers.lstm({ units: 3, returnSequences: true }),
      ],
    });
    randomize(model, random);
    await expectSame(model, [{ data: [1, 0, 2, 0, 0, 3, 0, 1, 2, 0, 3, 3], dims: [2, 6] }]);
  });

  it('of two branches reach a third one as TF.js orders them', async () => {
    const a = tf.input({ shape: [5], name: 'a' });
    const b = tf.input({ shape: [5, 2], name: 'b' });
    const embedded = tf.layers.embedding({ inputDim: 4, outputDim: 3, maskZero: true }).apply(a);
    const left = tf.layers.gru({ units: 3 }).apply(embedded) as tf.SymbolicTensor;
    const right = tf.layers.gru({ units: 3 }).apply(b) as tf.SymbolicTensor;
    for (const order of [
      [left, right],
      [right, left],
    ]) {
      const y = tf.layers.concatenate().apply(order) as tf.SymbolicTensor;
      const model = tf.model({ inputs: [a, b], outputs: y });
      randomize(model, random);
      const ids = { data: [1, 0, 2, 0, 0, 3, 0, 1, 2, 0], dims: [2, 5] };
      const graph = await expectSame(model, [ids, sequence(random, [2, 5, 2])]);
      const masked = graph.nodes.filter(({ op, inputs }) => op === 'Recurrent' && inputs[8]);
      expect(masked).toHaveLength(order[0] === left ? 1 : 2);
    }
  });

  it('join where masked sequences are concatenated', async () => {
    const a = tf.input({ shape: [5, 2] });
    const b = tf.input({ shape: [5, 2] });
    const masked = [a, b].map((x) => tf.layers.masking().apply(x) as tf.SymbolicTensor);
    const joined = tf.layers.concatenate().apply(masked) as tf.SymbolicTensor;
    const y = tf.layers
      .lstm({ units: 3, returnSequences: true })
      .apply(joined) as tf.SymbolicTensor;
    const model = tf.model({ inputs: [a, b], outputs: y });
    randomize(model, random);
    await expectSame(model, [sequence(random, [3, 5, 2], 0), sequence(random, [3, 5, 2], 0)]);
  });
});
