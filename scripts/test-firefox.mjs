// Runs the browser tests in an installed Firefox, if there is one: `npm run test:firefox`.
//
// WEBGPU_RNN_FIREFOX names the executable; else firefox and firefox-esr are looked for on the PATH. Firefox refuses
// adapters that do not come from a driver it can load, so the adapter is the system's, or lavapipe.
import { spawnSync } from 'node:child_process';
import { findFirefox } from './find-firefox.mjs';

const firefox = findFirefox();
if (!firefox) {
  console.log('test:firefox: skipped, no Firefox is installed (WEBGPU_RNN_FIREFOX names one)');
  process.exit(0);
}
const { status } = spawnSync(
  'vitest',
  ['run', '--mode', 'firefox', '--project', 'firefox', ...process.argv.slice(2)],
  { stdio: 'inherit', env: { ...process.env, WEBGPU_RNN_FIREFOX: firefox } },
);
process.exit(status ?? 1);
