// The float64 meaning of recurrent layers against ONNX Runtime on the CPU, over everything that
// ONNX can say: directions, activations with alpha and beta, clip, coupled gates, peepholes,
// lengths, initial states, both reset forms, biases and outputs left out.
import { describe, expect, it } from 'vitest';
import { CELLS, type CellName } from '../../src/cells/index.ts';
import { runReference } from '../../src/reference.ts';
import { expectClose } from '../support/close.ts';
import { onnxOfRecurrent } from '../support/onnx-recurrent.ts';
import { runOnnxRuntime } from '../support/onnxruntime.ts';
import { exampleOf, expectForAll } from '../support/property.ts';
import { recurrentCases, type RecurrentCase } from '../support/random-recurrent.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';

const CASES = casesOf(50, 200); // of each cell
const cells = Object.keys(CELLS) as CellName[];

/** Zeroes the final states of rows without a single step, where ONNX Runtime differs: see below. */
function withoutEmptyRows(
  { config }: RecurrentCase,
  name: string,
  data: ArrayLike<number>,
): number[] {
  const { B, lengths } = config;
  const width = name === 'Y_c' ? config.hidden : config.projected || config.hidden;
  return Array.from(data, (value, i) =>
    name !== 'Y' && lengths?.[Math.floor(i / width) % B] === 0 ? 0 : value,
  );
}

async function expectLikeOnnxRuntime(recurrent: RecurrentCase): Promise<void> {
  const expected = await runOnnxRuntime(onnxOfRecurrent(recurrent), recurrent.feeds);
  const actual = runReference(recurrent.graph, recurrent.feeds);
  for (const [name, { dims, data }] of actual) {
    const want = expected[name]!;
    const label = `${recurrent.label}: ${name}`;
    expect(dims, label).toEqual(want.dims);
    const [got64, want64] = [data, want.data as Float32Array].map((values) =>
      withoutEmptyRows(recurrent, name, values),
    );
    // float32 sums of at most 33 + 19 products below 1 are off by about 52 · 2⁻²⁴ = 3e-6.
    expectClose(got64!, want64!, { atol: 1e-5, label, dims });
  }
}

describe(`Recurrent agrees with ONNX Runtime, seed ${SEED}`, () => {
  it.each(cells)('%s, random layers', MORE_IN_FULL, (cell) =>
    expectForAll(recurrentCases({ onnx: true, cell }), CASES, expectLikeOnnxRuntime),
  );

  it.each(cells)('%s with every optional part at once', (cell) => {
    const lstm = cell === 'lstm';
    const everything = recurrentCases({
      onnx: true,
      cell,
      direction: 'bidirectional',
      bias: true,
      B: 3,
      T: 7,
      packed: true,
      initialH: true,
      initialC: lstm,
      peepholes: lstm,
      clip: 0.5,
      outputs: [true, true, lstm],
    });
    return expectForAll(everything, 10, expectLikeOnnxRuntime);
  });

  it.each(cells)('%s: a row without steps keeps its initial state', async (cell) => {
    // ONNX Runtime answers zeros here. The specification has no word on it; PyTorch, Keras and every
    // row that is shorter than its batch keep the state, and so do we.
    const lstm = cell === 'lstm';
    const recurrent = exampleOf(
      recurrentCases({
        onnx: true,
        cell,
        direction: 'forward',
        hidden: 4,
        T: 3,
        B: 2,
        lengths: [0, 2],
        initialH: true,
        initialC: lstm,
        outputs: [true, true, lstm],
      }),
    );
    const expected = await runOnnxRuntime(onnxOfRecurrent(recurrent), recurrent.feeds);
    const actual = runReference(recurrent.graph, recurrent.feeds);
    for (const [output, input] of [
      ['Y_h', 'initialH'],
      ...(lstm ? [['Y_c', 'initialC']] : []),
    ] as const) {
      expect((expected[output!]!.data as Float32Array).slice(0, 4)).toEqual(new Float32Array(4));
      const initial = recurrent.feeds[input!]!.data as Float32Array;
      expectClose(actual.get(output!)!.data.slice(0, 4), initial.slice(0, 4), { atol: 0 });
    }
  });
});
