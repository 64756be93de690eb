// Changes one line of the source at a time, and asks whether the tests notice: `npm run test:mutants`.
//
//   npm run test:mutants -- lstm arena    only mutants whose name or file contains one of the words
//   npm run test:mutants -- --list        checks that every search text occurs once; runs no test
//
// Each mutant of test/mutants/list.ts runs in a copy of the working tree, with the test files that the list
// names for it, which first pass on the copy as it is. Status 1 where a mutant survives, where its tests do
// not run, or where its search text does not occur exactly once.
import { spawn } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTANTS } from '../test/mutants/list.ts';
import { type Mutant, mutate } from '../test/mutants/mutant.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAX_RUN_MS = 300_000; // a mutant may loop for ever: that counts as noticed

/** What a run of some test files came to. */
interface Outcome {
  readonly kind: 'passed' | 'failed' | 'hung' | 'did not run';
  /** The first test that failed, or the output of a run without results. */
  readonly detail: string;
}

/** The files of a working tree that git knows or would add, in a folder of their own. */
function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'webgpu-rnn-mutants-'));
  const list = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], { cwd: ROOT });
  for (const file of list.toString().split('\0')) {
    if (file !== '' && existsSync(join(ROOT, file))) cpSync(join(ROOT, file), join(copy, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** The parts of Vitest's JSON report that are read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
    }[];
  }[];
}

let stopChild = (): void => undefined;

function runTests(copy: string, files: readonly string[]): Promise<Outcome> {
  const report = join(copy, 'mutant-report.json');
  rmSync(report, { force: true });
  const args = ['run', '--project=node', '--project=alone', '--bail=1', '--reporter=json'];
  return new Promise((done) => {
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const child = spawn(process.execPath, [vitest, ...args, '--outputFile', report, ...files], {
      cwd: copy,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => (output = `${output}${data}`.slice(-2000)));
    }
    // Vitest forks: the signal goes to its group.
    const stop = (): void => void process.kill(-child.pid!, 'SIGKILL');
    stopChild = stop;
    let isHung = false;
    const timer = setTimeout(() => {
      isHung = true;
      stop();
    }, MAX_RUN_MS);
    child.on('exit', (code) => {
      clearTimeout(timer);
      stopChild = () => undefined;
      if (isHung) return done({ kind: 'hung', detail: `no end after ${MAX_RUN_MS / 1000} s` });
      if (code === 0) return done({ kind: 'passed', detail: '' });
      done(existsSync(report) ? outcomeOf(report, copy) : { kind: 'did not run', detail: output });
    });
  });
}

function outcomeOf(report: string, copy: string): Outcome {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  for (const { name, message, assertionResults } of testResults) {
    const file = name.slice(copy.length + 1);
    const failed = assertionResults.find(({ status }) => status === 'failed');
    if (failed) return { kind: 'failed', detail: `${file}: ${failed.fullName}` };
    if (assertionResults.length === 0 && message !== '')
      return { kind: 'did not run', detail: `${file}: ${message}` };
  }
  return { kind: 'did not run', detail: 'no test failed, and the run did' };
}

/** The mutants to run; a text that does not occur once ends the program. */
function chosenMutants(words: readonly string[]): readonly Mutant[] {
  const faults = MUTANTS.flatMap((mutant) => {
    try {
      mutate(mutant, readFileSync(join(ROOT, mutant.file), 'utf8'));
      const missing = mutant.tests.filter((file) => !existsSync(join(ROOT, file)));
      return missing.map((file) => `${mutant.name}: there is no ${file}`);
    } catch (error) {
      return [(error as Error).message];
    }
  });
  if (faults.length > 0) {
    console.error(faults.join('\n'));
    process.exit(1);
  }
  if (words.length === 0) return MUTANTS;
  return MUTANTS.filter(({ name, file }) => words.some((word) => `${name} ${file}`.includes(word)));
}

async function runMutant(copy: string, mutant: Mutant): Promise<boolean> {
  const file = join(copy, mutant.file);
  const original = readFileSync(file, 'utf8');
  const start = performance.now();
  writeFileSync(file, mutate(mutant, original));
  const { kind, detail } = await runTests(copy, mutant.tests);
  writeFileSync(file, original);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const isCaught = kind === 'failed' || kind === 'hung';
  const verdict = isCaught ? 'caught  ' : kind === 'passed' ? 'SURVIVES' : 'NO RUN  ';
  const by = isCaught ? detail.replaceAll(/\s+/g, ' ').slice(0, 120) : detail;
  console.log(`${verdict} ${seconds.padStart(6)} s  ${mutant.name}  (${mutant.file})  ${by}`);
  return isCaught;
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const mutants = chosenMutants(args.filter((arg) => !arg.startsWith('--')));
  if (args.includes('--list')) {
    console.log(`${MUTANTS.length} mutants, every search text occurs once`);
    return;
  }
  const copy = copyTree();
  const clean = (): void => rmSync(copy, { recursive: true, force: true });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stopChild();
      clean();
      process.exit(130);
    });
  }
  try {
    const files = [...new Set(mutants.flatMap(({ tests }) => tests))];
    const before = await runTests(copy, files);
    if (before.kind !== 'passed') {
      console.error(`The tests fail without a mutant: ${before.detail}`);
      process.exitCode = 1;
      return;
    }
    let caught = 0;
    for (const mutant of mutants) if (await runMutant(copy, mutant)) caught++;
    console.log(`${caught} of ${mutants.length} mutants caught`);
    if (caught < mutants.length) process.exitCode = 1;
  } finally {
    clean();
  }
}

await main();
