// Says at the end of a run what was skipped and why, so that a green run does not pass for a complete one.
import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';

/** Lines such as `15 groups skipped: ../shared/data is not there`. */
export function skippedLines(modules: readonly TestModule[]): string[] {
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
    ...unexplained.map((name) => `skipped without a reason: ${name}`),
  ];
}

const counted = (count: number, noun: string): string =>
  count === 0 ? '' : `${count} ${noun}${count === 1 ? '' : 's'}`;

/** The argument of `context.skip(note)`. */
function noteOf(test: TestCase): string | undefined {
  const result = test.result();
  return result.state === 'skipped' ? result.note : undefined;
}

/** Prints nothing where only tests of some name or tag run, for the others are skipped. */
export class SkipReporter implements Reporter {
  #filtered = false;

  onInit(vitest: Vitest): void {
    const { testNamePattern, tagsFilter } = vitest.config;
    this.#filtered = testNamePattern !== undefined || tagsFilter !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (this.#filtered) return;
    for (const line of skippedLines(modules)) console.log(line);
  }
}
