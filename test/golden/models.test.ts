// Real trained models, frame by frame as streams, against what their own engines gave.
import { afterAll, describe, expect, test } from 'vitest';
import { loadModel, tensor, type Tensor } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { ONLY_IN_FULL } from '../support/settings.ts';
import { needsSharedData, sharedBytes, sharedFloats, sharedJson } from '../support/shared-data.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const floats = (value: Tensor | undefined): Float32Array => value!.data as Float32Array;
const frame = (data: Float32Array, index: number, dims: readonly number[]): Tensor => {
  const size = dims.reduce((n, dim) => n * dim, 1);
  return tensor(data.slice(index * size, (index + 1) * size), dims);
};

const BACKENDS = [
  ['webgpu', device],
  ['wasm', 'wasm'],
  ['js', 'js'],
] as const;

describe.each(BACKENDS)(
  'real models on %s',
  { ...needsSharedData, ...ONLY_IN_FULL },
  (_, where) => {
    // 300 frames of a network with a recurrence: the two files hold the same weights in other shapes.
    test.each(['silero_vad.onnx', 'silero_vad_16k_op15.onnx'])(
      '%s: 300 frames as a stream',
      async (file) => {
        const folder = 'models/silero-vad/';
        const [input, prob] = [
          sharedFloats(`${folder}reference/input.f32`),
          sharedFloats(`${folder}reference/prob.f32`),
        ];
        const model = await loadModel(sharedBytes(folder + file), { device: where });
        const stream = model.stream({ state: { stateN: 'state' } });
        const sr = tensor(BigInt64Array.of(16000n), []);
        const got: number[] = [];
        for (let i = 0; i < 300; i++) {
          const { output } = await stream.step({ input: frame(input, i, [1, 576]), sr });
          got.push(floats(output)[0]!);
        }
        expectClose(got, prob, { atol: 1e-4, label: 'probability' });
        const { state } = await stream.snapshot();
        expectClose(floats(state), sharedFloats(`${folder}reference/stateN.f32`), {
          atol: 1e-4,
          label: 'state',
        });
        model.dispose();
      },
    );

    test('DTLN: both stages as streams, 200 blocks', async () => {
      const folder = 'models/dtln/';
      const one = await loadModel(sharedBytes(`${folder}model_1.onnx`), { device: where });
      const two = await loadModel(sharedBytes(`${folder}model_2.onnx`), { device: where });
      const [mag, est] = [
        sharedFloats(`${folder}reference/mag.f32`),
        sharedFloats(`${folder}reference/est_block.f32`),
      ];
      const first = one.stream({ state: { tf_op_layer_stack_2: 'input_3' } });
      const second = two.stream({ state: { tf_op_layer_stack_5: 'input_5' } });
      const [masks, blocks]: [number[], number[]] = [[], []];
      for (let i = 0; i < 200; i++) {
        const [a, b] = await Promise.all([
          first.step({ input_2: frame(mag, i, [1, 1, 257]) }),
          second.step({ input_4: frame(est, i, [1, 1, 512]) }),
        ]);
        masks.push(...floats(a['activation_2']));
        blocks.push(...floats(b['conv1d_3']));
      }
      expectClose(masks, sharedFloats(`${folder}reference/mask.f32`), {
        atol: 1e-4,
        label: 'mask',
      });
      expectClose(blocks, sharedFloats(`${folder}reference/out_block.f32`), {
        atol: 1e-4,
        label: 'block',
      });
      const states = sharedFloats(`${folder}reference/final_states.f32`);
      const [s1, s2] = [await first.snapshot(), await second.snapshot()];
      expectClose(floats(s1['input_3']), states.subarray(0, 512), { atol: 1e-4, label: 'state 1' });
      expectClose(floats(s2['input_5']), states.subarray(512), { atol: 1e-4, label: 'state 2' });
      one.dispose();
      two.dispose();
    });

    test('RNNoise: 600 frames against float64 gains', async () => {
      const folder = 'models/rnnoise/';
      const model = await loadModel(
        {
          'model.json': sharedBytes(`${folder}tfjs/model.json`),
          'weights.bin': sharedBytes(`${folder}tfjs/weights.bin`),
        },
        { device: where },
      );
      const features = sharedFloats(`${folder}reference/features.f32`);
      const name = model.inputs[0]!.name;
      const whole = await model.run({ [name]: tensor(features, [1, 600, 42]) });
      const byWidth = (results: Record<string, Tensor>, width: number): Float32Array =>
        floats(Object.values(results).find(({ dims }) => dims.at(-1) === width));
      const stream = model.stream();
      const [gains, vad]: [number[], number[]] = [[], []];
      for (let i = 0; i < 600; i += 4) {
        const step = await stream.step({ [name]: frame(features, i / 4, [1, 4, 42]) });
        gains.push(...byWidth(step, 22));
        vad.push(...byWidth(step, 1));
      }
      const exact = {
        gains: sharedFloats(`${folder}reference/gains_exact.f32`),
        vad: sharedFloats(`${folder}reference/vad_exact.f32`),
      };
      // relu GRUs do not squash their state, so f32 noise of a value near 10 is what is left: 1e-4.
      expectClose(byWidth(whole, 22), exact.gains, { atol: 1e-4, label: 'gains' });
      expectClose(byWidth(whole, 1), exact.vad, { atol: 1e-4, label: 'vad' });
      expectClose(gains, exact.gains, { atol: 1e-4, label: 'streamed gains' });
      expectClose(vad, exact.vad, { atol: 1e-4, label: 'streamed vad' });
      model.dispose();
    });

    // Half of its 28 GRUs run both ways over frequency, inside each frame.
    test.each(['ulunas_stream_simple.onnx', 'ulunas_stream.onnx'])(
      'UL-UNAS %s: 120 frames as a stream',
      async (file) => {
        const folder = 'models/ul-unas/';
        const { state } = sharedJson<{ state: Record<string, string> }>(
          `${folder}reference/meta.json`,
        );
        const model = await loadModel(sharedBytes(folder + file), { device });
        const stream = model.stream({ state });
        expect(stream.stateNames.toSorted()).toEqual(Object.values(state).toSorted());
        const mix = sharedFloats(`${folder}reference/mix_spec.f32`);
        const results: Record<string, Tensor>[] = [];
        for (let i = 0; i < 120; i++) {
          results.push(await stream.step({ mix: frame(mix, i, [1, 257, 1, 2]) }));
        }
        const [name] = model.outputs
          .map((output) => output.name)
          .filter((each) => !(each in state));
        const enhanced = results.flatMap((result) => [...floats(result[name!])]);
        expectClose(enhanced, sharedFloats(`${folder}reference/enh_spec.f32`), {
          atol: 1e-4,
          label: 'spectrum',
        });
        model.dispose();
      },
    );

    test('charRNN: 161 rows of logits, and the greedy text to the letter', async () => {
      const folder = 'models/charrnn-shakespeare/';
      const meta = sharedJson<{ ids: number[]; text: string }>(`${folder}reference/meta.json`);
      const vocabulary = sharedJson<Record<string, number> | string[]>(`${folder}vocab.json`);
      const letters = Array.isArray(vocabulary)
        ? vocabulary
        : Object.entries(vocabulary).reduce<string[]>(
            (all, [letter, id]) => ((all[id] = letter), all),
            [],
          );
      const want = sharedFloats(`${folder}reference/logits.f32`);
      const size = want.length / 161;
      const model = await loadModel(
        {
          'model.json': sharedBytes(`${folder}tfjs/model.json`),
          'weights.bin': sharedBytes(`${folder}tfjs/weights.bin`),
        },
        { device: where },
      );
      const input = model.inputs[0]!;
      const output = model.outputs[0]!.name;
      const stream = model.stream();
      const one = (id: number): Tensor =>
        ({
          type: input.type,
          dims: [1, 1],
          data: input.type === 'float32' ? Float32Array.of(id) : Int32Array.of(id),
        }) as Tensor;
      const seed = meta.ids.length - 161 + 1;
      let row = new Float32Array();
      const ids = meta.ids.slice(0, seed);
      for (const id of ids)
        row = floats(
          (await stream.step({ [input.name]: one(id) }))[output],
        ) as Float32Array<ArrayBuffer>;
      const softmax = (logits: Float32Array): number[] => {
        const largest = Math.max(...logits);
        const e = Array.from(logits, (v) => Math.exp(v - largest));
        const sum = e.reduce((a, b) => a + b, 0);
        return e.map((v) => v / sum);
      };
      for (let i = 0; i < 161; i++) {
        const logits = want.subarray(i * size, (i + 1) * size);
        // The file may end in a softmax; the reference rows are before it.
        const isSoftmax = Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 1e-3;
        expectClose(row, isSoftmax ? softmax(logits) : logits, { atol: 1e-4, label: `row ${i}` });
        const next = row.indexOf(Math.max(...row));
        ids.push(next);
        if (i < 160)
          row = floats(
            (await stream.step({ [input.name]: one(next) }))[output],
          ) as Float32Array<ArrayBuffer>;
      }
      const text = ids.map((id) => letters[id]).join('');
      expect(text.slice(0, meta.text.length)).toBe(meta.text);
      expect(meta.text.length).toBeGreaterThan(150);
      model.dispose();
    });
  },
);
