// Random cases of every operator by itself, within what ONNX Runtime has on a CPU. Those of the
// shader tests are used where it computes all of them; the others are narrowed here, with why.
import { CELLS, type CellName } from '../../src/cells/index.ts';
import { sizeOf, tensor, type DataType, type Tensor } from '../../src/tensor.ts';
import { elementwiseCases } from '../shaders/elementwise-cases.ts';
import { foldCases } from '../shaders/fold-cases.ts';
import { moveCases } from '../shaders/move-cases.ts';
import { productCases } from '../shaders/product-cases.ts';
import {
  anything,
  asType,
  distinct,
  integersOf,
  randomShape,
  withTies,
} from '../shaders/random-values.ts';
import {
  floats,
  inferCase,
  integers,
  list,
  narrower,
  type OperatorCase,
} from '../support/operator-case.ts';
import type { Random } from '../support/random.ts';
import { exampleOf } from '../support/property.ts';
import { recurrentConfigs } from '../support/recurrent-config.ts';
import { composedCases } from './composed-cases.ts';
import type { Attributes } from './model-builder.ts';
import { ONNX_RUNTIME, onnxLayer } from './recurrent-layer.ts';
import { slidingCases } from './sliding-cases.ts';

/** One node with its inputs; an output without a type is left out. */
export interface SingleCase {
  readonly op: string;
  /** The standard one when left out. */
  readonly domain?: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly (DataType | undefined)[];
  /** Slots that are weights, which the file holds as a rule. */
  readonly weights?: readonly number[];
}

type Case = Omit<OperatorCase, 'op'>;
type MakeCase = (random: Random, index: number) => Case;

const scalar = (value: number, type: DataType = 'int64'): Tensor => tensor([value], [], type);
const axisIn = (random: Random, dims: readonly number[]): number =>
  random.int(-dims.length, dims.length - 1);

// The attributes of activations as ONNX declares them; ONNX Runtime refuses a file with others.
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  Relu: [],
  Tanh: [],
  Sigmoid: [],
  LeakyRelu: ['alpha'],
  ThresholdedRelu: ['alpha'],
  HardSigmoid: ['alpha', 'beta'],
  Elu: ['alpha'],
  Softsign: [],
  Softplus: [],
  Selu: ['alpha', 'gamma'],
  Swish: ['alpha'],
  HardSwish: [],
  Mish: [],
};

const activations = Object.fromEntries(
  Object.entries(PARAMETERS).map(([op, names]): [string, MakeCase] => [
    op,
    (random) => ({
      inputs: [floats(random, randomShape(random), 6)],
      attributes: Object.fromEntries(
        names.flatMap((name) => (random.chance(0.6) ? [[name, random.int(1, 12) / 8]] : [])),
      ),
    }),
  ]),
);

/** An axis list as files write it: any order, from either end, or left out. */
function axes(random: Random, dims: readonly number[]): number[] {
  const some = random.permutation(dims.length).slice(0, random.int(1, dims.length));
  return some.map((axis) => (random.chance(0.5) ? axis : axis - dims.length));
}

const pad: MakeCase = (random, i) => {
  const dims = randomShape(random, 1, 4).map((dim) => dim + 1);
  const mode = (['constant', 'edge', 'wrap', 'reflect'] as const)[i % 4]!;
  const some = random.permutation(dims.length).slice(0, random.int(1, dims.length));
  // reflect and wrap: ONNX Runtime takes no more than the axis holds.
  const amounts = (of: readonly number[]): Tensor =>
    list(
      [...of, ...of].map((axis) =>
        random.int(mode === 'constant' && dims[axis]! > 4 ? -2 : 0, Math.min(dims[axis]! - 1, 3)),
      ),
    );
  const value = random.chance(0.5) && mode === 'constant' ? scalar(0.5, 'float32') : undefined;
  const x = floats(random, dims);
  return {
    inputs:
      i % 3 === 0 ? [x, amounts([...dims.keys()]), value] : [x, amounts(some), value, list(some)],
    attributes: { mode },
  };
};

const reshape: MakeCase = (random, i) => {
  if (i % 2 === 0) return moveCases['Reshape']!(random, i);
  const [a, b, c] = [random.int(1, 9), random.int(1, 9), random.int(1, 9)];
  const shape = random.pick([[a * b, c], [0, -1], [-1], [0, 0, 0], [c, 1, -1, b], [0, b * c]]);
  return { inputs: [anything(random, [a, b, c]), list(shape)] };
};

const scatterND: MakeCase = (random, i) => {
  const reduction = ['none', 'add', 'mul', 'min', 'max'][i % 5]!;
  const dims = randomShape(random, 1, 4);
  const depth = random.int(1, dims.length);
  const head = dims.slice(0, depth);
  const count = random.int(1, Math.min(9, sizeOf(head)));
  // Without a reduction the order of updates to one place is left open: use each place once.
  const places = random.permutation(sizeOf(head)).slice(0, count);
  if (reduction !== 'none') places.push(...places.slice(0, 2));
  const indices = places.flatMap((place) => {
    const at: number[] = [];
    for (const dim of head.toReversed()) {
      at.unshift((place % dim) - (random.chance(0.3) ? dim : 0));
      place = Math.floor(place / dim);
    }
    return at;
  });
  const make = random.chance(0.5) ? floats : integersOf('int64');
  const updates = make(random, [places.length, ...dims.slice(depth)]);
  return {
    inputs: [make(random, dims), tensor(indices, [places.length, depth], 'int64'), updates],
    attributes: { reduction },
  };
};

const OTHERS: Readonly<Record<string, MakeCase>> = {
  Pad: pad,
  Reshape: reshape,
  ScatterND: scatterND,
  // An empty list of axes names no axis; ONNX Runtime takes it for a list left out.
  Squeeze: (random) => {
    const dims = [1, ...randomShape(random, 0, 3), 1];
    const ones = [...dims.keys()].filter((axis) => dims[axis] === 1);
    const some = ones.filter(() => random.chance(0.6));
    const named = some.map((axis) => (random.chance(0.5) ? axis : axis - dims.length));
    return { inputs: [anything(random, dims), named.length === 0 ? undefined : list(named)] };
  },
  Unsqueeze: (random) => {
    const dims = randomShape(random, 0, 3);
    const rank = dims.length + random.int(1, 3);
    const some = random.permutation(rank).slice(0, rank - dims.length);
    const named = some.map((axis) => (random.chance(0.5) ? axis : axis - rank));
    return { inputs: [anything(random, dims), list(named)] };
  },
  Flatten: (random) => {
    const dims = randomShape(random, 1);
    const axis = random.int(-dims.length, dims.length);
    return { inputs: [anything(random, dims)], attributes: { axis } };
  },
  Expand: (random) => {
    const dims = randomShape(random, 1);
    return { inputs: [anything(random, narrower(random, dims)), list(narrower(random, dims))] };
  },
  Split: (random, i) => {
    if (i % 2 === 0) return moveCases['Split']!(random, i);
    const dims = randomShape(random, 1, 4);
    const axis = axisIn(random, dims);
    const parts = random.int(1, 3);
    const size = parts * random.int(2, 3) - random.int(0, 1);
    const inputs = [anything(random, dims.with(axis, size))];
    return { inputs, attributes: { axis, num_outputs: parts }, outputs: parts };
  },
  // ONNX Runtime has fmod only for floats.
  Mod: (random, i) => {
    const found = elementwiseCases['Mod']!(random, i);
    return i % 2 === 0 ? found : { ...found, attributes: { fmod: 1 } };
  },
  // float16 is left out: it is computed in float32 here, and rounded in ONNX Runtime.
  Cast: (random) => {
    const to = random.pick([1, 2, 3, 6, 7, 9, 11]);
    const from = random.pick(['float32', 'int8', 'uint8', 'int32', 'int64', 'bool', 'float64']);
    // What becomes of negative floats in unsigned integers is left open.
    const min = from === 'uint8' || from === 'bool' || to === 2 ? 0 : -9;
    const dims = randomShape(random);
    const whole = integers(random, dims, min, from === 'bool' ? 1 : 9, from as 'int32');
    const input = from.startsWith('float')
      ? tensor(
          Array.from(random.floats(sizeOf(dims), 9), (x) => (min === 0 ? Math.abs(x) : x)),
          dims,
          from as 'float32',
        )
      : whole;
    return { inputs: [input], attributes: { to } };
  },
  ReverseSequence: (random, i) => {
    const dims = [random.int(1, 7), random.int(1, 7), ...randomShape(random, 0, 2)];
    const time = i % 2;
    return {
      inputs: [anything(random, dims), integers(random, [dims[1 - time]!], 1, dims[time]!)],
      attributes: { time_axis: time, batch_axis: 1 - time },
    };
  },
  // ONNX Runtime wants an axis to look up, and k of 1 or more.
  OneHot: (random) => {
    const dims = randomShape(random, 1, 3);
    const depth = random.int(1, 6);
    return {
      inputs: [integers(random, dims, -depth - 1, depth), scalar(depth), tensor([-1, 2], [2])],
      attributes: { axis: random.int(-dims.length - 1, dims.length) },
    };
  },
  TopK: (random) => {
    const dims = randomShape(random, 1, 4);
    const axis = axisIn(random, dims);
    const k = list([random.int(1, Math.min(dims.at(axis)!, 9))]);
    const x = random.pick([distinct, withTies, integersOf('int64'), integersOf('int32')]);
    const attributes = { axis, largest: random.int(0, 1), sorted: 1 };
    return { inputs: [x(random, dims), k], attributes, outputs: 2 };
  },
  Shape: (random, i) => ({
    inputs: [anything(random, randomShape(random))],
    attributes: i % 2 ? { start: random.int(-5, 5), end: random.int(-5, 5) } : {},
  }),
  Size: (random) => ({ inputs: [anything(random, randomShape(random))] }),
  // Numbers of shapes are worked out on the host up to 2^20 of them: one case has more.
  ConstantOfShape: (random, i) => ({
    inputs: [list(i === 0 ? [1100, 1000] : randomShape(random, i % 3, 4))],
    attributes: random.pick<NonNullable<Case['attributes']>>([
      {},
      { value: tensor([7], [1], 'int64') },
      { value: tensor([-0.5], [1]) },
    ]),
  }),
  Range: (random, i) => {
    if (i === 0) return { inputs: [0, 1_100_000, 1].map((bound) => scalar(bound)) };
    const bounds = [random.int(-5, 5), random.int(-9, 9), random.pick([-3, -1, 1, 2])];
    if (i % 2 === 0) return { inputs: bounds.map((bound) => scalar(bound)) };
    return { inputs: bounds.map((bound) => scalar(bound / 2, 'float32')) };
  },
};

/** Reductions with axes named in every form; sums of integers where ONNX Runtime has them. */
const reductions = Object.fromEntries(
  Object.keys(foldCases)
    .filter((op) => op.startsWith('Reduce'))
    .map((op): [string, MakeCase] => [
      op,
      (random, i) => {
        const found = foldCases[op]!(random, i);
        const [x] = found.inputs;
        const names = random.pick([list(axes(random, x!.dims)), undefined, found.inputs[1]]);
        return { ...found, inputs: [x, names] };
      },
    ]),
);

// ONNX Runtime has these for no int8, the one type of the shader tests that it often lacks.
const INT8 = new Set(
  'Reshape Flatten Squeeze Unsqueeze Identity Transpose Tile Slice Concat Gather Shape Size QuantizeLinear DequantizeLinear'.split(
    ' ',
  ),
);

/** A case that ONNX Runtime has a kernel for. */
function narrowed(op: string, found: Case): Case {
  const inputs = found.inputs.map((input) =>
    input?.type === 'int8' && !INT8.has(op)
      ? asType(tensor(Array.from(input.data, Number), input.dims), 'int32')
      : input,
  );
  return { ...found, inputs };
}

/** Activations that ONNX has inside of layers only, or that only Keras has. */
export const UNKNOWN_TO_ONNX: readonly string[] = ['Affine', 'ScaledTanh', 'Relu6'];

const GENERATORS: Readonly<Record<string, MakeCase>> = {
  ...Object.fromEntries(
    Object.entries({ ...elementwiseCases, ...moveCases, ...foldCases, ...productCases }).filter(
      ([op]) => !UNKNOWN_TO_ONNX.includes(op),
    ),
  ),
  ...activations,
  ...reductions,
  ...slidingCases,
  ...OTHERS,
};

/** Cases of layers: every option that ONNX has. */
function recurrentCase(random: Random, cell: CellName): SingleCase {
  const configs = recurrentConfigs({ ...ONNX_RUNTIME, cell, maxHidden: 33 });
  const layer = onnxLayer(random, exampleOf(configs, random.int(0, 2 ** 31 - 1)));
  return {
    ...layer,
    outputs: layer.outputs.map((wanted) => (wanted ? 'float32' : undefined)),
    weights: [1, 2, 3, 7],
  };
}

/** Names of all operators with cases. */
export const SINGLE_OPERATORS: readonly string[] = [
  ...Object.keys(GENERATORS),
  ...Object.keys(composedCases),
  ...Object.keys(CELLS).map((cell) => cell.toUpperCase()),
];

/** Case number `index` of an operator. */
export function singleCase(op: string, random: Random, index: number): SingleCase {
  const cell = op.toLowerCase();
  if (cell in CELLS) return recurrentCase(random, cell as CellName);
  const composed = composedCases[op];
  if (composed) return { op, ...composed(random, index) };
  const found = { op, ...narrowed(op, GENERATORS[op]!(random, index)) };
  return {
    op,
    inputs: found.inputs,
    attributes: (found.attributes ?? {}) as SingleCase['attributes'],
    outputs: inferCase(found).map(({ type }) => type),
  };
}
