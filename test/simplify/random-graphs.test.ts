// Random graphs with constants, dead ends, copies and branches compute the same when simplified.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isGraph, validateGraph, type Graph, type Node } from '../../src/graph.ts';
import { runReference } from '../../src/reference.ts';
import { simplify } from '../../src/simplify/index.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { expectForAll, oneOf, seeds, times } from '../support/property.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';

const UNARY = ['Neg', 'Tanh', 'Identity', 'Relu', 'Dropout', 'Cast', 'Sigmoid', 'Abs'];
const BINARY = ['Add', 'Sub', 'Mul', 'Max', 'Min'];
// Few names, so that sub-graphs often use those of their siblings.
const INNER_NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

const infos = (names: readonly string[]): Graph['outputs'] =>
  names.map((name) => ({ name, type: 'float32', dims: [3] }));

/** A node to be, with its own seed, so that others can be left out without changing it; branches where it is an If. */
interface Step {
  readonly kind: 'unary' | 'binary' | 'if';
  readonly seed: number;
  readonly branches: readonly (readonly Step[])[];
}

/** Steps of a graph: up to 12 in the outer one, up to 4 in branches, which are up to three deep. */
const stepsOf = (depth: number): fc.Arbitrary<Step[]> => {
  const kinds = ['unary', 'unary', 'binary', 'binary', ...(depth < 3 ? (['if'] as const) : [])];
  const step: fc.Arbitrary<Step> = oneOf(kinds as Step['kind'][]).chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      seed: seeds,
      branches: kind === 'if' ? times(2, stepsOf(depth + 1)) : fc.constant([]),
    }),
  );
  return fc.array(step, { minLength: 1, maxLength: depth === 0 ? 12 : 4, size: 'max' });
};

/** Nodes that read from `visible`, and what they make; every value is float32 [3]. */
function graphOf(
  steps: readonly Step[],
  visible: readonly string[],
  conditions: readonly string[],
  depth: number,
): Graph {
  const constants = new Map<string, Tensor>();
  const nodes: Node[] = [];
  const values = [...visible];
  const local: string[] = [];
  const names = depth === 0 ? undefined : INNER_NAMES.filter((name) => !visible.includes(name));
  const fresh = (): string => {
    const name =
      names === undefined ? `v${local.length}` : (names.shift() ?? `${depth}_${local.length}`);
    local.push(name);
    return name;
  };
  let random = randomOf(steps[0]!.seed);
  for (let i = random.int(0, 2); i > 0; i--) {
    const name = fresh();
    constants.set(name, tensor(random.floats(3)));
    values.push(name);
  }
  for (const [i, { kind, seed, branches }] of steps.entries()) {
    random = randomOf(seed);
    const [p, q] = [random.pick(values), random.pick(values)];
    const name = `${depth}_n${i}`;
    if (kind === 'if') {
      const [then_branch, else_branch] = branches.map((branch) =>
        graphOf(branch, values, conditions, depth + 1),
      );
      const outputs = [fresh(), random.chance(0.5) ? fresh() : ''];
      nodes.push({
        op: 'If',
        name,
        inputs: [random.pick(conditions)],
        outputs,
        attributes: { then_branch: then_branch!, else_branch: else_branch! },
      });
      values.push(...outputs.filter((output) => output !== ''));
      continue;
    }
    const op = random.pick(kind === 'unary' ? UNARY : BINARY);
    const output = fresh();
    const attributes: Node['attributes'] = op === 'Cast' ? { to: 'float32' } : {};
    const inputs = kind === 'binary' ? [p, q] : [p];
    nodes.push({ op, name, inputs, outputs: [output], attributes });
    values.push(output);
  }
  // Branches have two outputs; the graph has some, among them copies of its inputs and constants.
  const outputs =
    depth > 0
      ? [random.pick(values), random.pick(values)]
      : [...new Set([0, 1, 2].map(() => random.pick(values)))];
  return { name: 'random', inputs: [], outputs: infos(outputs), constants, nodes };
}

function modelOf(steps: readonly Step[]): Graph {
  const conditions = ['yes', 'no', 'maybe'];
  const graph = graphOf(steps, ['x', 'y'], conditions, 0);
  const bool = (value: number): Tensor => tensor(Uint8Array.of(value), [], 'bool');
  return {
    ...graph,
    inputs: [...infos(['x', 'y']), { name: 'maybe', type: 'bool', dims: [] }],
    constants: new Map([...graph.constants, ['yes', bool(1)], ['no', bool(0)]]),
  };
}

const countIfs = (graph: Graph): number =>
  graph.nodes.reduce(
    (sum, { op, attributes }) =>
      sum +
      Number(op === 'If') +
      Object.values(attributes).reduce<number>(
        (inner, v) => inner + (isGraph(v) ? countIfs(v) : 0),
        0,
      ),
    0,
  );

it(`random graphs give the same outputs, seed ${SEED}`, MORE_IN_FULL, async () => {
  const random = randomOf(SEED);
  let [before, after] = [0, 0];
  await expectForAll(stepsOf(0), casesOf(300, 1500), (steps) => {
    const graph = modelOf(steps);
    validateGraph(graph);
    const simple = simplify(graph);
    validateGraph(simple);
    expect(simple.outputs).toEqual(graph.outputs);
    before += countIfs(graph);
    after += countIfs(simple);
    for (const maybe of [0, 1]) {
      const feeds = {
        x: tensor(random.floats(3)),
        y: tensor(random.floats(3)),
        maybe: tensor(Uint8Array.of(maybe), [], 'bool'),
      };
      const expected = runReference(graph, feeds);
      for (const [name, { data }] of runReference(simple, feeds)) {
        expectClose(data, expected.get(name)!.data, { atol: 1e-6, rtol: 1e-6, label: name });
      }
    }
    expect(simplify(simple)).toEqual(simple);
  });
  expect(after).toBeLessThan(before / 2);
});
