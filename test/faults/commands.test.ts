// Random sequences of calls on a model and four of its streams, none of which waits for the one before: runs, steps,
// forks, snapshots, resets, disposals, some aborted on the way. The results are those of the same calls one by one on
// the float64 reference. Nothing hangs, and nothing is rejected but what was aborted.
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  loadModel,
  tensor,
  type LoadOptions,
  type Model,
  type Stream,
  type Tensor,
} from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { getFullDevice } from '../setup/gpu.ts';
import { findDifference } from '../support/close.ts';
import { randomOf, type Random } from '../support/random.ts';
import { expectForAll } from '../support/property.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';
import { graph, I } from '../support/small-lstm.ts';

const device = await getFullDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly (readonly [string, LoadOptions, number])[] = [
  ['webgpu', { device }, casesOf(40, 300)],
  ['wasm', { device: 'wasm' }, casesOf(50, 2000)],
  ['reference', { device: 'reference' }, casesOf(50, 1000)],
];

const STREAMS = 4;
const STEPS = 4; // of one call, at most

/** The steps that a stream has taken since it began, one value [I] each. */
type History = readonly (readonly number[])[];

const streams = fc.nat(STREAMS - 1);
const steps = fc.integer({ min: 1, max: STEPS });
/** Microtasks between a call and its abort; -1 for calls that are not aborted. */
const aborts = fc.constantFrom(-1, -1, -1, 0, 1, 2, 5, 20);
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('step'), on: streams, steps, abort: aborts }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('run'), steps, abort: aborts }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fork'), on: streams, to: streams }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('copy'), on: streams, to: streams }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset'), on: streams }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('replace'), on: streams }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait') }) },
) as fc.Arbitrary<Command>;

type Command =
  | { do: 'step'; on: number; steps: number; abort: number }
  | { do: 'run'; steps: number; abort: number }
  | { do: 'fork' | 'copy'; on: number; to: number }
  | { do: 'reset' | 'replace'; on: number }
  | { do: 'wait' };

/** A value [1, steps, I] of some inputs. */
const valueOf = (inputs: History): Tensor =>
  tensor(Float32Array.from(inputs.flat()), [1, inputs.length, I]);

/** What the last steps of a history come to. */
function outputsOf(history: History, count: number): Float64Array {
  const Y = runReference(graph, { X: valueOf(history) }).get('Y')!;
  return Float64Array.from(Y.data as Float64Array).slice(-count * Y.dims.at(-1)!);
}

const ABORTED = new Error('the test has aborted it');

/** Begins a call, and aborts it after some microtasks. */
function begin(
  call: (signal: AbortSignal) => Promise<Record<string, Tensor>>,
  abort: number,
): Promise<Float32Array | undefined> {
  const controller = new AbortController();
  const result = call(controller.signal).then(
    ({ Y }) => Y!.data as Float32Array,
    (error: unknown) => {
      if (abort < 0 || error !== ABORTED) throw error;
      return undefined;
    },
  );
  if (abort >= 0) {
    void (async () => {
      for (let i = 0; i < abort; i++) await undefined;
      controller.abort(ABORTED);
    })();
  }
  return result;
}

/** A stream, or a run, and what it may have taken: an aborted step has moved the state or has not. */
class Tracked {
  readonly #stream: Stream | undefined;
  histories: readonly History[] = [[]];

  constructor(stream: Stream | undefined) {
    this.#stream = stream;
  }

  get stream(): Stream {
    return this.#stream!;
  }

  /** The steps of a call, and those histories that its result is in line with. */
  take(inputs: History, got: Float32Array | undefined): void {
    const after = this.histories.map((before) => [...before, ...inputs]);
    if (!got) {
      this.histories = [...this.histories, ...after];
      return;
    }
    const differences = after.map((history) =>
      findDifference(got, outputsOf(history, inputs.length), { atol: 1e-5 }),
    );
    this.histories = after.filter((_, i) => differences[i] === undefined);
    expect(this.histories.length, differences[0]).toBeGreaterThan(0);
  }
}

/** What a sequence of commands works on. */
interface Scene {
  readonly model: Model;
  readonly tracked: Tracked[];
  /** What to check when all has been called, in the order of the calls. */
  readonly checks: (() => Promise<void> | void)[];
  readonly random: Random;
}

const inputsOf = ({ random }: Scene, count: number): History =>
  Array.from({ length: count }, () => [...random.floats(I, 0.5)]);

/** The calls of each command; each notes what is to be checked. */
const PERFORM: {
  readonly [Name in Command['do']]: (
    command: Extract<Command, { do: Name }>,
    scene: Scene,
  ) => Promise<void> | void;
} = {
  step({ on, steps: count, abort }, scene) {
    const [each, inputs] = [scene.tracked[on]!, inputsOf(scene, count)];
    const feeds = { X: valueOf(inputs) };
    const result = begin((signal) => each.stream.step(feeds, { signal }), abort);
    scene.checks.push(async () => each.take(inputs, await result));
  },
  run({ steps: count, abort }, scene) {
    const inputs = inputsOf(scene, count);
    const result = begin((signal) => scene.model.run({ X: valueOf(inputs) }, { signal }), abort);
    scene.checks.push(async () => new Tracked(undefined).take(inputs, await result));
  },
  fork({ on, to }, { tracked, checks }) {
    const source = tracked[on]!;
    const fork = new Tracked(source.stream.fork());
    tracked[to]!.stream.dispose();
    tracked[to] = fork;
    checks.push(() => void (fork.histories = source.histories));
  },
  async copy({ on, to }, { tracked, checks }) {
    const [source, target] = [tracked[on]!, tracked[to]!];
    const state = await source.stream.snapshot();
    target.stream.restore(state);
    checks.push(() => void (target.histories = source.histories));
  },
  reset({ on }, { tracked, checks }) {
    const each = tracked[on]!;
    each.stream.reset();
    checks.push(() => void (each.histories = [[]]));
  },
  replace({ on }, { model, tracked }) {
    tracked[on]!.stream.dispose(); // after the steps that have been called
    tracked[on] = new Tracked(model.stream());
  },
  async wait(_, { checks }) {
    for (const check of checks.splice(0)) await check();
  },
};

/** Calls without waiting for results, then checks what they came to in the order of the calls. */
async function perform(options: LoadOptions, commands: readonly Command[]): Promise<void> {
  const model = await loadModel(graph, options);
  const tracked = Array.from({ length: STREAMS }, () => new Tracked(model.stream()));
  const scene: Scene = { model, tracked, checks: [], random: randomOf(commands.length) };
  type Any = (command: Command, scene: Scene) => Promise<void> | void;
  for (const each of commands) await (PERFORM[each.do] as Any)(each, scene);
  for (const check of scene.checks) await check();
  model.dispose();
}

describe.each(BACKENDS)('on %s', MORE_IN_FULL, (_, options, cases) => {
  test(`${cases} random sequences of calls, SEED=${SEED}`, () =>
    expectForAll(fc.array(command, { minLength: 5, maxLength: 25 }), cases, (commands) =>
      perform(options, commands),
    ));
});
