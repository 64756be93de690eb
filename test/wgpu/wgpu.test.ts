// Kernels and models under wgpu and naga, which Firefox has, through Deno: `npm run test:wgpu`. Everything else
// is tested on Dawn and Tint. Deno is fetched by npm exec when it is wanted: it has 130 MB, and no other test needs it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { importOnnx } from '../../src/import/onnx/index.ts';
import type { LoadOptions } from '../../src/index.ts';
import { kernelsOf } from '../../src/plan/types.ts';
import { runReference } from '../../src/reference.ts';
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';
import { PLAN_CASES, planOf } from '../plan/plan-cases.ts';
import { elementwiseCases } from '../shaders/elementwise-cases.ts';
import { foldCases } from '../shaders/fold-cases.ts';
import { productCases } from '../shaders/product-cases.ts';
import { inferCase, nodeOf } from '../support/operator-case.ts';
import { exampleOf } from '../support/property.ts';
import { recurrentCases } from '../support/random-recurrent.ts';
import type { RecurrentRestrictions } from '../support/recurrent-config.ts';
import { randomOf } from '../support/random.ts';
import { requires } from '../support/requires.ts';
import { SEED } from '../support/settings.ts';
import { storedWeights } from '../support/stored-weights.ts';

const DENO = 'deno@2.9.6';
const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const DIST = path('../../dist/index.js');
const GOLDENS = path('../golden/pytorch/');

interface ModelCase {
  readonly group: string;
  readonly name: string;
  readonly graph?: object;
  readonly onnx?: string;
  readonly feeds: object;
  readonly expected: Readonly<Record<string, readonly number[]>>;
  readonly options: LoadOptions;
  readonly atol: number;
}

const plain = ({ type, dims, data }: Tensor) => ({ type, dims, data: Array.from(data, Number) });
const plainAll = (tensors: Iterable<readonly [string, Tensor]>) =>
  Object.fromEntries([...tensors].map(([name, value]) => [name, plain(value)]));
const expectedOf = (graph: Graph, feeds: Readonly<Record<string, Tensor>>) =>
  Object.fromEntries([...runReference(graph, feeds)].map(([name, { data }]) => [name, [...data]]));

const LAYERS: readonly (readonly [string, RecurrentRestrictions, LoadOptions, number])[] = [
  ...(['lstm', 'gru', 'rnn'] as const).flatMap((cell) =>
    (['step', 'persistent'] as const).map(
      (recurrentKernel) => [cell, { cell, T: 7, B: 3 }, { recurrentKernel }, 1e-5] as const,
    ),
  ),
  ...(['lstm', 'gru', 'rnn'] as const).flatMap((cell) => [
    [
      `${cell}, lengths`,
      { cell, direction: 'bidirectional', packed: true, T: 7 },
      {},
      1e-5,
    ] as const,
    [`${cell}, mask`, { cell, direction: 'reverse', masked: true, T: 7 }, {}, 1e-5] as const,
  ]),
  ['one step', { hidden: 64, T: 1 }, {}, 1e-5],
  ['uneven slices', { cell: 'lstm', hidden: 100, T: 5 }, { recurrentKernel: 'step' }, 1e-5],
  ['f16 weights', { cell: 'lstm', T: 7, B: 3 }, { weights: 'f16' }, 1e-5],
  ['int8 weights', { cell: 'gru', T: 7, B: 3 }, { weights: 'int8' }, 1e-5],
  // Four products are added up in half precision: 2^-11 each, damped by the gates.
  ['f16 arithmetic', { cell: 'lstm', hidden: 64, T: 7, B: 3 }, { arithmetic: 'f16' }, 5e-3],
];

const layers = (): ModelCase[] =>
  LAYERS.map(([name, restrictions, options, atol], i) => {
    const given = { maxHidden: 67, activations: undefined, ...restrictions };
    const { activations: _, ...fixed } = given;
    const { graph, feeds } = exampleOf(recurrentCases(fixed), SEED + i);
    const weights = options.arithmetic ? 'f16' : options.weights;
    return {
      group: 'layers',
      name: `${name} ${JSON.stringify(options)}`,
      graph: { ...graph, constants: plainAll(graph.constants) },
      feeds: plainAll(Object.entries(feeds)),
      expected: expectedOf(storedWeights(graph, weights), feeds),
      options,
      atol,
    };
  });

/** The exported models of test/golden/pytorch, with every free size 3 and every integer 1. */
const goldens = (): ModelCase[] =>
  readdirSync(GOLDENS)
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => {
      const graph = importOnnx(readFileSync(join(GOLDENS, name)));
      const random = randomOf(SEED);
      const feeds = Object.fromEntries(
        graph.inputs.map(({ name: input, type, dims }) => {
          const sizes = dims.map((dim) => (typeof dim === 'number' ? dim : 3));
          const numbers = random.floats(sizeOf(sizes));
          const data = type === 'float32' ? numbers : numbers.map(() => 1);
          return [input, tensor(Array.from(data), sizes, type)];
        }),
      );
      return {
        group: 'test/golden/pytorch',
        name,
        onnx: join(GOLDENS, name),
        feeds: plainAll(Object.entries(feeds)),
        expected: expectedOf(graph, feeds),
        options: {},
        atol: 1e-5,
      };
    });

const operators = (): ModelCase[] =>
  Object.entries({ ...elementwiseCases, ...foldCases, ...productCases }).map(([op, make]) => {
    const operatorCase = { op, ...make(randomOf(SEED), 2) };
    const node = nodeOf(operatorCase);
    const given = operatorCase.inputs.flatMap((value, slot) =>
      value ? [[`x${slot}`, value] as const] : [],
    );
    const feeds = Object.fromEntries(given.slice(0, 1));
    const graph: Graph = {
      name: op,
      inputs: given.slice(0, 1).map(([name, { type, dims }]) => ({ name, type, dims })),
      outputs: inferCase(operatorCase).map((value, slot) => ({ name: `y${slot}`, ...value })),
      constants: new Map(given.slice(1)),
      nodes: [node],
    };
    const expected = expectedOf(graph, feeds);
    const largest = Math.max(1, ...Object.values(expected).flat().map(Math.abs));
    return {
      group: 'operators',
      name: op,
      graph: { ...graph, constants: plainAll(graph.constants) },
      feeds: plainAll(Object.entries(feeds)),
      expected,
      options: {},
      atol: 1e-5 * largest,
    };
  });

interface Report {
  readonly adapter: string | null;
  readonly kernels: readonly { name: string; error?: string; skipped?: string }[];
  readonly models: readonly {
    group: string;
    name: string;
    error?: string;
    off?: number;
    atol?: number;
  }[];
}

const LAVAPIPE = '/usr/share/vulkan/icd.d/lvp_icd.json';
const env = { ...process.env };
if (!env['VK_ICD_FILENAMES'] && existsSync(LAVAPIPE)) env['VK_ICD_FILENAMES'] = LAVAPIPE;
const folder = mkdtempSync(join(tmpdir(), 'wgpu-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs Deno in a folder of its own, so that npm leaves the project as it is. */
const deno = (...args: string[]) => {
  const command = ['exec', '--yes', `--package=${DENO}`, '--', 'deno', ...args];
  return spawnSync('npm', command, { cwd: folder, env, encoding: 'utf8', maxBuffer: 2 ** 28 });
};
const hasDeno = deno('--version').status === 0;
const isBuilt = existsSync(DIST);

function runAll(): Report {
  const kernels = PLAN_CASES.flatMap((item) =>
    [...kernelsOf(planOf(item)).values()].map(({ name, source, enables }) => ({
      name: `${item.name} ${name}`,
      source,
      enables,
    })),
  );
  const models = [...layers(), ...goldens(), ...operators()];
  const file = join(folder, 'cases.json');
  const withNonFinite = (_: string, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? { number: String(value) } : value;
  writeFileSync(file, JSON.stringify({ kernels, models }, withNonFinite));
  const program = path('deno.mjs');
  const { stdout, stderr } = deno('run', '-A', '--unstable-webgpu', program, file, DIST);
  const line = stdout.trim().split('\n').at(-1) ?? '';
  if (!line.startsWith('{')) throw new Error(`Deno gave no report: ${stdout}\n${stderr}`);
  return JSON.parse(line) as Report;
}

const why = hasDeno ? 'no dist/: npm run build' : `npm exec does not get ${DENO}`;
test('every kernel and model under wgpu', requires(hasDeno && isBuilt, why), ({ skip }) => {
  const { adapter, kernels, models } = runAll();
  if (adapter === null) skip('Deno finds no WebGPU adapter');
  const skipped = kernels.filter((kernel) => kernel.skipped);
  const groups = new Set(models.map(({ group }) => group));
  const wrong = models.filter(({ error, off, atol }) => error || !(off! <= atol!));
  console.table([
    {
      cases: 'kernels compiled',
      count: kernels.length - skipped.length,
      skipped: `${skipped.length} ${[...new Set(skipped.map((each) => each.skipped))].join(', ')}`,
      'worst error': '',
      adapter,
    },
    ...[...groups].map((cases) => {
      const errors = models.flatMap(({ group, off }) => (group === cases ? (off ?? 0) : []));
      const worst = Math.max(...errors).toExponential(1);
      return { cases, count: errors.length, skipped: '0', 'worst error': worst, adapter };
    }),
  ]);
  expect(kernels.filter(({ error }) => error)).toEqual([]);
  expect(wrong).toEqual([]);
});
