// Models that the Python converter makes of Keras ones: they compute as Keras, which differs from
// TF.js in masks and in the hard sigmoid, and they name weights in other ways.
import { describe, expect, it } from 'vitest';
import { importTfjs } from '../../src/import/tfjs/index.ts';
import type { HostValue } from '../../src/ops/index.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { hasSharedData, needsSharedData, sharedJson } from '../support/shared-data.ts';
import { CarriedState } from './tfjs-carried-state.ts';
import {
  filesOf,
  layer,
  randomWeight,
  writeModel,
  type HandMade,
  type WeightJson,
} from './tfjs-files.ts';
import { reference, type Fed } from './tfjs-oracle.ts';

const random = randomOf(SEED);
const run = (model: HandMade, ...inputs: Fed[]): HostValue[] =>
  reference(importTfjs(filesOf(writeModel(model))), inputs);
const numbers = (...dims: number[]): Fed => ({
  data: random.floats(dims.reduce((a, b) => a * b, 1)),
  dims,
});

const units = (count: number): number[] => [...Array(count).keys()];

/** kernel, recurrent_kernel and bias of a layer. */
const weightsOf = (scope: string, inputs: number, hidden: number, gates: number): WeightJson[] => [
  { name: `${scope}/kernel`, shape: [inputs, gates * hidden] },
  { name: `${scope}/recurrent_kernel`, shape: [hidden, gates * hidden] },
  { name: `${scope}/bias`, shape: [gates * hidden] },
];
const sequence = { batch_input_shape: [null, 4, 3], units: 2 };
const masking = layer('Masking', {
  batch_input_shape: [null, 4, 3],
  name: 'masking',
  mask_value: 0,
});
/** The first step of the first row and the last of the second are masked. */
const gappy = (): Fed => {
  const { data, dims } = numbers(2, 4, 3);
  return { data: (data as Float32Array).fill(0, 0, 3).fill(0, 21, 24), dims };
};

interface Case {
  name: string;
  op: string;
  attrs: Record<string, unknown>;
  input: { data: number[]; shape: number[] };
  weights: { data: number[]; shape: number[] }[];
  expected: { data: number[]; shape: number[] };
}

describe('layers of Keras 2', needsSharedData, () => {
  const cases = hasSharedData ? sharedJson<Case[]>('keras2/cases.json') : [];
  it.for(cases.map((one) => [one.name, one] as const))(
    '%s',
    ([, { op, attrs, input, weights, expected }]) => {
      const names = ['kernel', 'recurrent_kernel', 'bias'];
      const bidirectional = op === 'Bidirectional';
      const config = { ...attrs, name: 'x', batch_input_shape: [null, ...input.shape] };
      const half = bidirectional ? weights.length / 2 : weights.length;
      const model: HandMade = {
        version: '2.1.2',
        layers: [layer(op, config)],
        weights: weights.map(({ shape, data }, i) => {
          const scope = bidirectional ? (i < half ? 'x/forward_x' : 'x/backward_x') : 'x';
          return { name: `${scope}/${names[i % half]}`, shape, data };
        }),
      };
      if (attrs['stateful'] === true) {
        // Keras was asked twice; the state went from the first call to the second.
        const carried = new CarriedState(importTfjs(filesOf(writeModel(model))), 1);
        const call = (): Float64Array =>
          carried.run(Float32Array.from(input.data), [1, ...input.shape]);
        const first = call();
        const second = call();
        expect(first).not.toEqual(second);
        expectClose(second, expected.data);
        return;
      }
      const [y] = run(model, { data: input.data, dims: [1, ...input.shape] });
      expect(y!.dims).toEqual([1, ...expected.shape]);
      expectClose(y!.data, expected.data, { dims: y!.dims });
    },
  );
});

describe('the meaning of a config follows the version of Keras', () => {
  it.for([
    ['tfjs-layers 4.22.0', 0.2],
    ['2.15.0', 0.2],
    ['3.4.1', 1 / 6],
  ] as const)('%s: hard sigmoid of slope %f', ([version, slope]) => {
    const config = { batch_input_shape: [null, 3], activation: 'hard_sigmoid', name: 'a' };
    const [y] = run(
      { version, layers: [layer('Activation', config)], weights: [] },
      {
        data: [-1, 0.5, 9],
        dims: [1, 3],
      },
    );
    expectClose(y!.data, [0.5 - slope, 0.5 + 0.5 * slope, 1]);
  });

  it.for([
    ['tfjs-layers 4.22.0', 'repeats'],
    ['2.15.0', 'zeroes'],
    ['3.4.1', 'zeroes'],
  ] as const)('%s: Bidirectional %s masked steps', ([version, what]) => {
    const inner = layer('GRU', { units: 2, return_sequences: true, reset_after: false, name: 'g' });
    const config = { layer: inner, merge_mode: 'concat', name: 'b' };
    const weights = ['b/forward_g', 'b/backward_g'].flatMap((scope) => weightsOf(scope, 3, 2, 3));
    const [y] = run(
      { version, layers: [masking, layer('Bidirectional', config)], weights },
      gappy(),
    );
    const step = (b: number, t: number): number[] =>
      Array.from(y!.data.slice((b * 4 + t) * 4, (b * 4 + t + 1) * 4));
    // Nothing comes before the first step forwards, and before the last one backwards.
    const repeats = what === 'repeats';
    expect(step(0, 0)).toEqual([0, 0, ...(repeats ? step(0, 1).slice(2) : [0, 0])]);
    expect(step(1, 3)).toEqual([...(repeats ? step(1, 2).slice(0, 2) : [0, 0]), 0, 0]);
  });

  it.for([
    ['tfjs-layers 4.22.0', false],
    ['2.15.0', true],
  ] as const)('%s: a mean over time leaves masked steps out: %s', ([version, leaves]) => {
    const input = gappy();
    const layers = [masking, layer('GlobalAveragePooling1D', { name: 'mean' })];
    const [y] = run({ version, layers, weights: [] }, input);
    const want = [0, 1].flatMap((b) =>
      [0, 1, 2].map((f) => {
        const column = [0, 1, 2, 3].map((t) => input.data[(b * 4 + t) * 3 + f]!);
        return column.reduce((sum, x) => sum + x, 0) / (leaves ? 3 : 4);
      }),
    );
    expectClose(y!.data, want);
  });

  it.for([
    ['tfjs-layers 4.22.0', 1],
    ['3.4.1', 0],
  ] as const)(
    '%s: before a first step that counts stands the initial state × %i',
    ([version, factor]) => {
      const functional = (className: string, name: string, inbound: unknown[], options = {}) => ({
        ...layer(className, { ...options, name }),
        name,
        inbound_nodes: inbound,
      });
      const inputs = [
        functional('InputLayer', 'x', [], { batch_input_shape: [null, 4, 3] }),
        functional('InputLayer', 'h', [], { batch_input_shape: [null, 2] }),
        functional('Masking', 'm', [[['x', 0, 0, {}]]]),
      ];
      const x = gappy();
      (x.data as Float32Array).fill(0, 12); // all of the second row is masked
      const h = { data: [1, 2, 3, 4], dims: [2, 2] };
      const call = [
        [
          ['m', 0, 0, {}],
          ['h', 0, 0, {}],
        ],
      ];
      for (const sequences of [true, false]) {
        const options = { units: 2, return_sequences: sequences, return_state: true };
        const [y, end] = run(
          {
            version,
            layers: [...inputs, functional('SimpleRNN', 'r', call, options)],
            weights: weightsOf('r', 3, 2, 1),
            ends: {
              input_layers: [
                ['x', 0, 0],
                ['h', 0, 0],
              ],
              output_layers: [
                ['r', 0, 0],
                ['r', 0, 1],
              ],
            },
          },
          x,
          h,
        );
        if (sequences) expect(Array.from(y!.data.slice(0, 2))).toEqual([factor, 2 * factor]);
        expect(Array.from(y!.data.slice(-2))).toEqual([3 * factor, 4 * factor]);
        expect(Array.from(end!.data.slice(-2))).toEqual([3, 4]);
      }
    },
  );

  it('Keras: Softmax goes over the last axis where the config names none', () => {
    const config = { batch_input_shape: [null, 2, 3], name: 's' };
    const [y] = run({ layers: [layer('Softmax', config)], weights: [] }, numbers(1, 2, 3));
    expectClose(
      [0, 3].map((at) => y!.data.slice(at, at + 3).reduce((a, b) => a + b, 0)),
      [1, 1],
    );
  });

  it.for([
    ['2.1.2', [6]],
    ['3.4.1', [2, 6]],
  ] as const)('%s: a GRU that does not say has biases of shape %j', ([version, shape]) => {
    const config = { ...sequence, name: 'g' };
    const [kernel, recurrent] = weightsOf('g', 3, 2, 3) as [WeightJson, WeightJson];
    const weights = [kernel, recurrent, { name: 'g/bias', shape }];
    const [y] = run({ version, layers: [layer('GRU', config)], weights }, numbers(2, 4, 3));
    expect(y!.dims).toEqual([2, 2]);
  });

  it.for([
    ['2.15.0', Math.min],
    ['3.4.1', Math.max],
  ] as const)('%s: Add joins the masks of its inputs', ([version, join]) => {
    const functional = (className: string, name: string, inbound: unknown[], options = {}) => ({
      ...layer(className, { ...options, name }),
      name,
      inbound_nodes: inbound,
    });
    const from = (...names: string[]) => [names.map((name) => [name, 0, 0, {}])];
    const ends = (...inputs: string[]) => ({
      input_layers: inputs.map((name) => [name, 0, 0]),
      output_layers: [['r', 0, 0]],
    });
    const inputs = ['x', 'y'].map((name) =>
      functional('InputLayer', name, [], { batch_input_shape: [null, 4, 3] }),
    );
    const options = { units: 2, return_sequences: true };
    const weights = weightsOf('r', 3, 2, 1);
    const masked: HandMade = {
      version,
      layers: [
        ...inputs,
        functional('Masking', 'mx', from('x')),
        functional('Masking', 'my', from('y')),
        functional('Add', 'a', from('mx', 'my')),
        functional('SimpleRNN', 'r', from('a'), options),
      ],
      weights,
      ends: ends('x', 'y'),
    };
    const given: HandMade = {
      version,
      layers: [
        ...inputs,
        functional('InputLayer', 'm', [], { batch_input_shape: [null, 4], dtype: 'bool' }),
        functional('Add', 'a', from('x', 'y')),
        functional('SimpleRNN', 'r', [[['a', 0, 0, { mask: ['m', 0, 0] }]]], options),
      ],
      weights,
      ends: ends('x', 'y', 'm'),
    };
    const [x, y] = [gappy(), gappy()];
    (y.data as Float32Array).fill(0, 3, 6); // the second step of the first row is masked in y alone
    const counts = ({ data }: Fed): number[] =>
      units(8).map((step) => Number(units(3).some((f) => data[step * 3 + f] !== 0)));
    const [mx, my] = [counts(x), counts(y)];
    const mask = { data: mx.map((one, i) => join(one, my[i]!)), dims: [2, 4] };
    expect(mask.data[1]).toBe(join(1, 0));
    expectClose(run(masked, x, y)[0]!.data, run(given, x, y, mask)[0]!.data, { atol: 1e-12 });
  });

  it('zero_output_for_mask zeroes the sequence, and the last output of a row that ends masked', () => {
    for (const sequences of [true, false]) {
      const config = {
        units: 2,
        zero_output_for_mask: true,
        return_sequences: sequences,
        name: 'r',
      };
      const weights = weightsOf('r', 3, 2, 1);
      const [y] = run({ layers: [masking, layer('SimpleRNN', config)], weights }, gappy());
      expect(Array.from(y!.data.slice(-2))).toEqual([0, 0]);
      expect(y!.data.slice(0, 2).every((value) => value === 0)).toBe(sequences);
    }
  });
});

describe('options that TF.js lacks', () => {
  it('reset_after: two biases, and the reset gate behind the product', () => {
    const weights: WeightJson[] = [
      { name: 'g/kernel', shape: [1, 3], data: [0.5, -0.5, 0.25] },
      { name: 'g/recurrent_kernel', shape: [1, 3], data: [0.3, 0.2, -0.4] },
      { name: 'g/bias', shape: [2, 3], data: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] },
    ];
    const config = {
      units: 1,
      reset_after: true,
      return_sequences: true,
      name: 'g',
      batch_input_shape: [null, 2, 1],
    };
    const [y] = run(
      { layers: [layer('GRU', config)], weights },
      { data: [1, -2], dims: [1, 2, 1] },
    );
    const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
    let h = 0;
    const want = [1, -2].map((x) => {
      const z = sigmoid(0.5 * x + 0.1 + 0.3 * h + 0.4);
      const r = sigmoid(-0.5 * x + 0.2 + 0.2 * h + 0.5);
      const n = Math.tanh(0.25 * x + 0.3 + r * (-0.4 * h + 0.6));
      h = z * h + (1 - z) * n;
      return h;
    });
    expectClose(y!.data, want, { atol: 1e-6 });
  });

  it('conv1d causal sees nothing of the future', () => {
    const config = {
      filters: 1,
      kernel_size: [2],
      dilation_rate: [2],
      padding: 'causal',
      name: 'c',
      batch_input_shape: [null, 5, 1],
    };
    const weights = [
      { name: 'c/kernel', shape: [2, 1, 1], data: [10, 1] },
      { name: 'c/bias', shape: [1], data: [0.5] },
    ];
    const [y] = run(
      { layers: [layer('Conv1D', config)], weights },
      { data: [1, 2, 3, 4, 5], dims: [1, 5, 1] },
    );
    expectClose(y!.data, [1.5, 2.5, 13.5, 24.5, 35.5]);
  });

  it('batch normalisation over time', () => {
    const weights = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name, i) => ({
      name: `n/${name}`,
      shape: [2],
      data: [i + 1, i + 2],
    }));
    const config = { axis: [1], epsilon: 0.5, name: 'n', batch_input_shape: [null, 2, 3] };
    const input = numbers(1, 2, 3);
    const [y] = run({ layers: [layer('BatchNormalization', config)], weights }, input);
    const want = Array.from(input.data, (x, i) => {
      const t = Math.floor(i / 3);
      return ((x - (3 + t)) / Math.sqrt(4 + t + 0.5)) * (1 + t) + 2 + t;
    });
    expectClose(y!.data, want);
  });

  // TF.js on its CPU takes the statistics of the last axis, whatever `axis` says.
  it('batch normalisation of an image with its channels first', () => {
    const weights = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name, i) => ({
      name: `n/${name}`,
      shape: [2],
      data: [i + 1, i + 2],
    }));
    const config = { axis: 1, epsilon: 0.5, name: 'n', batch_input_shape: [null, 2, 3, 2] };
    const input = numbers(1, 2, 3, 2);
    const [y] = run({ layers: [layer('BatchNormalization', config)], weights }, input);
    const want = Array.from(input.data, (x, i) => {
      const c = Math.floor(i / 6);
      return ((x - (3 + c)) / Math.sqrt(4 + c + 0.5)) * (1 + c) + 2 + c;
    });
    expectClose(y!.data, want);
  });

  it.for([
    ['ZeroPadding1D', { padding: [1, 2] }, [0, 1, 2, 3, 0, 0]],
    ['Cropping1D', { cropping: [1, 0] }, [2, 3]],
    ['UpSampling1D', { size: 2 }, [1, 1, 2, 2, 3, 3]],
  ] as const)('%s', ([className, options, want]) => {
    for (const time of [3, null]) {
      const config = { ...options, name: 'x', batch_input_shape: [null, time, 1] };
      const [y] = run(
        { layers: [layer(className, config)], weights: [] },
        { data: [1, 2, 3], dims: [1, 3, 1] },
      );
      expect([...y!.data]).toEqual(want);
    }
  });

  it('Subtract', () => {
    const [a, b] = [numbers(2, 3), numbers(2, 3)];
    const inputs = ['a', 'b'].map((name) => ({
      ...layer('InputLayer', { batch_input_shape: [null, 3], name }),
      name,
      inbound_nodes: [],
    }));
    const node = [
      ['a', 0, 0, {}],
      ['b', 0, 0, {}],
    ];
    const subtract = { ...layer('Subtract', { name: 's' }), name: 's', inbound_nodes: [node] };
    const ends = {
      input_layers: [
        ['a', 0, 0],
        ['b', 0, 0],
      ],
      output_layers: [['s', 0, 0]],
    };
    const [y] = run({ layers: [...inputs, subtract], weights: [], ends }, a, b);
    expectClose(
      y!.data,
      Array.from(a.data, (x, i) => x - b.data[i]!),
    );
  });

  it('Bidirectional around a stack of cells is a stack for each direction', () => {
    const cells = [
      layer('LSTMCell', { units: 2, name: 'l' }),
      layer('GRUCell', { units: 3, reset_after: false, name: 'g' }),
    ];
    const stack = (goBackwards: boolean, name: string) =>
      layer('RNN', {
        cell: layer('StackedRNNCells', { cells, name: 'cells' }),
        return_sequences: true,
        go_backwards: goBackwards,
        name,
        batch_input_shape: [null, 4, 3],
      });
    const scoped = (scope: string) => [
      ...weightsOf(`${scope}/lstm_cell`, 3, 2, 4),
      ...weightsOf(`${scope}/gru_cell`, 2, 3, 3),
    ];
    const data = (seed: number) => (weight: WeightJson, i: number) => ({
      ...weight,
      data: randomWeight(weight.shape, seed + i),
    });
    const [forward, backward] = [data(10), data(20)];
    const input = numbers(2, 4, 3);
    const [f] = run({ layers: [stack(false, 'r')], weights: scoped('r').map(forward) }, input);
    const [b] = run({ layers: [stack(true, 'r')], weights: scoped('r').map(backward) }, input);
    const both = layer('Bidirectional', {
      layer: stack(false, 'r'),
      merge_mode: 'concat',
      name: 'b',
      batch_input_shape: [null, 4, 3],
    });
    const weights = [
      ...scoped('b/forward_r').map(forward),
      ...scoped('b/backward_r').map(backward),
    ];
    const [y] = run({ layers: [both], weights }, input);
    const row = (from: HostValue, at: number, t: number): number[] =>
      Array.from(from.data.slice((at * 4 + t) * 3, (at * 4 + t + 1) * 3));
    const want = [0, 1].flatMap((r) =>
      [0, 1, 2, 3].flatMap((t) => [...row(f!, r, t), ...row(b!, r, 3 - t)]),
    );
    expect(y!.dims).toEqual([2, 4, 6]);
    expectClose(y!.data, want, { atol: 1e-12 });
  });

  it('Bidirectional with a backward layer of its own', () => {
    const own = layer('SimpleRNN', { units: 3, activation: 'relu', go_backwards: true, name: 'q' });
    const config = {
      layer: layer('SimpleRNN', { units: 2, name: 'p' }),
      backward_layer: own,
      merge_mode: 'concat',
      name: 'b',
      batch_input_shape: [null, 4, 3],
    };
    const data = (weight: WeightJson, i: number) => ({
      ...weight,
      data: randomWeight(weight.shape, i),
    });
    const [p, q] = [weightsOf('p', 3, 2, 1).map(data), weightsOf('q', 3, 3, 1).map(data)];
    const input = numbers(2, 4, 3);
    const shape = { batch_input_shape: [null, 4, 3] };
    const [f] = run(
      { layers: [layer('SimpleRNN', { units: 2, name: 'p', ...shape })], weights: p },
      input,
    );
    const [b] = run(
      { layers: [layer('SimpleRNN', { ...own.config, ...shape })], weights: q },
      input,
    );
    const prefixed = (prefix: string) => (weight: WeightJson) => ({
      ...weight,
      name: `${prefix}${weight.name}`,
    });
    const weights = [...p.map(prefixed('b/forward_')), ...q.map(prefixed('b/backward_'))];
    const [y] = run({ layers: [layer('Bidirectional', config)], weights }, input);
    const want = [0, 1].flatMap((r) => [
      ...f!.data.slice(2 * r, 2 * r + 2),
      ...b!.data.slice(3 * r, 3 * r + 3),
    ]);
    expectClose(y!.data, want, { atol: 1e-12 });
  });
});

describe('names and spellings', () => {
  const config = { ...sequence, name: 'lstm', return_sequences: true };
  const input = numbers(2, 4, 3);
  const plain = weightsOf('lstm', 3, 2, 4);
  const want = (): HostValue => run({ layers: [layer('LSTM', config)], weights: plain }, input)[0]!;

  it.for([
    [
      'of TF 2.2 and later',
      ['lstm/lstm_cell/kernel', 'lstm/lstm_cell/recurrent_kernel', 'lstm/lstm_cell/bias'],
    ],
    [
      'with a counter',
      ['lstm/lstm_cell_3/kernel', 'lstm/lstm_cell_3/recurrent_kernel', 'lstm/lstm_cell_3/bias'],
    ],
    ['with an output number', ['lstm/kernel:0', 'lstm/recurrent_kernel:0', 'lstm/bias:0']],
    ['taken twice', ['lstm/kernel_1', 'lstm/recurrent_kernel_1', 'lstm/bias_1']],
    ['of Keras 3', ['lstm/cell/vars/0', 'lstm/cell/vars/1', 'lstm/cell/vars/2']],
    [
      'of a Keras 3 archive',
      [0, 1, 2].map((i) => `_layer_checkpoint_dependencies/lstm/cell/vars/${i}`),
    ],
  ] as const)('weights %s', ([, names]) => {
    const weights = plain.map((weight, i) => ({ ...weight, name: names[i]! }));
    const [y] = run({ layers: [layer('LSTM', config)], weights }, input);
    expect(y!.data).toEqual(want().data);
  });

  it('a functional model of Keras 3', () => {
    const keras = (className: string, options: Record<string, unknown>, inbound: unknown[]) => ({
      module: 'keras.layers',
      class_name: className,
      config: {
        ...options,
        dtype: { module: 'keras', class_name: 'DTypePolicy', config: { name: 'float32' } },
      },
      registered_name: null,
      name: options['name'] as string,
      inbound_nodes: inbound,
    });
    const tensorOf = (name: string) => ({
      class_name: '__keras_tensor__',
      config: { shape: [null, 4, 3], dtype: 'float32', keras_history: [name, 0, 0] },
    });
    const from = (name: string, kwargs = {}) => [{ args: [tensorOf(name)], kwargs }];
    const model: HandMade = {
      version: '3.4.1',
      layers: [
        keras('InputLayer', { batch_shape: [null, null, 3], name: 'x' }, []),
        keras('InputLayer', { batch_shape: [null, 2], name: 'h' }, []),
        keras('InputLayer', { batch_shape: [null, 2], name: 'c' }, []),
        keras(
          'LSTM',
          { units: 2, name: 'lstm', return_sequences: true },
          from('x', {
            training: false,
            mask: null,
            initial_state: [tensorOf('h'), tensorOf('c')],
          }),
        ),
      ],
      weights: plain,
      ends: {
        input_layers: ['x', 'h', 'c'].map((name) => [name, 0, 0]),
        output_layers: ['lstm', 0, 0],
      },
    };
    const zeros = { data: new Float32Array(4), dims: [2, 2] };
    expect(run(model, input, zeros, zeros)[0]!.data).toEqual(want().data);
    const moved = run(model, input, zeros, { data: new Float32Array(4).fill(1), dims: [2, 2] });
    expect(moved[0]!.data).not.toEqual(want().data);
  });

  it('a mask given by hand', () => {
    const functional = (
      className: string,
      options: Record<string, unknown>,
      inbound: unknown[],
    ) => ({
      ...layer(className, options),
      name: options['name'] as string,
      inbound_nodes: inbound,
    });
    const model: HandMade = {
      layers: [
        functional('InputLayer', { batch_input_shape: [null, 4, 3], name: 'x' }, []),
        functional('InputLayer', { batch_input_shape: [null, 4], dtype: 'int32', name: 'm' }, []),
        functional('LSTM', { units: 2, name: 'lstm' }, [[['x', 0, 0, { mask: ['m', 0, 0] }]]]),
      ],
      weights: plain,
      ends: {
        input_layers: [
          ['x', 0, 0],
          ['m', 0, 0],
        ],
        output_layers: [['lstm', 0, 0]],
      },
    };
    const mask = { data: [1, 1, 0, 0, 1, 1, 1, 1], dims: [2, 4] };
    const [y] = run(model, input, mask);
    const all = want().data;
    // The first row ends after two steps, the second goes on to the last.
    expectClose(y!.data, [...all.slice(2, 4), ...all.slice(14, 16)]);
  });
});

describe('topologies that Keras 3 wrote', () => {
  const inner = layer('GRU', {
    units: 2,
    return_sequences: true,
    reset_after: false,
    name: 'forward_g',
  });
  const model = (scopes: readonly [string, string, string], version = '3.4.1'): HandMade => ({
    version,
    layers: [
      layer('InputLayer', { batch_shape: [null, 4, 3], dtype: 'float32', name: 'x' }),
      layer('Bidirectional', { layer: inner, merge_mode: 'concat', name: 'b' }),
      layer('TimeDistributed', { layer: layer('Dense', { units: 2, name: 'd' }), name: 't' }),
    ],
    weights: [
      ...weightsOf(scopes[0], 3, 2, 3),
      ...weightsOf(scopes[1], 3, 2, 3),
      { name: `${scopes[2]}/kernel`, shape: [4, 2] },
      { name: `${scopes[2]}/bias`, shape: [2] },
    ],
  });

  it('name weights without the wrapper around their layer', () => {
    const input = numbers(2, 4, 3);
    const [expected] = run(model(['b/forward_g', 'b/backward_g', 't']), input);
    const [y] = run(model(['forward_g/gru_cell', 'backward_g/gru_cell', 'd']), input);
    expect(y!.dims).toEqual([2, 4, 2]);
    expect(y).toEqual(expected);
  });

  it('and weights of another layer are not taken for them', () => {
    const wrong = model(['forward_h/gru_cell', 'backward_h/gru_cell', 'd']);
    expect(() => run(wrong, numbers(2, 4, 3))).toThrow(/no such weight/);
  });
});
