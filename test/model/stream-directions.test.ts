// A layer that needs the whole sequence is refused by name, before any step.
import { expect, test } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { loadModel, lstm, sequential, tensor } from '../../src/index.ts';

const zeros = (...dims: number[]) =>
  tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);

test.each(['reverse', 'bidirectional'] as const)('a %s layer', async (direction) => {
  const D = direction === 'bidirectional' ? 2 : 1;
  const layer = lstm({ W: zeros(D, 8, 3), R: zeros(D, 8, 2), direction, name: 'tagger' });
  const model = await loadModel(sequential([layer]), { device: 'reference' });
  expect(() => model.stream()).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED_OPERATOR',
      path: 'graph.nodes[0]',
      message: expect.stringMatching(new RegExp(`tagger.*${direction}`)),
    }),
  );
  model.dispose();
});

/** A graph of one layer and nothing else, which begins from an input where `h0` is said. */
const alone = (direction: 'forward' | 'reverse' | 'bidirectional', h0 = ''): Graph => {
  const D = direction === 'bidirectional' ? 2 : 1;
  return {
    name: 'alone',
    inputs: [
      { name: 'X', type: 'float32', dims: ['T', 1, 3] },
      ...(h0 ? [{ name: h0, type: 'float32' as const, dims: [D, 1, 2] }] : []),
    ],
    outputs: [{ name: 'Y', type: 'float32', dims: ['T', D, 1, 2] }],
    constants: new Map([
      ['W', zeros(D, 2, 3)],
      ['R', zeros(D, 2, 2)],
    ]),
    nodes: [
      {
        op: 'Recurrent',
        name: 'tagger',
        inputs: ['X', 'W', 'R', '', '', h0],
        outputs: ['Y'],
        attributes: {
          cell: 'rnn',
          direction,
          hidden: 2,
          layout: 0,
          activations: direction === 'bidirectional' ? ['Tanh', 'Tanh'] : ['Tanh'],
          alphas: [Number.NaN, Number.NaN].slice(0, D),
          betas: [Number.NaN, Number.NaN].slice(0, D),
          clip: 0,
          coupled: false,
          resetAfter: false,
          maskedOutput: 'zero',
        },
      },
    ],
  };
};

test.each([
  ['reverse', ''],
  ['bidirectional', ''],
  ['forward', 'h0'],
] as const)('a %s layer with no other node, begun from "%s"', async (direction, h0) => {
  const model = await loadModel(alone(direction, h0), { device: 'reference' });
  expect(() => model.stream()).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED_OPERATOR',
      path: 'graph.nodes[0]',
      message: expect.stringMatching(new RegExp(`tagger.*${h0 || direction}`)),
    }),
  );
  model.dispose();
});

test('a forward layer with no other node is streamed', async () => {
  const model = await loadModel(alone('forward'), { device: 'reference' });
  const { Y } = await model.stream().step({ X: zeros(4, 1, 3) });
  expect(Y!.dims).toEqual([4, 1, 1, 2]);
  model.dispose();
});
