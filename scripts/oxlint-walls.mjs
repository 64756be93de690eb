// Linter plugin: which module may import which. The table below is the architecture; a new module needs a row.
// oxlint's own no-restricted-imports has no allow-lists and does not see `import()`.
import { builtinModules } from 'node:module';
import { dirname, relative, resolve, sep } from 'node:path';

// A module is a folder or file of src/, or a top-level folder. `may` lists what it may import besides itself, `types`
// what it may import with `import type`, `packages` what it may take from npm. '*' is everything.
const WALLS = {
  cells: { may: ['errors'] },
  errors: {},
  tensor: { may: ['errors'], types: ['cells'] },
  graph: { may: ['errors', 'tensor'], types: ['cells'] },
  'graph-builder': { may: ['graph', 'tensor', 'errors', 'unique-names'], types: ['cells'] },
  'unique-names': {},
  prune: { may: ['graph'] },
  float16: {},
  feeds: { may: ['graph', 'tensor', 'errors'] },
  ops: { may: ['graph', 'cells', 'tensor', 'errors', 'float16'] },
  reference: { may: ['graph', 'feeds', 'cells', 'tensor', 'errors', 'ops'] },
  simplify: {
    may: ['graph', 'prune', 'cells', 'tensor', 'errors', 'ops', 'reference', 'unique-names'],
  },
  import: {
    may: [
      'environment',
      'graph',
      'graph-builder',
      'unique-names',
      'float16',
      'cells',
      'tensor',
      'errors',
    ],
    packages: ['@bufbuild/protobuf/wire'],
  },
  layers: { may: ['graph', 'graph-builder', 'prune', 'cells', 'tensor', 'errors'] },
  'shaders/kernel': { types: ['cells'] },
  'shaders/wgsl': { packages: ['wgsl-preprocessor/wgsl-preprocessor.js'] },
  // The WGSL of cells and activations is next to their TypeScript, in cells.
  shaders: { may: ['shaders/kernel', 'shaders/wgsl', 'cells'] },
  // A plan is data, made without a GPU; what executes it knows neither plans nor models.
  plan: {
    may: [
      'plan/types',
      'graph',
      'cells',
      'tensor',
      'errors',
      'float16',
      'ops',
      'shaders',
      'shaders/kernel',
      'shaders/wgsl',
    ],
  },
  'plan/types': { types: ['ops', 'shaders/kernel', 'tensor'] },
  // The CPU backend: a program is data, made without WebAssembly; what runs it knows no model.
  wasm: {
    may: ['graph', 'cells', 'tensor', 'errors', 'float16', 'ops', 'plan'],
    packages: ['virtual:wasm-kernels'],
  },
  // Sound between an audio graph and a model: knows neither.
  audio: { may: ['errors'] },
  gpu: { may: ['environment', 'errors', 'plan/types', 'shaders/kernel'] },
  operators: { may: ['ops', 'plan', 'simplify'] },
  kernels: { may: ['plan'] },
  environment: {},
  auto: { may: ['*'] },
  model: { may: ['*'] },
  'load-model': { may: ['*'] },
  'load-options': { may: ['*'] },
  'save-model': { may: ['graph', 'import', 'cells', 'tensor', 'errors', 'unique-names'] },
  backends: { may: ['*'] },
  stream: { may: ['*'] },
  generate: { may: ['*'] },
  generation: { may: ['*'] },
  seq2seq: { may: ['*'] },
  'group-stream': { may: ['*'] },
  streams: { may: ['*'] },
  inspect: { may: ['*'] },
  cli: { may: ['*'], packages: ['node:*'] },
  'audio-node': { may: ['*'] },
  worklet: { may: ['*'], packages: ['virtual:wasm-kernels'] },
  worker: { may: ['*'] },
  'worker-model': { may: ['*'] },
  index: { may: ['*'] },
  node: { may: ['*'], packages: ['webgpu', 'node:*'] },
  'node/sleep-while-waiting': {},
  // As users do: by the public name only.
  demo: { may: ['bench'], packages: ['*'] },
  bench: { may: ['test', 'scripts'], types: ['demo'], packages: ['*'] },
  test: { may: ['*'], packages: ['*'] },
};

// Files with a row of their own.
const ANCHORS = new Set([
  'shaders/kernel',
  'shaders/wgsl',
  'plan/types',
  'node/sleep-while-waiting',
]);

/** `src/plan/memory.ts` → `plan`, `src/model.ts` → `model`, `shaders/kernel.ts` → `shaders/kernel`. */
function moduleOf(path) {
  const parts = path.replace(/(\.d)?\.[cm]?[jt]s$/, '').split(sep);
  if (parts[0] === 'src') parts.shift();
  const two = parts.slice(0, 2).join('/');
  return ANCHORS.has(two) ? two : parts[0];
}

const allows = (list, name) => list?.includes('*') || list?.includes(name);

/** What is wrong with an import in a file, or null. */
export function complaint(file, root, specifier, typeOnly) {
  const from = moduleOf(relative(root, file));
  const row = WALLS[from];
  if (!row)
    return `${from} has no row in the table of scripts/oxlint-walls.mjs; say there what it may import`;
  if (!specifier.startsWith('.')) {
    const name =
      builtinModules.includes(specifier) || specifier.startsWith('node:') ? 'node:*' : specifier;
    return allows(row.packages, name) ? null : `${from} may not import the package ${specifier}`;
  }
  const to = moduleOf(relative(root, resolve(dirname(file), specifier)));
  if (to === from || allows(row.may, to) || (typeOnly && allows(row.types, to))) return null;
  return allows(row.types, to)
    ? `${from} may import only types from ${to}`
    : `${from} may not import ${to}; the table in scripts/oxlint-walls.mjs says why`;
}

const walls = {
  create(context) {
    const check = (source, typeOnly) => {
      if (typeof source?.value !== 'string') return;
      const message = complaint(context.filename, context.cwd, source.value, typeOnly);
      if (message) context.report({ node: source, message });
    };
    const fromStatement = (node) =>
      check(node.source, (node.importKind ?? node.exportKind) === 'type');
    return {
      ImportDeclaration: fromStatement,
      ExportNamedDeclaration: fromStatement,
      ExportAllDeclaration: fromStatement,
      ImportExpression: (node) => check(node.source, false),
      TSImportType: (node) => check(node.source, true),
    };
  },
};

export default { meta: { name: 'webgpu-rnn' }, rules: { walls } };
