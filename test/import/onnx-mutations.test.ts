// No bytes whatsoever make the importer do anything but return a graph or throw an RnnError.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RnnError } from '../../src/errors.ts';
import { validateGraph } from '../../src/graph.ts';
import type { ImportLimits } from '../../src/import/limits.ts';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { simplify } from '../../src/simplify/index.ts';
import { tensor } from '../../src/tensor.ts';
import { writeOnnx, type OnnxGraph } from '../support/onnx-writer.ts';
import { SEED } from '../support/settings.ts';

/** Imports and simplifies; true when that worked, false for an RnnError, anything else escapes. */
function survives(file: Uint8Array): boolean {
  try {
    validateGraph(simplify(importOnnx(file)));
    return true;
  } catch (error) {
    if (!(error instanceof RnnError)) throw error;
    expect(error.message).not.toBe('');
    return false;
  }
}

const branch = (name: string): OnnxGraph => ({
  nodes: [{ op: 'Mul', inputs: ['Y_h', 'scale'], outputs: [name] }],
  outputs: [{ name, type: 'float32' }],
  initializers: { [`${name}_unused`]: tensor([1, 2]) },
});

/** A little of everything: typed and raw weights, attributes of all kinds, sub-graphs, old axes. */
const SMALL = writeOnnx(
  {
    nodes: [
      { op: 'Constant', inputs: [], outputs: ['scale'], attributes: { value: tensor([2]) } },
      {
        op: 'LSTM',
        name: 'layer',
        inputs: ['X', 'W', 'R', '', '', 'h0'],
        outputs: ['', 'Y_h'],
        attributes: { hidden_size: 1, activations: ['Sigmoid', 'Tanh', 'Tanh'], clip: 3.5 },
      },
      {
        op: 'If',
        inputs: ['flag'],
        outputs: ['chosen'],
        attributes: { then_branch: branch('then'), else_branch: branch('else') },
      },
      { op: 'Squeeze', inputs: ['chosen'], outputs: ['flat'], attributes: { axes: [0, 1] } },
      { op: 'Softmax', inputs: ['flat'], outputs: ['Y'] },
    ],
    inputs: [
      { name: 'X', type: 'float32', dims: ['T', 1, 2] },
      { name: 'h0', type: 'float32', dims: [1, 1, 1] },
    ],
    outputs: [{ name: 'Y', type: 'float32', dims: [1] }],
    initializers: {
      W: tensor([1, 2, 3, 4, 5, 6, 7, 8], [1, 4, 2]),
      R: tensor([1, 2, 3, 4], [1, 4, 1]),
      flag: tensor(Uint8Array.of(1), [], 'bool'),
    },
  },
  { opset: 11, irVersion: 6 },
);

describe('damaged files', () => {
  it('the file itself is sound', () => {
    expect(survives(SMALL)).toBe(true);
  });

  it('truncated at any byte it is refused, or has lost what it need not have', () => {
    const survivors: number[] = [];
    for (let length = 0; length < SMALL.length; length++) {
      if (survives(SMALL.slice(0, length))) survivors.push(length);
    }
    // Without its last field, the operator set, it is none; nothing shorter is.
    expect(survivors).toEqual([]);
  });

  it('with any one byte changed it ends with a graph or an RnnError', () => {
    let sound = 0;
    for (let at = 0; at < SMALL.length; at++) {
      for (const value of [0x00, 0x01, 0x7f, 0x80, 0xff, SMALL[at]! ^ 0x20]) {
        const file = SMALL.slice();
        file[at] = value;
        if (survives(file)) sound++;
      }
    }
    expect(sound).toBeGreaterThan(0); // the letters of names, the numbers of weights
  });

  it('with many bytes changed it ends with a graph or an RnnError', () => {
    const mutation = fc.oneof(
      fc.record({ kind: fc.constant('set'), at: fc.nat(), value: fc.nat(255) }),
      fc.record({ kind: fc.constant('insert'), at: fc.nat(), value: fc.nat(255) }),
      fc.record({ kind: fc.constant('remove'), at: fc.nat(), value: fc.nat(40) }),
      fc.record({ kind: fc.constant('repeat'), at: fc.nat(), value: fc.nat(40) }),
    );
    const runs = Number(process.env['FUZZ_RUNS'] ?? 3000); // FUZZ_RUNS=200000 for a long look
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
        let file = Array.from(SMALL);
        for (const { kind, at, value } of mutations) {
          const i = at % file.length;
          if (kind === 'set') file[i] = value;
          else if (kind === 'insert') file = file.toSpliced(i, 0, value);
          else if (kind === 'remove') file = file.toSpliced(i, value);
          else file = file.toSpliced(i, 0, ...file.slice(i, i + value));
        }
        survives(Uint8Array.from(file));
      }),
      { numRuns: runs, seed: SEED },
    );
  });

  it('random bytes end with an RnnError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (file) => {
        expect(survives(file)).toBe(false);
      }),
      { numRuns: 2000, seed: SEED },
    );
  });
});

describe('limits', () => {
  it.each<[keyof ImportLimits, number]>([
    ['maxBytes', SMALL.length - 1],
    ['maxElements', 7],
    ['maxConstantBytes', 32],
    ['maxTensors', 2],
    ['maxNodes', 3],
    ['maxEntries', 10],
    ['maxDepth', 0],
    ['maxRank', 2],
    ['maxNameLength', 2],
  ])('%s is kept', (limit, value) => {
    expect(() => importOnnx(SMALL, { limits: { [limit]: value } })).toThrow(
      expect.objectContaining({
        code: 'LIMIT_EXCEEDED',
        message: expect.stringContaining(`limits.${limit}`),
      }),
    );
  });

  it.each([NaN, -1, 'many' as unknown as number])('a limit of %s is refused', (value) => {
    expect(() => importOnnx(SMALL, { limits: { maxNodes: value } })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', path: 'limits.maxNodes' }),
    );
  });
});
