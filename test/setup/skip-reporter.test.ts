import { expect, test } from 'vitest';
import type { TestModule } from 'vitest/node';
import { skippedLines } from './skip-reporter.ts';

interface Task {
  readonly state: 'passed' | 'skipped';
  readonly reason?: string;
  readonly note?: string;
  readonly children?: readonly Task[];
}

const module = { relativeModuleId: 'some.test.ts' };

/** What the reporter reads of a test or group. */
const task = ({ state, reason, note, children }: Task): object => ({
  type: children ? 'suite' : 'test',
  module,
  fullName: 'a > b',
  meta: () => (reason ? { skipReason: reason } : {}),
  state: () => state,
  result: () => ({ state, note }),
  children: (children ?? []).map(task),
});
const modules = (...tasks: readonly Task[]): TestModule[] => [
  { children: tasks.map(task) } as unknown as TestModule,
];

test('counts groups and tests by reason; tests within a skipped group do not count', () => {
  const inner: Task = { state: 'skipped' };
  const group: Task = { state: 'skipped', reason: 'no data', children: [inner, inner] };
  const alone: Task = { state: 'skipped', reason: 'no data' };
  const noted: Task = { state: 'skipped', note: 'no network' };
  const outer: Task = { state: 'passed', children: [group, { state: 'passed' }] };
  expect(skippedLines(modules(group, alone, noted, outer))).toEqual([
    '2 groups and 1 test skipped: no data',
    '1 test skipped: no network',
  ]);
});

test('names what is skipped without a reason', () => {
  const group: Task = { state: 'skipped', children: [{ state: 'skipped' }] };
  expect(skippedLines(modules(group, { state: 'passed' }))).toEqual([
    'skipped without a reason: some.test.ts > a > b',
  ]);
  expect(skippedLines(modules(group), true)).toEqual([]);
});
