// Says once, before any test, which adapter the tests of a project compute on; stops when there is none.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

const PROBE = fileURLToPath(new URL('../../scripts/probe-adapter.mjs', import.meta.url));

export function setup(project: TestProject) {
  if (project.isBrowserEnabled()) {
    console.log(`Browser: ${process.env['WEBGPU_RNN_CHROMIUM'] ?? "Playwright's Chromium"}`);
    return;
  }
  const { stdout, stderr } = spawnSync(process.execPath, [PROBE], {
    encoding: 'utf8',
    timeout: 120_000, // a cold driver on a busy machine
  });
  const found = JSON.parse(stdout || '{"kind":"none"}');
  if (found.kind === 'none')
    throw new Error(
      `No WebGPU adapter; run the tests with \`npm test\`, which brings one.\n${stderr}`,
    );
  const { vendor, architecture, description, features } = found;
  console.log(`Adapter: ${vendor} ${architecture} (${description}); ${features.join(', ')}`);
}
