// Streams of models with `stateful` layers go on from call to call as `predict` of TF.js does.
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModel, tensor } from '../../src/index.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { randomize, save, tf, useTfjs } from './tfjs-oracle.ts';

beforeAll(useTfjs);

const random = randomOf(SEED);
const [B, T, I] = [2, 5, 3];
const L = tf.layers;
const first = { batchInputShape: [B, T, I], stateful: true, returnSequences: true };

const wrapped = (mergeMode: 'concat' | 'ave', more: object = {}): tf.layers.Layer =>
  L.bidirectional({
    layer: L.gru({ units: 4, returnSequences: true, stateful: true, ...more } as never) as never,
    batchInputShape: [B, T, I],
    mergeMode,
  } as never);

const MODELS: Readonly<Record<string, () => tf.layers.Layer[]>> = {
  'a layer': () => [L.lstm({ units: 4, ...first } as never)],
  'a layer that goes backwards': () => [L.gru({ units: 4, goBackwards: true, ...first } as never)],
  'the last output of a layer that goes backwards': () => [
    L.lstm({ units: 4, goBackwards: true, ...first, returnSequences: false } as never),
  ],
  'both ways': () => [wrapped('concat')],
  'both ways, and the mean': () => [wrapped('ave')],
  'several cells': () => [
    L.rnn({
      cell: [L.gruCell({ units: 3 }), L.lstmCell({ units: 4 })],
      ...first,
    } as never),
  ],
  'a layer that is not stateful after one that is': () => [
    L.gru({ units: 4, ...first } as never),
    L.simpleRNN({ units: 3, returnSequences: true }),
  ],
  'a convolution that reaches ahead before one that is': () => [
    L.conv1d({ filters: 4, kernelSize: 3, padding: 'same', batchInputShape: [B, T, I] } as never),
    L.gru({ units: 3, stateful: true, returnSequences: true }),
  ],
};

describe('stateful', () => {
  it.each(Object.entries(MODELS))('%s', async (_name, layers) => {
    const model = tf.sequential({ layers: layers() });
    randomize(model, random);
    const files = Object.fromEntries(await save(model));
    using loaded = await loadModel(files, { device: 'reference' });
    const stream = loaded.stream({ batch: B });
    const [{ name }] = loaded.inputs as [(typeof loaded.inputs)[number]];
    const inputs = Array.from({ length: 3 }, () => random.floats(B * T * I, 1));
    const calls: number[][] = [];
    for (const x of [...inputs, inputs[0]!]) {
      if (calls.length === inputs.length) {
        // The first call again, after both have forgotten.
        model.resetStates();
        stream.reset();
      }
      const expected = (model.predict(tf.tensor(x, [B, T, I])) as tf.Tensor).dataSync();
      const [y] = Object.values(await stream.step({ [name]: tensor(x, [B, T, I]) }));
      expectClose(y!.data as Float32Array, expected, { atol: 1e-5, label: `call ${calls.length}` });
      calls.push([...expected]);
    }
    expect(calls[3]).toEqual(calls[0]);
    const once = await loaded.run({ [name]: tensor(inputs[1]!, [B, T, I]) });
    expect([...(Object.values(once)[0]!.data as Float32Array)]).not.toEqual(calls[1]);
  });
});
