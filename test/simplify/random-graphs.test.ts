// Random graphs with constants, dead ends, copies and branches compute the same when simplified.
import { expect, it } from 'vitest';
import { isGraph, validateGraph, type Graph, type Node } from '../../src/graph.ts';
import { runReference } from '../../src/reference.ts';
import { simplify } from '../../src/simplify/index.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { randomOf, SEED, type Random } from '../support/random.ts';

const UNARY = ['Neg', 'Tanh', 'Identity', 'Relu', 'Dropout', 'Cast', 'Sigmoid', 'Abs'];
const BINARY = ['Add', 'Sub', 'Mul', 'Max', 'Min'];
// Few names, so that sub-graphs often use those of their siblings.
const INNER_NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

const infos = (names: readonly string[]): Graph['outputs'] =>
  names.map((name) => ({ name, type: 'float32', dims: [3] }));

/** Nodes that read from `visible`, and what they make; every value is float32 [3]. */
function randomGraph(
  random: Random,
  visible: readonly string[],
  conditions: readonly string[],
  depth: number,
): Graph {
  const constants = new Map<string, Tensor>();
  const nodes: Node[] = [];
  const values = [...visible];
  const own: string[] = [];
  const names = depth === 0 ? undefined : INNER_NAMES.filter((name) => !visible.includes(name));
  const fresh = (): string => {
    const name =
      names === undefined ? `v${own.length}` : (names.shift() ?? `${depth}_${own.length}`);
    own.push(name);
    return name;
  };
  for (let i = random.int(0, 2); i > 0; i--) {
    const name = fresh();
    constants.set(name, tensor(random.floats(3)));
    values.push(name);
  }
  const steps = random.int(1, depth === 0 ? 12 : 4);
  for (let i = 0; i < steps; i++) {
    const [p, q] = [random.pick(values), random.pick(values)];
    const kind = random.next();
    const name = `${depth}_n${i}`;
    if (kind < 0.2 && depth < 3) {
      const [then_branch, else_branch] = [0, 1].map(() =>
        randomGraph(random, values, conditions, depth + 1),
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
    const op = kind < 0.6 ? random.pick(UNARY) : random.pick(BINARY);
    const output = fresh();
    const attributes: Node['attributes'] = op === 'Cast' ? { to: 'float32' } : {};
    const inputs = BINARY.includes(op) ? [p, q] : [p];
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

function randomModel(random: Random): Graph {
  const conditions = ['yes', 'no', 'maybe'];
  const graph = randomGraph(random, ['x', 'y'], conditions, 0);
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

it('random graphs give the same outputs', () => {
  const random = randomOf(SEED);
  let [before, after] = [0, 0];
  for (let i = 0; i < 1500; i++) {
    const graph = randomModel(random);
    validateGraph(graph);
    const simple = simplify(graph);
    const label = `SEED=${SEED} graph ${i}`;
    validateGraph(simple);
    expect(simple.outputs, label).toEqual(graph.outputs);
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
        expectClose(data, expected.get(name)!.data, {
          atol: 1e-6,
          rtol: 1e-6,
          label: `${label} ${name}`,
        });
      }
    }
    expect(simplify(simple), label).toEqual(simple);
  }
  expect(after).toBeLessThan(before / 2);
});
