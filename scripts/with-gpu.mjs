// Runs a command where WebGPU works, GPU or not: `node scripts/with-gpu.mjs vitest run`.
//
// The npm package @sparticuz/chromium carries a headless Chromium, the SwiftShader CPU driver and the libraries that a
// bare Linux lacks. They are unpacked once. The loader reads LD_LIBRARY_PATH only when a process starts, hence this
// launcher instead of a line in a test setup.
//
// WEBGPU_RNN_ADAPTER=swiftshader | lavapipe | system chooses the Vulkan driver of Node tests. By default a real GPU is
// used when there is one, else SwiftShader. VK_ICD_FILENAMES or VK_DRIVER_FILES, when set, are left alone.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpackChromium } from './unpack-chromium.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const PROBE_MS = 20_000; // a cold GPU driver takes about 2 s

const fail = (message) => {
  console.error(`with-gpu: ${message}`);
  process.exit(1);
};

const [command, ...args] = process.argv.slice(2);
if (!command) fail('usage: node scripts/with-gpu.mjs <command> [arguments]');

const env = { ...process.env };
env.PATH = [join(root, 'node_modules', '.bin'), env.PATH].join(delimiter);

// The unpacked binaries are for this platform only. Elsewhere Dawn uses Metal or Direct3D, and Playwright its browser.
if (process.platform === 'linux' && process.arch === 'x64') {
  const bundle = await unpackChromium(root);
  useLibraries(bundle);
  chooseDriver(bundle);
  env.WEBGPU_RNN_CHROMIUM ??= join(bundle, 'chromium');
  if (!existsSync('/etc/fonts/fonts.conf'))
    env.FONTCONFIG_FILE ??= join(bundle, 'fonts', 'fonts.conf');
}

const child = spawn(command, args, {
  env,
  stdio: 'inherit',
  shell: process.platform === 'win32', // .bin holds .cmd files there
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => fail(`${command}: ${error.message}`));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));

/** Adds the bundled libraries after those of the system, so that whatever the system has stays in use. */
function useLibraries(bundle) {
  const system = ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu', '/usr/lib64', '/lib64'];
  env.LD_LIBRARY_PATH = [
    env.LD_LIBRARY_PATH,
    ...system.filter(existsSync),
    join(bundle, 'al2023', 'lib'), // NSS, NSPR, expat
    bundle, // libvulkan.so.1
  ]
    .filter(Boolean)
    .join(':');
}

function chooseDriver(bundle) {
  if (env.VK_ICD_FILENAMES || env.VK_DRIVER_FILES) return;
  const requested = env.WEBGPU_RNN_ADAPTER || (hasRealGpu() ? 'system' : 'swiftshader');
  if (requested === 'swiftshader') env.VK_ICD_FILENAMES = join(bundle, 'vk_swiftshader_icd.json');
  else if (requested === 'lavapipe') env.VK_ICD_FILENAMES = findLavapipe();
  else if (requested !== 'system')
    fail(`WEBGPU_RNN_ADAPTER: got ${requested}, expected swiftshader, lavapipe or system`);
}

function findLavapipe() {
  for (const folder of [
    '/usr/share/vulkan/icd.d',
    '/usr/local/share/vulkan/icd.d',
    '/etc/vulkan/icd.d',
  ]) {
    const file =
      existsSync(folder) && readdirSync(folder).find((name) => /^lvp_icd.*\.json$/.test(name));
    if (file) return join(folder, file);
  }
  return fail(
    'WEBGPU_RNN_ADAPTER=lavapipe: no lvp_icd*.json; install Mesa 25 or later (mesa-vulkan-drivers)',
  );
}

/** Asks Dawn in a process of its own: a broken driver may crash or hang, and must not take the tests with it. */
function hasRealGpu() {
  const devices = existsSync('/dev/dri') ? readdirSync('/dev/dri') : [];
  const hardware =
    devices.some((name) => name.startsWith('renderD')) ||
    existsSync('/dev/nvidiactl') ||
    existsSync('/dev/dxg'); // WSL
  if (!hardware) return false;
  const probe = spawnSync(process.execPath, [join(root, 'scripts', 'probe-adapter.mjs')], {
    env,
    timeout: PROBE_MS,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
  });
  return probe.status === 0 && JSON.parse(probe.stdout).kind === 'gpu';
}
