// Which candidates are timed, in which order, and how often a plan runs for one sample. No device: the
// plans are real, their times are made up.
import { describe, expect, test, vi } from 'vitest';
import { autotune, medianOf } from '../../../src/backends/webgpu/autotune.ts';
import type { Executor } from '../../../src/backends/webgpu/executor.ts';
import { Program } from '../../../src/gpu/program.ts';
import type { Overrides } from '../../../src/plan/select/select-kernel.ts';
import type { Plan, Selection } from '../../../src/plan/types.ts';

vi.useFakeTimers({ toFake: ['performance'] });

/** Names of candidates; one that ends in `!` is refused by the planner, in `?` by the device. */
const selectionOf = (key: string, names: readonly string[]): Selection => ({
  labels: [key],
  key,
  selected: names[0]!,
  candidates: names.map((name, cost) => ({
    name,
    cost,
    refusal: () => (name.endsWith('!') ? 'too large' : undefined),
  })),
});

/** An executor whose plans take the milliseconds that `timeOf` says for what is tuned. */
function executorOf(
  device: string,
  timeOf: (tuned: ReadonlyMap<string, string>) => number,
  options: Overrides = {},
) {
  const timed: string[] = [];
  const tunedOf = new WeakMap<Plan, ReadonlyMap<string, string>>();
  let pending = 0;
  vi.spyOn(Program, 'create').mockImplementation((_, plan) => {
    const tuned = tunedOf.get(plan)!;
    const names = [...tuned.values()];
    timed.push(names.join(' '));
    if (names.some((name) => name.endsWith('?'))) return Promise.reject(new Error('refused'));
    const program = {
      createState: () => ({ state: new Map<string, GPUBuffer>(), room: Promise.resolve() }),
      bind: () => ({}),
      upload: () => undefined,
      destroy: () => undefined,
      milliseconds: timeOf(tuned),
    };
    return Promise.resolve(program as unknown as Program);
  });
  const queue = {
    submit: () => undefined,
    onSubmittedWorkDone: () => {
      vi.advanceTimersByTime(pending);
      pending = 0;
      return Promise.resolve();
    },
  };
  const executor = {
    device: { adapterInfo: { vendor: device }, queue },
    profile: {},
    options,
    check: () => undefined,
    guard: <T>(work: Promise<T>): Promise<T> => work,
    during: <T>(work: Promise<T>): Promise<T> => work,
    record: (program: { milliseconds: number }) => {
      pending += program.milliseconds;
      return { finish: () => ({}) };
    },
  } as unknown as Executor;
  const planOf =
    (selections: (overrides: Overrides) => readonly Selection[]) =>
    (overrides: Overrides): Plan => {
      const plan = { selections: selections(overrides) } as Plan;
      tunedOf.set(plan, overrides.tuned!);
      return plan;
    };
  return { executor, timed, planOf };
}

describe('autotune', () => {
  test('times every candidate that fits, and skips those that are refused', async () => {
    const times: Record<string, number> = { a: 3, b: 2, d: 4 };
    const { executor, timed, planOf } = executorOf('one', (tuned) => times[tuned.get('layer')!]!);
    const plan = planOf(() => [selectionOf('layer', ['a', 'b', 'c!', 'd', 'e?'])]);
    const tuned = await autotune(executor, plan, []);
    expect(timed).toEqual(['a', 'b', 'd', 'e?']);
    expect(tuned.get('layer')).toBe('b');
    await autotune(executor, plan, []);
    expect(timed).toHaveLength(4); // known by now
    // Another device knows nothing of it.
    const other = executorOf('two', () => 1);
    await autotune(
      other.executor,
      other.planOf(() => [selectionOf('layer', ['a', 'b'])]),
      [],
    );
    expect(other.timed).toEqual(['a', 'b']);
  });

  test('the cost model has its way where no candidate runs', async () => {
    const { executor, planOf } = executorOf('three', () => 1);
    const plan = planOf(() => [selectionOf('layer', ['a?', 'b?'])]);
    expect((await autotune(executor, plan, [])).get('layer')).toBe('a?');
  });

  test('layers of a stack are timed in sequence before the wavefronts', async () => {
    const { executor, timed, planOf } = executorOf('four', (tuned) =>
      tuned.get('stack') === 'wavefront b' ? 1 : 5 - tuned.size,
    );
    const layers = [selectionOf('bottom', ['a', 'b']), selectionOf('top', ['a', 'b'])];
    const stack = selectionOf('stack', ['sequential', 'wavefront a', 'wavefront b']);
    const plan = planOf(({ wavefront }) => (wavefront === false ? layers : [stack, ...layers]));
    const tuned = await autotune(executor, plan, []);
    expect(timed).toEqual([
      'a',
      'b',
      'a a',
      'a b',
      'a a sequential',
      'a a wavefront a',
      'a a wavefront b',
    ]);
    expect(tuned.get('stack')).toBe('wavefront b');
  });

  test.each([true, false])('wavefront: %s is planned as asked', async (wavefront) => {
    const { executor, planOf } = executorOf(`five ${wavefront}`, () => 1, { wavefront });
    const seen: (boolean | undefined)[] = [];
    await autotune(
      executor,
      planOf((overrides) => {
        seen.push(overrides.wavefront);
        return [selectionOf('layer', ['a'])];
      }),
      [],
    );
    expect(seen).toEqual([undefined]); // the options of the model say the rest
  });
});

describe('samples', () => {
  test.each([
    [0.03, 334],
    [3, 4],
    [50, 1],
  ])('a run of %d ms is repeated %i times', async (ms, expected) => {
    const repeats: number[] = [];
    const median = await medianOf((count) => {
      repeats.push(count);
      return Promise.resolve(count * ms);
    });
    expect(repeats.slice(-5)).toEqual(Array.from({ length: 5 }, () => expected));
    expect(median).toBeCloseTo(ms, 9);
  });

  test('a clock that stands still ends', async () => {
    let last = 0;
    await medianOf((count) => {
      last = count;
      return Promise.resolve(0);
    });
    expect(last).toBe(1024);
  });
});
