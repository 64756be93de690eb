// Slices, transpositions and the like: readers that take strides read them where they are.
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { getAdapter } from '../setup/gpu.ts';
import { floats, list } from '../support/operator-case.ts';
import { expectForAll, seeds, type Drawn } from '../support/property.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';
import { dispatchesOf, expectSame, planOf, Sketch } from '../support/sketch.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const namesOf = (sketch: Sketch, ...outputs: string[]): string[] =>
  dispatchesOf(sketch.graph(...outputs), sketch.feeds).map(({ kernel }) => kernel.name);

const KINDS = 5; // of moves

const movements = fc.record({
  shape: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
  // A seed for each move: one can be left out without changing the others.
  moves: fc.array(fc.record({ kind: fc.nat(KINDS - 1), seed: seeds }), {
    minLength: 1,
    maxLength: 6,
    size: 'max',
  }),
  twoOutputs: fc.boolean(),
});

/** Adds nodes that move the elements of x about; the name of the last value. */
function addMoves(sketch: Sketch, x: string, { shape, moves }: Drawn<typeof movements>): string {
  let [last, dims] = [x, [...shape]];
  for (const { kind, seed } of moves) {
    const random = randomOf(seed);
    const axis = random.int(0, dims.length - 1);
    const size = dims[axis]!;
    const [from, to] = [random.int(0, size - 1), size];
    const ints = (...values: number[]): string => sketch.constant(list(values));
    switch (kind) {
      case 0: {
        const perm = random.permutation(dims.length);
        last = sketch.node('Transpose', [last], { perm });
        dims = perm.map((k) => dims[k]!);
        break;
      }
      case 1:
        last = sketch.node('Slice', [last, ints(from), ints(to), ints(axis), ints(1)]);
        dims[axis] = size - from;
        break;
      case 2: {
        const step = random.int(1, 2);
        last = sketch.node('Slice', [last, ints(from), ints(-99), ints(axis), ints(-step)]);
        dims[axis] = Math.floor(from / step) + 1;
        break;
      }
      case 3:
        last = sketch.node('Unsqueeze', [last, ints(axis)]);
        dims.splice(axis, 0, 1);
        if (dims.length > 4 && dims.includes(1)) {
          last = sketch.node('Squeeze', [last, ints(dims.indexOf(1))]);
          dims.splice(dims.indexOf(1), 1);
        }
        break;
      default:
        if (random.chance(0.5)) {
          last = sketch.node('Tanh', [last]);
        } else {
          last = sketch.node('Concat', [last, last], { axis });
          dims[axis] = size * 2;
        }
    }
  }
  return last;
}

it(`random moves give what copies give, seed ${SEED}`, MORE_IN_FULL, () =>
  expectForAll(movements, casesOf(5, 12), async (drawn) => {
    const sketch = new Sketch();
    const x = sketch.input(floats(randomOf(SEED), drawn.shape));
    const last = addMoves(sketch, x, drawn);
    const sum = sketch.node('Add', [last, sketch.node('Sigmoid', [last])]);
    const outputs = drawn.twoOutputs ? [sum, last] : [sum];
    await expectSame(device, sketch.graph(...outputs), sketch.feeds, 'moves');
  }),
);

it('gates are split, computed and joined without a copy', async () => {
  const random = randomOf(SEED);
  const sketch = new Sketch();
  const x = sketch.input(floats(random, [3, 1, 32]));
  const c = sketch.input(floats(random, [3, 8]));
  const parts = ['i', 'f', 'g', 'o'];
  const flat = sketch.node('Squeeze', [x, sketch.constant(list([1]))]);
  sketch.nodes.push({
    op: 'Split',
    name: 's',
    inputs: [flat],
    outputs: parts,
    attributes: { axis: 1, num_outputs: 4 },
  });
  const [i, f, o] = ['i', 'f', 'o'].map((part) => sketch.node('Sigmoid', [part]));
  const kept = sketch.node('Mul', [f!, c]);
  const added = sketch.node('Mul', [i!, sketch.node('Tanh', ['g'])]);
  const next = sketch.node('Add', [kept, added]);
  const h = sketch.node('Mul', [o!, sketch.node('Tanh', [next])]);
  const transposed = [h, c].map((part) => sketch.node('Transpose', [part], { perm: [1, 0] }));
  const joined = sketch.node('Concat', transposed, { axis: 0 });
  expect(namesOf(sketch, joined, next)).toHaveLength(4);
  await expectSame(device, sketch.graph(joined, next), sketch.feeds, 'gates');
});

it('what lies in order from the start is the buffer itself, for every reader', async () => {
  const random = randomOf(SEED);
  const sketch = new Sketch();
  const x = sketch.input(floats(random, [1, 5, 4]));
  const transposed = sketch.node('Transpose', [x], { perm: [1, 0, 2] });
  const rows = [0, 3, 0, 1].map((value) => sketch.constant(list([value])));
  const first = sketch.node('Slice', [transposed, ...rows]);
  const product = sketch.node('MatMul', [first, sketch.constant(floats(random, [4, 2]))]);
  expect(namesOf(sketch, product).map((name) => name.split('-')[0])).toEqual(['matmul']);
  await expectSame(device, sketch.graph(product), sketch.feeds, 'prefix');
});

it('a size that needs no copy compiles the copy for those that do', () => {
  const sketch = new Sketch();
  const x = sketch.input(floats(randomOf(SEED), [1, 5, 4]));
  const transposed = sketch.node('Transpose', [x], { perm: [1, 0, 2] });
  const graph = sketch.graph(transposed);
  expect(dispatchesOf(graph, sketch.feeds)).toEqual([]);
  const precompiledOf = (batch: number): string[] =>
    planOf(graph, { x0: floats(randomOf(SEED), [batch, 5, 4]) }).precompiled.map(
      ({ source }) => source,
    );
  const [two] = dispatchesOf(graph, { x0: floats(randomOf(SEED), [2, 5, 4]) });
  expect(precompiledOf(1)).toEqual([two!.kernel.source]);
});
