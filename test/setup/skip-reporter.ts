// Prints at the end of a run what was skipped and why, so that a green run is not mistaken for a complete one.
import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';

/**
 * Lines such as `15 groups skipped: ../shared/data is not there`.
 *
 * @param filtered whether a filter skips tests as well, which therefore need no reason
 */
export function skippedLines(modules: readonly TestModule[], filtered = false): string[] {
  const reasons = new Map<string, Record<'suite' | 'test', number>>();
  const unexplained: string[] = [];
  const visit = (task: TestSuite | TestCase): void => {
    const skipped =
      task.type === 'suite' ? task.state() === 'skipped' : task.result().state === 'skipped';
    const reason = task.meta().skipReason ?? (task.type === 'test' ? noteOf(task) : undefined);
    if (skipped && reason !== undefined) {
      const counts = reasons.get(reason) ?? { suite: 0, test: 0 };
      counts[task.type]++;
      reasons.set(reason, counts);
    } else if (task.type === 'suite') {
      for (const child of task.children) visit(child);
    } else if (skipped) unexplained.push(`${task.module.relativeModuleId} > ${task.fullName}`);
  };
  for (const module of modules) for (const child of module.children) visit(child);
  return [
    ...[...reasons].map(([reason, { suite, test }]) => {
      const parts = [counted(suite, 'group'), counted(test, 'test')].filter((part) => part !== '');
      return `${parts.join(' and ')} skipped: ${reason}`;
    }),
    ...(filtered ? [] : unexplained).map((name) => `skipped without a reason: ${name}`),
  ];
}

const counted = (count: number, noun: string): string =>
  count === 0 ? '' : `${count} ${noun}${count === 1 ? '' : 's'}`;

/** The argument of `context.skip(note)`. */
function noteOf(test: TestCase): string | undefined {
  const result = test.result();
  return result.state === 'skipped' ? result.note : undefined;
}

/** Prints the lines, but for runs of tests by name (`-t`). */
export class SkipReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const { testNamePattern, tagsFilter } = this.#vitest!.config;
    if (testNamePattern !== undefined) return;
    for (const line of skippedLines(modules, tagsFilter !== undefined)) console.log(line);
  }
}
