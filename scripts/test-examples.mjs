// Builds and runs every folder of examples/ from the packed tarball: `npm run test:examples`, after `npm run build`.
//
//   npm run test:examples -- node vite-worker     only these
//
// Each example is copied to a folder of its own and installed from the npm registry, which takes minutes. Its page is
// opened in Chromium, or its program run; all of them have to say the same. Status 1 where one does not.
import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright';
import { runnerImport } from 'vite';

// Vite, which is imported here, sets NODE_ENV for itself.
const { NODE_ENV: _, ...env } = process.env;
const run = (program, args, { cwd }) => promisify(execFile)(program, args, { cwd, env });
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const EXPECTED = /^2 open brackets, on (webgpu|wasm)$/;
const PATIENCE_MS = 120_000;
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** What each example is built with, where its page lies then, or which programs it has. */
const EXAMPLES = {
  html: { page: '.' },
  'vite-worker': { page: 'dist', tools: ['vite', 'typescript'] },
  react: { page: 'dist', tools: ['react', 'vite'] },
  esbuild: { page: 'dist', tools: ['esbuild'] },
  webpack: { page: 'dist', tools: ['webpack'] },
  next: { serve: ['next', 'start', '-p'], tools: ['next'], route: '/api/brackets' },
  node: {
    programs: [
      [process.execPath, 'main.js'],
      [process.execPath, 'main.cjs'],
    ],
  },
  deno: {
    programs: [['deno', 'run', '--allow-read', '--allow-env', 'main.js']],
    with: 'deno@2.9.6',
  },
  bun: {
    programs: [['../@oven/bun-linux-x64/bin/bun', 'main.js']],
    with: '@oven/bun-linux-x64@1.4.5',
  },
};

/** Serves a folder on loopback. */
async function serve(folder) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://site');
    const path = normalize(pathname.endsWith('/') ? `${pathname}index.html` : pathname);
    readFile(join(folder, path)).then(
      (bytes) => {
        const type = TYPES[extname(path)] ?? 'application/octet-stream';
        response.writeHead(200, { 'content-type': type }).end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, close };
}

/** What a page says in `#result`, once it says something. */
async function read(browser, url) {
  const page = await browser.newPage();
  page.on('pageerror', ({ message }) => console.error(`  ${message}`));
  await page.goto(url);
  await page.waitForFunction(
    () => !['', '…'].includes(document.querySelector('#result')?.textContent ?? ''),
    undefined,
    { timeout: PATIENCE_MS },
  );
  const words = await page.locator('#result').innerText();
  await page.close();
  return words;
}

/** Starts a server of an example's own, and waits until it answers. */
async function startServer(folder, command) {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const [name, ...args] = command;
  const program = join(folder, 'node_modules/.bin', name);
  const child = spawn(program, [...args, String(port)], { cwd: folder, env, stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}/`;
  const end = Date.now() + PATIENCE_MS;
  while (
    !(await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null || Date.now() > end) throw new Error(`${name} does not answer`);
    await new Promise((resolve) => {
      setTimeout(resolve, 300);
    });
  }
  return { url, close: () => child.kill() };
}

/** Installs, builds and runs one example. Gives what it said. */
async function tryExample(name, folder, tarball, browser) {
  const { page, programs, serve: command, route, with: runtime } = EXAMPLES[name];
  const more = runtime ? [runtime] : [];
  await run('npm', ['install', '--no-audit', '--no-fund', tarball, ...more], { cwd: folder });
  const { scripts } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  if (scripts.build) await run('npm', ['run', 'build'], { cwd: folder });
  if (programs) {
    const said = [];
    for (const [program, ...args] of programs) {
      const installed = program.startsWith('/')
        ? program
        : join(folder, 'node_modules/.bin', program);
      const { stdout } = await run(installed, args, { cwd: folder });
      said.push(stdout.trim());
    }
    return said;
  }
  const site = command ? await startServer(folder, command) : await serve(join(folder, page));
  try {
    const said = [await read(browser, site.url)];
    if (route) said.push(await (await fetch(new URL(route, site.url))).text());
    return said;
  } finally {
    site.close();
  }
}

/** `vite 8.4.0, typescript 6.0.3`. */
async function versionsOf(name, folder) {
  const { tools = [], with: runtime } = EXAMPLES[name];
  if (runtime) return runtime.replace(/@([^@]*)$/, ' $1');
  if (tools.length === 0) return name === 'node' ? `Node ${process.versions.node}` : 'no tool';
  const versions = tools.map(async (tool) => {
    const file = join(folder, 'node_modules', tool, 'package.json');
    return `${tool} ${JSON.parse(await readFile(file, 'utf8')).version}`;
  });
  return (await Promise.all(versions)).join(', ');
}

const chosen = process.argv.slice(2);
const names = chosen.length > 0 ? chosen : Object.keys(EXAMPLES);
const folder = await mkdtemp(join(tmpdir(), 'webgpu-rnn-examples-'));
await run('npm', ['pack', '--pack-destination', folder], { cwd: ROOT });
const tarball = join(
  folder,
  (await readdir(folder)).find((file) => file.endsWith('.tgz')),
);
const { module } = await runnerImport(join(ROOT, 'test/setup/chromium.ts'), { configFile: false });
const browser = await chromium.launch(module.chromiumOptions);
const rows = [];
try {
  for (const name of names) {
    const copy = join(folder, name);
    await cp(join(ROOT, 'examples', name), copy, { recursive: true });
    const said = await tryExample(name, copy, tarball, browser).catch((error) => {
      console.error(error.stdout ?? '', error.stderr ?? error);
      return ['failed'];
    });
    const isRight = said.every((words) => EXPECTED.test(words));
    rows.push({ example: name, with: await versionsOf(name, copy).catch(() => '?'), said: said.join(' · '), isRight }); // prettier-ignore
    console.log(`${isRight ? 'ok' : 'WRONG'}  ${name}: ${said.join(' · ')}`);
    await rm(copy, { recursive: true, force: true });
  }
} finally {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
}
console.table(rows);
process.exitCode = rows.every(({ isRight }) => isRight) ? 0 : 1;
