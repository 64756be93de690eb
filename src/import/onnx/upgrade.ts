// Nodes of older operator sets → nodes that mean the same in opset 22.
// https://github.com/onnx/onnx/blob/main/docs/Changelog.md
import { RnnError } from '../../errors.ts';
import type { Attribute, Node } from '../../graph.ts';
import type { Tensor } from '../../tensor.ts';
import { causalConvolution, linearAttention } from './functions.ts';
import type { UpgradeContext } from './upgrade-context.ts';
import { expandQuantized, isQuantized } from './quantized.ts';
import { elementType } from './types.ts';

/** The node as opset 22 writes it; several where one will not do, the last with the outputs. */
export function upgrade(node: Node, context: UpgradeContext): readonly Node[] {
  // Before opset 7 shapes were aligned by hand; such a node under a newer opset would be misread.
  if (node.attributes['broadcast']) {
    const what = `${node.op} '${node.name}' aligns its inputs as before opset 7`;
    throw new RnnError('INVALID_MODEL', `${context.path}.broadcast`, what);
  }
  const moved = moveAttributes(node, context);
  if (isQuantized(node.op)) return expandQuantized(moved, context);
  const change = Object.hasOwn(CHANGES, node.op) ? CHANGES[node.op] : undefined;
  return change && context.opset < change.until ? change.apply(moved, context) : [moved];
}

/** An attribute that later became an input: its slot and how it is written as a tensor. */
type Move = readonly [attribute: string, slot: number, kind: 'ints' | 'int' | 'float' | 'floats'];

const REDUCE: readonly Move[] = [['axes', 1, 'ints']];

// Whatever the opset says, such an attribute was meant: files that mix both forms exist.
const MOVES: Readonly<Record<string, readonly Move[]>> = {
  Squeeze: [['axes', 1, 'ints']], // 13
  Unsqueeze: [['axes', 1, 'ints']], // 13
  Split: [['split', 1, 'ints']], // 13
  Clip: [
    ['min', 1, 'float'],
    ['max', 2, 'float'],
  ], // 11
  Pad: [
    ['pads', 1, 'ints'],
    ['value', 2, 'float'],
  ], // 11
  Slice: [
    ['starts', 1, 'ints'],
    ['ends', 2, 'ints'],
    ['axes', 3, 'ints'],
  ], // 10
  TopK: [['k', 1, 'int']], // 10
  Upsample: [['scales', 1, 'floats']], // 9
  Dropout: [['ratio', 1, 'float']], // 12
  ReduceSum: REDUCE, // 13, the others 18
  ReduceMean: REDUCE,
  ReduceMax: REDUCE,
  ReduceMin: REDUCE,
  ReduceProd: REDUCE,
  ReduceL1: REDUCE,
  ReduceL2: REDUCE,
  ReduceLogSum: REDUCE,
  ReduceLogSumExp: REDUCE,
  ReduceSumSquare: REDUCE,
};

function moveAttributes(node: Node, { path, constant }: UpgradeContext): Node {
  const moves = Object.hasOwn(MOVES, node.op) ? MOVES[node.op]! : [];
  const attributes = new Map(Object.entries(node.attributes));
  const inputs = [...node.inputs];
  for (const [name, slot, kind] of moves) {
    const value = attributes.get(name);
    if (value === undefined) continue;
    attributes.delete(name);
    // An empty list says as much as none; but Unsqueeze needs its axes.
    if (isEmpty(value) && slot === 1 && node.op !== 'Unsqueeze' && node.op !== 'Pad') continue;
    if (inputs[slot]) {
      const what = `${node.op} '${node.name}' has it as an attribute and as an input`;
      throw new RnnError('INVALID_MODEL', `${path}.${name}`, what);
    }
    while (inputs.length < slot) inputs.push('');
    inputs[slot] = constant(`${node.name}/${name}`, toInput(value, kind, `${path}.${name}`));
  }
  return { ...node, inputs, attributes: Object.fromEntries(attributes) };
}

const isEmpty = (value: Attribute): boolean => Array.isArray(value) && value.length === 0;

function toInput(value: Attribute, kind: Move[2], path: string): Tensor {
  const numbers = kind.endsWith('s') ? value : [value];
  if (!Array.isArray(numbers) || !numbers.every((number) => typeof number === 'number')) {
    throw new RnnError('INVALID_MODEL', path, `got something else, expected ${kind}`);
  }
  if (kind.startsWith('float')) {
    const dims = kind === 'float' ? [] : [numbers.length];
    return { type: 'float32', dims, data: Float32Array.from(numbers) };
  }
  numbers.forEach((number, i) => {
    if (!Number.isSafeInteger(number)) {
      throw new RnnError(
        'INVALID_MODEL',
        `${path}[${i}]`,
        `got ${number}, expected a whole number`,
      );
    }
  });
  return { type: 'int64', dims: [numbers.length], data: BigInt64Array.from(numbers, BigInt) };
}

/** A change of meaning, for files of an opset below `until`. */
interface Change {
  readonly until: number;
  readonly apply: (node: Node, context: UpgradeContext) => readonly Node[];
}

const ALWAYS = Infinity;

const CHANGES: Readonly<Record<string, Change>> = {
  Softmax: { until: 13, apply: flattened },
  LogSoftmax: { until: 13, apply: flattened },
  Hardmax: { until: 13, apply: flattened },
  Scatter: { until: ALWAYS, apply: (node) => [{ ...node, op: 'ScatterElements' }] },
  Split: { until: ALWAYS, apply: splitEvenly },
  Cast: { until: ALWAYS, apply: castByName },
  BatchNormalization: { until: 9, apply: withoutSpatial },
  GroupNormalization: { until: 21, apply: refusedGroups },
  Scan: { until: 9, apply: refusedScan },
  LinearAttention: { until: ALWAYS, apply: linearAttention },
  CausalConvWithState: { until: ALWAYS, apply: causalConvolution },
  Resize: { until: 11, apply: fromCorner },
  Upsample: { until: ALWAYS, apply: fromCorner },
};

/**
 * Before opset 13 the axes from `axis` on were one: [a, b, c, d] with axis 2 was normalised as
 * [a·b, c·d]. With the last axis, both meanings are the same.
 */
function flattened(node: Node, { value }: UpgradeContext): readonly Node[] {
  const axis = node.attributes['axis'] ?? 1;
  const [x = ''] = node.inputs;
  const last: Node = { ...node, attributes: { ...node.attributes, axis: -1 } };
  if (axis === -1) return [last];
  const [shape, flat, result] = ['shape', 'flat', 'result'].map((name) =>
    value(`${node.name}/${name}`),
  );
  return [
    { op: 'Shape', name: `${node.name}/shape`, inputs: [x], outputs: [shape!], attributes: {} },
    {
      op: 'Flatten',
      name: `${node.name}/flat`,
      inputs: [x],
      outputs: [flat!],
      attributes: { axis },
    },
    { ...last, inputs: [flat!], outputs: [result!] },
    {
      op: 'Reshape',
      name: `${node.name}/reshape`,
      inputs: [result!, shape!],
      outputs: node.outputs,
      attributes: {},
    },
  ];
}

/** From opset 18 a Split without sizes says how many parts it makes. */
function splitEvenly(node: Node): readonly Node[] {
  if (node.inputs[1] || node.attributes['num_outputs'] !== undefined) return [node];
  return [{ ...node, attributes: { ...node.attributes, num_outputs: node.outputs.length } }];
}

const FLOAT16 = 10; // TensorProto.DataType

/**
 * The type by our name, so that the 16-bit floats are what they became: float32. The numbers are
 * rounded to half precision all the same.
 */
function castByName(node: Node, { path, value }: UpgradeContext): readonly Node[] {
  const to = node.attributes['to'];
  const { type } = elementType(typeof to === 'number' ? to : 0, `${path}.to`);
  const cast = { ...node, attributes: { to: type } };
  if (to !== FLOAT16) return [cast];
  const half = value(`${node.name}/half`);
  const round = { ...node, name: half, outputs: [half], attributes: { to: 'float16' } };
  return [round, { ...cast, inputs: [half] }];
}

function withoutSpatial(node: Node, { path }: UpgradeContext): readonly Node[] {
  const { spatial = 1, ...attributes } = node.attributes;
  if (spatial === 1) return [{ ...node, attributes }];
  const what = `BatchNormalization '${node.name}' for each activation, got 0, expected 1`;
  throw new RnnError('UNSUPPORTED_OPERATOR', `${path}.spatial`, what);
}

/** Opsets 18 to 20 had one scale a group, which was withdrawn; nothing is known to write it. */
function refusedGroups(node: Node, { path, opset }: UpgradeContext): never {
  const what = `GroupNormalization '${node.name}' of opset ${opset} was withdrawn, expected opset 21`;
  throw new RnnError('UNSUPPORTED_OPERATOR', path, what);
}

/** Until opset 9 a Scan had a batch axis and lengths of its rows. */
function refusedScan(node: Node, { path, opset }: UpgradeContext): never {
  const what = `Scan '${node.name}' of opset ${opset} takes batches of sequences with lengths`;
  throw new RnnError('UNSUPPORTED_OPERATOR', path, `${what}: export it with opset 9 or later`);
}

/** Before opset 11 the first elements lay on each other, and positions between two were cut. */
function fromCorner(node: Node): readonly Node[] {
  const [x = '', scales = ''] = node.inputs;
  const attributes = {
    ...node.attributes,
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  };
  return [{ ...node, op: 'Resize', inputs: [x, '', scales], attributes }];
}
