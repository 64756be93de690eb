// A stream equals a run on the whole sequence, however it is cut, or is refused by the name of a node that
// needs the whole: over random graphs, on the reference and on a GPU.
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  loadModel,
  RnnError,
  type LoadOptions,
  type Model,
  type Stream,
  type Tensor,
} from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { expectForAll, times } from '../support/property.ts';
import { framesOf, joinFrames, streamCases, type StreamCase } from '../support/random-streams.ts';
import { casesOf, MORE_IN_FULL } from '../support/settings.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

// float64 on the reference, whose outputs are rounded to float32 between chunks; float32 on a GPU.
const BACKENDS: readonly [string, LoadOptions, cases: number, atol: number][] = [
  ['reference', { device: 'reference' }, casesOf(25, 400), 1e-5],
  ['webgpu', { device }, casesOf(4, 60), 2e-5],
];

/** Lengths of the chunks, in units of what the strides of a graph ask for. */
const cuts = times(12, fc.integer({ min: 1, max: 3 }));

/** The stream of a graph; undefined where it is refused, by the name of one of the nodes it should be. */
function streamOf(
  model: Model,
  { graph, state, axis, whole, label }: StreamCase,
): Stream | undefined {
  try {
    const isPaired = Object.keys(state).length > 0;
    return model.stream({ state, ...(isPaired && { timeAxis: { x: axis } }) });
  } catch (error) {
    expect(error, label).toBeInstanceOf(RnnError);
    const { code, message, path } = error as RnnError;
    expect(code, `${label}: ${message}`).toBe('UNSUPPORTED_OPERATOR');
    const named = graph.nodes.find(({ name }) => message.includes(`'${name}'`));
    expect(path, label).toMatch(/^graph\.nodes\[\d+\]$/);
    expect(message, label).toContain("chunks: 'independent'");
    expect(whole, `${label}: ${message}`).toContain(named?.name);
    return undefined;
  }
}

async function expectWhole(
  model: Model,
  stream: Stream,
  { x, axis, outAxis, steps, begin, multiple, graph, label }: StreamCase,
  lengths: readonly number[],
): Promise<void> {
  const [{ name }] = graph.outputs as [(typeof graph.outputs)[number]];
  const expected = (await model.run({ x, ...begin }))[name]!;
  const parts: Tensor[] = [];
  for (let t = 0; t < steps;) {
    const next = Math.min(steps, t + multiple * lengths[parts.length]!);
    parts.push((await stream.step({ x: framesOf(x, axis, t, next) }))[name]!);
    t = next;
  }
  const got = outAxis === undefined ? parts.at(-1)! : joinFrames(parts, outAxis);
  expect(got.dims, label).toEqual(expected.dims);
  const atol = model.backend === 'reference' ? BACKENDS[0]![3] : BACKENDS[1]![3];
  expectClose(got.data as Float32Array, expected.data as Float32Array, { atol, label });
}

describe.each(BACKENDS)('on %s', MORE_IN_FULL, (_name, options, cases) => {
  test('whole = chunks, or a refusal that names the node', async () => {
    let [carried, refused] = [0, 0];
    await expectForAll(fc.tuple(streamCases, cuts), cases, async ([made, lengths]) => {
      const model = await loadModel(made.graph, options);
      try {
        const stream = streamOf(model, made);
        expect(stream === undefined, `${made.label} is refused`).toBe(made.whole.length > 0);
        if (stream === undefined) refused++;
        else {
          carried++;
          await expectWhole(model, stream, made, lengths);
        }
      } finally {
        model.dispose();
      }
    });
    // A few graphs may all be of one kind.
    if (cases >= 300)
      expect(
        Math.min(carried, refused) / cases,
        `${carried} carried, ${refused} refused`,
      ).toBeGreaterThan(0.15);
  });
});
