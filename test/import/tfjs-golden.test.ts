// Models that TF.js saved, against what TF.js computed with them.
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { importTfjs } from '../../src/import/tfjs/index.ts';
import { runReference } from '../../src/reference.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { CarriedState } from './tfjs-carried-state.ts';
import {
  hasSharedData,
  needsSharedData,
  sharedBytes,
  sharedFloats,
  sharedJson,
} from '../support/shared-data.ts';

interface Golden {
  readonly input: { readonly shape: number[]; readonly data: number[] };
  readonly outputs: readonly {
    readonly step: number;
    readonly shape: number[];
    readonly data: number[];
  }[];
}

const load = (folder: string): Graph =>
  importTfjs(
    new Map(['model.json', 'weights.bin'].map((name) => [name, sharedBytes(`${folder}/${name}`)])),
  );

/** What a graph is fed, in the type that it declares. */
function feed(
  graph: Graph,
  data: ArrayLike<number>,
  dims: readonly number[],
): Record<string, Tensor> {
  const { name, type } = graph.inputs[0]!;
  const values = type === 'int32' ? Int32Array.from(data) : Float32Array.from(data);
  return { [name]: tensor(values, dims) };
}

const ops = (graph: Graph): string[] => graph.nodes.map((node) => node.op);

describe('models saved by TF.js', needsSharedData, () => {
  const names = hasSharedData
    ? sharedJson<{ models: { name: string }[] }>('tfjs-golden/index.json').models.map(
        ({ name }) => name,
      )
    : [];

  it.for(names.filter((name) => name !== 'stateful_lstm'))('%s computes as TF.js does', (name) => {
    const graph = load(`tfjs-golden/${name}`);
    const { input, outputs } = sharedJson<Golden>(`tfjs-golden/${name}/io.json`);
    const results = [...runReference(graph, feed(graph, input.data, input.shape)).values()];
    expect(results).toHaveLength(outputs.length);
    outputs.forEach(({ shape, data }, i) => {
      expect(results[i]!.dims).toEqual(shape);
      expectClose(results[i]!.data, data, { label: graph.outputs[i]!.name, dims: shape });
    });
  });

  it('stateful_lstm computes as TF.js does, its state fed back from call to call', () => {
    const carried = new CarriedState(load('tfjs-golden/stateful_lstm'), 2);
    const { input, outputs } = sharedJson<Golden>('tfjs-golden/stateful_lstm/io.json');
    expect(outputs).toHaveLength(3);
    for (const { step, shape, data } of outputs) {
      const y = carried.run(Float32Array.from(input.data), input.shape);
      expectClose(y, data, { label: `call ${step}`, dims: shape });
    }
  });

  it('both directions of a Bidirectional are one node, and joining them costs none', () => {
    expect(ops(load('tfjs-golden/bi_lstm_concat'))).toEqual(['Recurrent', 'Reshape']);
    expect(ops(load('tfjs-golden/bi_gru_last'))).toEqual(['Recurrent', 'Reshape']);
    expect(ops(load('tfjs-golden/bi_lstm_sum'))).toEqual(['Recurrent', 'ReduceSum']);
  });

  it('names inputs and outputs after their layers', () => {
    const graph = load('tfjs-golden/functional_state_passing');
    expect(graph.inputs).toEqual([{ name: 'input1', type: 'float32', dims: ['batch', 7, 3] }]);
    expect(graph.outputs.map(({ name }) => name)).toEqual([
      'lstm_LSTM14',
      'lstm_LSTM13',
      'lstm_LSTM13_1',
    ]);
  });
});

describe('RNNoise', needsSharedData, () => {
  it('computes the gains and the voice activity of 600 frames', () => {
    const graph = load('models/rnnoise/tfjs');
    expect(graph.inputs).toEqual([
      { name: 'features', type: 'float32', dims: ['batch', 'features_time', 42] },
    ]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['denoise_output', 'vad_output']);
    const features = sharedFloats('models/rnnoise/reference/features.f32');
    const results = runReference(graph, feed(graph, features, [1, 600, 42]));
    const expected = { denoise_output: 'gains_exact', vad_output: 'vad_exact' };
    for (const [name, file] of Object.entries(expected)) {
      const want = sharedFloats(`models/rnnoise/reference/${file}.f32`);
      expectClose(results.get(name)!.data, want, { label: name });
    }
  });
});

describe('a character model', needsSharedData, () => {
  it('computes the logits of every prefix', () => {
    const graph = load('models/charrnn-shakespeare/tfjs');
    expect(graph.inputs).toEqual([
      { name: 'embedding_input', type: 'int32', dims: ['batch', 'embedding_input_time'] },
    ]);
    const { ids } = sharedJson<{ ids: number[] }>('models/charrnn-shakespeare/reference/meta.json');
    const want = sharedFloats('models/charrnn-shakespeare/reference/logits.f32');
    const { data, dims } = runReference(graph, feed(graph, ids, [1, ids.length])).get('softmax')!;
    const vocabulary = dims[2]!;
    // The file begins with the logits behind the last letter of the seed.
    const rows = want.length / vocabulary;
    const got = data.subarray(data.length - want.length);
    // Logits of order ten, kept as float32: 10 · 2⁻²⁴ from rounding alone.
    expectClose(got, want, { dims: [rows, vocabulary] });
    const best = (row: ArrayLike<number>): number =>
      Array.from(row).reduce((at, value, i, all) => (value > all[at]! ? i : at), 0);
    const seed = ids.length - rows + 1;
    for (let t = seed; t < ids.length; t++) {
      const row = got.subarray((t - seed) * vocabulary, (t - seed + 1) * vocabulary);
      expect(best(row), `letter ${t}`).toBe(ids[t]);
    }
  });
});
