// Weights in words: every number is the nearest that the storage has, at the place the kernels read.
import { describe, expect, test } from 'vitest';
import { toHalf } from '../../src/float16.ts';
import {
  packProduct,
  productShape,
  productSize,
  type ProductLayout,
} from '../../src/plan/weights/pack.ts';
import { storedWords, storeWeights } from '../../src/plan/weights/quantize.ts';
import { halfBits } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { storedNumbers } from '../support/stored-weights.ts';

const random = randomOf(SEED);

/** Two directions, two of three blocks, sizes that fill neither a tile nor a vec4. */
const LAYOUT: ProductLayout = {
  directions: 2,
  sourceRows: 3 * 7,
  blocks: [2, 0],
  units: 7,
  tile: 4,
  width: 6,
};
const shape = productShape(LAYOUT);
const source = random.floats(2 * 3 * 7 * 6, 2);
const pack = (numbers: Float32Array): Float32Array => {
  const out = new Float32Array(productSize(LAYOUT));
  packProduct(numbers, LAYOUT, out);
  return out;
};
const store = (numbers: Float32Array, storage: 'f32' | 'f16' | 'int8') =>
  storeWeights(numbers, storage, shape, 'layer');

describe('half precision', () => {
  test('of every half, of what lies between two, and next to it', () => {
    const finite = Array.from({ length: 0x7c00 }, (_, bits) => bits);
    const valueOf = (bits: number): number =>
      bits < 1024 ? bits * 2 ** -24 : (1 + (bits & 1023) / 1024) * 2 ** ((bits >> 10) - 15);
    const numbers = finite.flatMap((bits) => {
      const [here, next] = [valueOf(bits), valueOf(bits + 1)];
      const tie = (here + next) / 2;
      return [here, tie, tie - 2 ** -13 * (tie - here), tie + 2 ** -13 * (tie - here)];
    });
    // The last tie, 65520, and what is above round to infinity.
    const weights = Float32Array.from([...numbers, ...numbers.map((x) => -x)]).filter(
      (x) => Math.abs(x) < 65520,
    );
    const words = storeWeights(weights, 'f16', { groups: 1, k4: 1, span: 1 }, 'layer');
    const halves = new Uint16Array(words.buffer);
    const wrong = [...weights].filter((x, i) => halves[i] !== halfBits(toHalf(x)));
    expect(wrong).toEqual([]);
    expect(halves.length).toBe(weights.length);
  });

  test('two a word, in the order they are read', () => {
    const packed = pack(source);
    const words = store(packed, 'f16');
    expect(words.length).toBe(storedWords('f16', shape));
    expect([...new Uint16Array(words.buffer)]).toEqual([...packed].map((x) => halfBits(toHalf(x))));
  });
});

describe('bytes', () => {
  test('times the scale of their row are the weights', () => {
    const words = store(pack(source), 'int8');
    expect(words.length).toBe(storedWords('int8', shape));
    const { groups, k4, span } = shape;
    const vectors = groups * k4 * span;
    const bytes = new Int8Array(words.buffer, 0, vectors * 4);
    const scales = new Float32Array(words.buffer, vectors * 4);
    // The scales are those of the rows in the order of the columns of a group.
    const restored = Float32Array.from(bytes, (byte, i) => {
      const group = Math.floor(i / (4 * k4 * span));
      const column = Math.floor(i / 4) % span;
      return (byte / 127) * scales[group * span + column]!;
    });
    expect([...restored]).toEqual([...pack(storedNumbers(source, 6, 'int8'))]);
  });

  test('reach 127 in every row, and rows of zeros stay zero', () => {
    const [rows, k] = [5, 8];
    const weights = random.floats(rows * k, 1e-30).fill(0, 0, k);
    const words = storeWeights(
      packRows(weights, rows, k),
      'int8',
      { groups: 1, k4: k / 4, span: rows },
      'layer',
    );
    const bytes = [...new Int8Array(words.buffer, 0, rows * k)];
    const rowOf = (row: number): number[] =>
      bytes.filter((_, i) => Math.floor(i / 4) % rows === row);
    expect(rowOf(0)).toEqual(Array.from({ length: k }, () => 0));
    for (const row of [1, 2, 3, 4]) {
      expect(Math.max(...rowOf(row).map(Math.abs)), `row ${row}`).toBe(127);
    }
  });
});

/** [rows, k] → [k/4][rows][4]. */
function packRows(weights: Float32Array, rows: number, k: number): Float32Array {
  const out = new Float32Array(weights.length);
  const layout = {
    directions: 1,
    sourceRows: rows,
    blocks: [0],
    units: rows,
    tile: rows,
    width: k,
  };
  packProduct(weights, layout, out);
  return out;
}

describe('weights that cannot be stored are refused', () => {
  const only = (weight: number): Float32Array => Float32Array.of(0, weight, 0, 0);
  const one = { groups: 1, k4: 1, span: 1 };
  test.each([
    ['f16', 65520],
    ['f16', -1e6],
    ['f16', Number.NaN],
    ['int8', Infinity],
    ['int8', Number.NaN],
  ] as const)('%s: %d', (storage, weight) => {
    expect(() => storeWeights(only(weight), storage, one, 'graph.nodes[0]')).toThrow(
      `graph.nodes[0]: has a weight of ${weight}, which weights: '${storage}' cannot hold`,
    );
  });
  test('and those at the end of half precision are not', () => {
    const words = storeWeights(only(-65519), 'f16', one, 'layer');
    expect(new Uint16Array(words.buffer)[1]).toBe(halfBits(-65504));
  });
  test('f32 holds what it is given', () => {
    const given = only(Number.NaN);
    expect(storeWeights(given, 'f32', one, 'layer')).toBe(given);
  });
});
