// Gates arrive in the order of the graph, from wherever they come.
import { describe, expect, it } from 'vitest';
import { CELLS, type CellName } from '../../src/cells/index.ts';
import {
  GATE_ORDER,
  gateBiases,
  gatesFromColumns,
  permuteGates,
} from '../../src/cells/gate-order.ts';

// The gates of each framework as its documentation lists them, in the names of the graph.
const DOCUMENTED = {
  onnx: { rnn: 'i', lstm: 'i o f c', gru: 'z r h' },
  keras: { rnn: 'i', lstm: 'i f c o', gru: 'z r h' },
  pytorch: { rnn: 'i', lstm: 'i f c o', gru: 'r z h' }, // they call c g, and h n
} as const;

describe.each(Object.keys(GATE_ORDER) as (keyof typeof GATE_ORDER)[])('%s', (framework) => {
  it.each(Object.keys(CELLS) as CellName[])('%s', (cell) => {
    const source = DOCUMENTED[framework][cell].split(' ');
    const order = GATE_ORDER[framework][cell];
    expect(Array.from(order, (k) => source[k])).toEqual(CELLS[cell].gates);
  });
});

const numbers = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => i);

describe('blocks', () => {
  it('of rows keep their rows', () => {
    // 3 gates of 2 rows of 2
    expect([...permuteGates(numbers(12), [1, 0, 2])]).toEqual([
      4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11,
    ]);
  });

  it('of columns become rows', () => {
    // [2 inputs, 2 gates · 3 units]
    expect([...gatesFromColumns(numbers(12), 2, 3, [1, 0])]).toEqual([
      3, 9, 4, 10, 5, 11, 0, 6, 1, 7, 2, 8,
    ]);
  });

  it('of biases lie one after the other, zero where there is none', () => {
    const [a, b] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8)];
    expect([...gateBiases(a, b, 2, [1, 0])]).toEqual([3, 4, 1, 2, 7, 8, 5, 6]);
    expect([...gateBiases(a, undefined, 2, [0, 1])]).toEqual([1, 2, 3, 4, 0, 0, 0, 0]);
    expect([...gateBiases(undefined, undefined, 1, [0])]).toEqual([0, 0]);
  });

  it('of another size are refused', () => {
    const refused = (path: string): unknown =>
      expect.objectContaining({ code: 'INVALID_MODEL', path });
    expect(() => permuteGates(numbers(7), [0, 1, 2], 'here')).toThrow(refused('here') as Error);
    expect(() => gatesFromColumns(numbers(7), 2, 3, [0], 'k')).toThrow(refused('k') as Error);
    expect(() => gateBiases(numbers(7), undefined, 2, [0], 'b')).toThrow(refused('b') as Error);
  });
});
