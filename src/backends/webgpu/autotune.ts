// Which way of computing recurrent layers is the fastest, found by running each: once for each layer and
// shape.
import type { Measured } from '../../plan/select/select-kernel.ts';
import type { Plan } from '../../plan/types.ts';
import { Program } from '../../gpu/program.ts';
import type { DeviceArray } from '../../plan/device-array.ts';
import type { Executor } from './executor.ts';

/** Runs that count; one goes before. */
const RUNS = 5;

/** The fastest way by adapter and question, for all models as long as the page lives. */
const found = new Map<string, string>();

/**
 * Answers the questions of a plan that nobody has answered, one after another with the whole plan.
 *
 * @param planOf makes the plan with given answers
 * @param arrays what the plan is fed, by name; states begin with zeros, and results are dropped
 */
export async function measureWays(
  executor: Executor,
  planOf: (measured: Measured) => Plan,
  arrays: readonly (readonly [string, DeviceArray])[],
): Promise<Measured> {
  const { vendor, architecture, device, description } = executor.device.adapterInfo;
  const keyOf = (question: string): string =>
    [vendor, architecture, device, description, question].join('|');
  /** The answers so far, with one to be tried; `ask` gets what has none. */
  const answering =
    (ask?: (question: string, ways: readonly string[]) => void, tried?: string, way?: string) =>
    <Way extends string>(question: string, ways: readonly Way[]): Way | undefined => {
      const answer = question === tried ? way : found.get(keyOf(question));
      if (answer === undefined) ask?.(question, ways);
      return ways.find((each) => each === answer);
    };
  for (;;) {
    // One answer decides which questions are left.
    const open = new Map<string, readonly string[]>();
    planOf(answering((question, ways) => open.set(question, ways)));
    const [next] = open;
    if (!next) return answering();
    const [question, ways] = next;
    const times: { way: string; ms: number }[] = [];
    for (const way of ways) {
      const plan = planOf(answering(undefined, question, way));
      executor.check();
      // What this device refuses is not the fastest.
      const ms = await timeOf(executor, plan, arrays).catch(() => Infinity);
      times.push({ way, ms });
    }
    executor.check(); // a device that is gone has refused nothing
    const best = times.reduce((a, b) => (b.ms < a.ms ? b : a));
    // Where all were refused the plan goes by its own lights, and says why it can't be.
    found.set(keyOf(question), best.ms < Infinity ? best.way : 'none');
  }
}

/** Milliseconds of a run: the median of some. */
async function timeOf(
  executor: Executor,
  plan: Plan,
  arrays: readonly (readonly [string, DeviceArray])[],
): Promise<number> {
  const { queue } = executor.device;
  const program = await executor.guard(Program.create(executor.resources, plan));
  const state = program.createState();
  try {
    const bindings = program.bind(state);
    for (const [name, data] of arrays) program.upload(name, data);
    const times: number[] = [];
    for (let run = 0; run <= RUNS; run++) {
      const start = performance.now();
      queue.submit([executor.record(program, bindings).finish()]);
      await executor.guard(queue.onSubmittedWorkDone());
      if (run > 0) times.push(performance.now() - start);
    }
    return times.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)]!;
  } finally {
    program.destroy();
    for (const buffer of state.values()) buffer.destroy();
  }
}
