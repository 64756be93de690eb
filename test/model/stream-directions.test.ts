// A layer that needs the whole sequence is refused by name, before any step.
import { expect, test } from 'vitest';
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
