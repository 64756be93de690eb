// Every TypeScript block of the documents compiles against the public API, as a user's project would: with
// `strict` and nothing beyond. A block without imports has every public name.
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { AMBIENT } from './ambient.ts';
import { blocksOf, DOCUMENTS, ROOT, textOf } from './markdown.ts';

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: [
    'lib.es2023.d.ts',
    'lib.dom.d.ts',
    'lib.dom.asynciterable.d.ts',
    'lib.esnext.disposable.d.ts',
  ],
  types: ['@webgpu/types', 'node'],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  paths: {
    'webgpu-rnn': [join(ROOT, 'src/index.ts')],
    'webgpu-rnn/node': [join(ROOT, 'src/node.ts')],
    'webgpu-rnn/worklet': [join(ROOT, 'src/worklet.ts')],
    'webgpu-rnn/worker': [join(ROOT, 'src/worker.ts')],
  },
};

/** The names of values that `webgpu-rnn` exports, as an import. */
function importAll(): string {
  const names = [...textOf('src/index.ts').matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, list]) =>
    list!.split(',').flatMap((name) => name.trim() || []),
  );
  return `import { ${names.join(', ')} } from 'webgpu-rnn'; `;
}

/** Snippets as modules by path. The code begins on the first line, so that lines of errors are right. */
function modules(): ReadonlyMap<string, string> {
  const prelude = importAll();
  const found = DOCUMENTS.flatMap((document) =>
    blocksOf(textOf(document))
      .filter(({ language }) => language === 'ts')
      .map(({ text, line }): readonly [string, string] => {
        const head = /^import /m.test(text) ? '' : prelude;
        return [join(ROOT, `${document}.${line}.ts`), `${head}${text}\nexport {};\n`];
      }),
  );
  return new Map(found);
}

test('every TypeScript snippet of the documents compiles', () => {
  const snippets = modules();
  expect(snippets.size).toBeGreaterThan(10);
  const files = new Map([...snippets, [join(ROOT, 'docs/ambient.ts'), AMBIENT]]);
  const host = ts.createCompilerHost(OPTIONS);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name) ?? readFile(name);
  host.getSourceFile = (name, target, ...rest) => {
    const text = files.get(name);
    return text === undefined
      ? getSourceFile(name, target, ...rest)
      : ts.createSourceFile(name, text, target);
  };
  host.getCurrentDirectory = () => dirname(join(ROOT, 'package.json'));
  const roots = [...files.keys(), join(ROOT, 'src/types/wgsl.d.ts')];
  const program = ts.createProgram(roots, OPTIONS, host);
  const faults = [...files.keys()].flatMap((name) => {
    const source = program.getSourceFile(name)!;
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  });
  const texts = faults.map(({ file, start, messageText }) => {
    const { line } = file!.getLineAndCharacterOfPosition(start!);
    const path = file!.fileName.slice(ROOT.length);
    const [, document = path, first = 1] = /^(.*)\.(\d+)\.ts$/.exec(path) ?? [];
    const message = ts.flattenDiagnosticMessageText(messageText, '\n');
    return `${document}:${Number(first) + line}: ${message}`;
  });
  expect(texts).toEqual([]);
});
