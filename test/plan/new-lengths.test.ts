// Which lengths of a sequence need kernels that no length before needed: what docs/guide.md says of it.
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { dense, gru, lstm, rnn, sequential } from '../../src/layers.ts';
import { makePlan } from '../../src/plan/index.ts';
import type { PlanOptions } from '../../src/plan/lowering.ts';
import { DEFAULT_PROFILE, type DeviceProfile } from '../../src/plan/select/device-profile.ts';
import { specializeGraph } from '../../src/plan/specialize/infer.ts';
import { kernelsOf } from '../../src/plan/types.ts';
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';

const FEATURES = 40;
const LENGTHS = Array.from({ length: 64 }, (_, i) => i + 1);

const zeros = (...dims: number[]): Tensor<'float32'> =>
  tensor(new Float32Array(sizeOf(dims)), dims);
const weights = (gates: number, hidden: number, features = FEATURES) => ({
  W: zeros(gates * hidden, features),
  R: zeros(gates * hidden, hidden),
  B: zeros(2 * gates * hidden),
  returnSequences: true as const,
});

const LAYERS: Readonly<Record<string, (hidden: number) => Graph>> = {
  lstm: (hidden) => sequential([lstm(weights(4, hidden))]),
  gru: (hidden) => sequential([gru(weights(3, hidden))]),
  rnn: (hidden) => sequential([rnn(weights(1, hidden))]),
};
const stack = (hidden: number): Graph =>
  sequential([
    lstm(weights(4, hidden)),
    lstm(weights(4, hidden, hidden)),
    dense({ W: zeros(10, hidden), b: zeros(10) }),
  ]);

const PROFILES: Readonly<Record<string, DeviceProfile>> = {
  gpu: DEFAULT_PROFILE,
  'gpu, subgroups of 32': { ...DEFAULT_PROFILE, subgroupSize: 32 },
  swiftshader: { ...DEFAULT_PROFILE, adapter: 'swiftshader', subgroupSize: 4 },
  llvmpipe: { ...DEFAULT_PROFILE, adapter: 'llvmpipe', subgroupSize: 8 },
};
const CASES = Object.keys(PROFILES).flatMap((profile) =>
  [24, 128, 512].flatMap((hidden) => [1, 4].map((batch) => [profile, hidden, batch] as const)),
);

/** The lengths, of those given in order, with a kernel that none before them has. */
function compilingLengths(
  graph: Graph,
  profile: string,
  batch: number,
  lengths: readonly number[],
  options: PlanOptions = {},
): readonly number[] {
  const compiled = new Set<string>();
  const [{ name: input }, { name: output }] = [graph.inputs[0]!, graph.outputs[0]!];
  return lengths.filter((steps) => {
    const dims = new Map([[input, [batch, steps, FEATURES]]]);
    const plan = makePlan(specializeGraph(graph, { dims, host: new Map() }), {
      outputs: [output],
      feedback: new Map(),
      device: PROFILES[profile]!,
      options,
    });
    const before = compiled.size;
    for (const source of kernelsOf(plan).keys()) compiled.add(source);
    return compiled.size > before;
  });
}

const from = (first: number): readonly number[] => LENGTHS.filter((length) => length >= first);

describe.each(CASES)('%s, %i hidden units, %i batch rows', (profile, hidden, batch) => {
  it.each(Object.entries(LAYERS))('%s: from 16 steps on no length compiles', (_, make) => {
    expect(compilingLengths(make(hidden), profile, batch, from(16))).toEqual([16]);
  });

  it.each(Object.entries(LAYERS))('%s: at most four shorter ones do', (_, make) => {
    const found = compilingLengths(make(hidden), profile, batch, LENGTHS);
    expect(found.slice(0, 2)).toEqual([1, 2]);
    expect(found.length).toBeLessThanOrEqual(4);
  });

  it('a stack with a dense layer: no length from 16 steps and 65 rows on', () => {
    const first = Math.max(16, Math.ceil(65 / batch));
    const lengths = [first, first + 1, first + 7, first + 30, first + 64];
    const options = { wavefront: false };
    expect(compilingLengths(stack(hidden), profile, batch, lengths, options)).toEqual([first]);
  });

  it('a stack, as a wavefront where it is one: no length from 100 steps on', () => {
    const lengths = [100, 101, 128, 200];
    expect(compilingLengths(stack(hidden), profile, batch, lengths)).toEqual([100]);
  });
});
