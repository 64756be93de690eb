// docs/errors.md has a section for every code, and its messages are those that calls give.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  bidirectional,
  loadModel,
  lstm,
  type Model,
  RnnError,
  saveModel,
  sequential,
  tensor,
} from '../../src/index.ts';
import { blocksOf, textOf } from './markdown.ts';

const PAGE = textOf('docs/errors.md');

/** The sections of the page by the codes in their titles. */
const SECTIONS = new Map(
  PAGE.split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const [title, ...lines] = section.split('\n');
      return title!.split(', ').map((code) => [code, lines.join('\n')] as const);
    }),
);

test('every code has a section, with what to do, and every section a code', () => {
  const [, list] = /^const CODES = \[([^\]]*)\]/m.exec(textOf('src/errors.ts'))!;
  const codes = [...list!.matchAll(/'(\w+)'/g)].map(([, code]) => code!);
  expect(codes.length).toBeGreaterThan(10);
  expect([...SECTIONS.keys()].toSorted()).toEqual(codes.toSorted());
  for (const [code, text] of SECTIONS) expect(text, code).toContain('**What to do:**');
});

describe('messages', () => {
  const weights = () => ({ W: tensor(new Float32Array(48), [16, 3]), R: tensor(new Float32Array(64), [16, 4]) }); // prettier-ignore
  const graph = sequential([lstm(weights())]);
  const both = sequential([bidirectional(lstm(weights()), lstm(weights()))]);
  const X = tensor(new Float32Array(6), [1, 2, 3]);
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(graph, { device: 'reference' });
  });
  afterAll(() => model.dispose());

  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    INVALID_ARGUMENT: () => model.run({ x: X }),
    SHAPE_MISMATCH: () => model.run({ X: tensor(new Float32Array(8), [1, 2, 4]) }),
    INVALID_MODEL: () => loadModel(new TextEncoder().encode('<!doctype html><title>404</title>')),
    UNSUPPORTED_OPERATOR: async () => {
      const backwards = await loadModel(both, { device: 'reference' });
      return backwards.stream().step({ X });
    },
    FETCH_FAILED: () => loadModel('http://127.0.0.1:9/model.onnx'),
    LIMIT_EXCEEDED: () => loadModel(saveModel(graph), { limits: { maxBytes: 100 } }),
    DISPOSED: async () => {
      const disposed = await loadModel(graph, { device: 'reference' });
      disposed.dispose();
      return disposed.run({ X });
    },
  };

  test('each example of the page is provoked', () => {
    const shown = [...SECTIONS].filter(([, text]) => blocksOf(text).some(({ language }) => language === 'text')); // prettier-ignore
    expect(shown.map(([code]) => code).toSorted()).toEqual(Object.keys(calls).toSorted());
  });

  test.each(Object.entries(calls))('%s', async (code, call) => {
    const error = await call().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RnnError);
    expect((error as RnnError).code).toBe(code);
    const [example] = blocksOf(SECTIONS.get(code)!).filter(({ language }) => language === 'text');
    expect((error as RnnError).message).toBe(example!.text);
  });
});
