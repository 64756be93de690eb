// Plans compared with files. Where a change of the planner is meant, `vitest run -u` writes them
// anew, and the review shows which buffers and dispatches changed.
import { describe, expect, it } from 'vitest';
import { formatPlan } from '../../src/plan/format-plan.ts';
import { PLAN_CASES, planOf } from './plan-cases.ts';

describe('plans', () => {
  it.each(PLAN_CASES)('$name', async (item) => {
    await expect(`${formatPlan(planOf(item))}\n`).toMatchFileSnapshot(`golden/${item.name}.txt`);
  });
});
