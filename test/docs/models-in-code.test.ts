// Every snippet of docs/models-in-code.md runs, and logs what the comment behind its `console.log` says.
import { Script } from 'node:vm';
import ts from 'typescript';
import { expect, test } from 'vitest';
import * as api from '../../src/index.ts';
import { randomOf } from '../support/random.ts';
import { blocksOf, textOf } from './markdown.ts';

const random = randomOf(11);
/** What the snippets take for trained weights. */
const weight = (...dims: number[]) =>
  api.tensor(
    random.floats(
      dims.reduce((a, b) => a * b, 1),
      0.2,
    ),
    dims,
  );

const snippets = blocksOf(textOf('docs/models-in-code.md'))
  .filter(({ language }) => language === 'ts')
  .map(({ text, line }) => [line, text] as const);

test('there are snippets', () => {
  expect(snippets.length).toBeGreaterThan(8);
});

test.each(snippets)('the snippet on line %i', async (_, text) => {
  const logged: string[] = [];
  const console = {
    log: (...values: unknown[]) => logged.push(...values.map((value) => JSON.stringify(value))),
  };
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  });
  const scope = { ...api, weight, console };
  const names = Object.keys(scope).join(', ');
  const source = `(async (scope) => { const { ${names} } = scope; {\n${outputText}\n} })`;
  const run = new Script(source).runInThisContext() as (given: typeof scope) => Promise<void>;
  await run(scope);
  const said = [...text.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, comment]) => comment);
  expect(said).not.toEqual([]);
  expect(logged.join(' ')).toBe(said.join(' '));
});
