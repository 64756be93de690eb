// Tests that need something the machine may lack: they are skipped, and the end of the run prints why.
import type { SuiteOptions } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Why a test or group is skipped; test/setup/skip-reporter.ts prints it. */
    skipReason?: string;
  }
}

/**
 * Options of a test or `describe` that runs only where `condition` holds.
 *
 * @param reason what is missing, completing "skipped: …"
 */
export const requires = (condition: boolean, reason: string): SuiteOptions =>
  condition ? {} : { skip: true, meta: { skipReason: reason } };
