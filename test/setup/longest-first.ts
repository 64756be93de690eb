// The order of the test files. Vitest orders them by the durations of the last run, and a fresh clone has none.
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, so that none of them starts last and leaves cores idle. */
const SLOWEST = [
  'test/model/recurrent.test.ts',
  'test/shaders/operators.test.ts',
  'test/cells/own-cells.test.ts',
  'test/differential/random-graphs.test.ts',
  'test/model/nan.test.ts',
  'test/model/stack.test.ts',
  'test/plan/new-lengths.test.ts',
  'test/golden/pytorch.test.ts',
  'test/model/weights.test.ts',
  'test/golden/golden.test.ts',
  'test/shaders/nan.test.ts',
  'test/model/tune.test.ts',
];

/** Vitest's own order, which keeps the files of a project together, with the slowest of each project first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const missing = SLOWEST.filter((file) => !existsSync(join(this.ctx.config.root, file)));
    if (missing.length > 0) throw new Error(`test/setup/longest-first.ts: no file ${missing}`);
    // oxlint-disable-next-line unicorn/no-array-sort -- Vitest's, not that of an array
    const sorted = await super.sort(files);
    const projects = [...new Set(sorted.map(({ project }) => project.name))];
    const rankOf = ({ project, moduleId }: TestSpecification): number => {
      const place = SLOWEST.indexOf(relative(this.ctx.config.root, moduleId).replaceAll('\\', '/'));
      return projects.indexOf(project.name) * 1000 + (place < 0 ? SLOWEST.length : place);
    };
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}
