// Where an installed Firefox is: WEBGPU_RNN_FIREFOX, or firefox and firefox-esr on the PATH.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The path of its executable; undefined where there is none. */
export function findFirefox() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const candidates = process.env.WEBGPU_RNN_FIREFOX
    ? [process.env.WEBGPU_RNN_FIREFOX]
    : ['firefox', 'firefox-esr'].flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
