// What tests in a browser ask the process that runs them.
import { existsSync, readFileSync } from 'node:fs';
import type { BrowserCommand } from 'vitest/node';
import { sharedPath } from '../support/shared-data.ts';

declare module 'vitest/browser' {
  interface BrowserCommands {
    /** A file of ../shared/data in base64; null where it is not there. */
    sharedFile: (name: string) => Promise<string | null>;
  }
}

const sharedFile: BrowserCommand<[name: string]> = (_, name) => {
  const path = sharedPath(name);
  return existsSync(path) ? readFileSync(path, 'base64') : null;
};

/** For `test.browser.commands` of Vitest. */
export const browserCommands = { sharedFile };
