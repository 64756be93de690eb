// Random graphs over time: layers along time and along other axes, convolutions that look back and that look
// ahead, and what stands between them, with what should become of a stream of each.
import type fc from 'fast-check';
import { CELLS } from '../../src/cells/index.ts';
import type { Attribute, Graph, Node } from '../../src/graph.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { printedAs, seeds } from './property.ts';
import { randomOf, type Random } from './random.ts';

/** Shape with the axis of time left open. */
type Dims = readonly (number | 'T')[];

/** A random graph with one input `x` that has time, and perhaps a state that it takes and gives. */
export interface StreamCase {
  readonly graph: Graph;
  /** Steps of the whole sequence. */
  readonly steps: number;
  readonly x: Tensor<'float32'>;
  /** Axis of time of x. */
  readonly axis: number;
  /** Axis of time of the output; undefined where it has none. */
  readonly outAxis: number | undefined;
  /** Output → input. */
  readonly state: Readonly<Record<string, string>>;
  readonly begin: Readonly<Record<string, Tensor>>;
  /** Chunks must be a multiple of this. */
  readonly multiple: number;
  /** Names of the nodes of which one must be named by a refusal; empty where the graph can be streamed. */
  readonly whole: readonly string[];
  readonly label: string;
}

type Value = { readonly name: string; readonly dims: Dims };

class Writer {
  readonly random: Random;
  readonly constants = new Map<string, Tensor>();
  readonly nodes: Node[] = [];
  readonly label: string[] = [];
  readonly whole: string[] = [];
  readonly state: Record<string, string> = {};
  readonly begin: Record<string, Tensor> = {};
  multiple = 1;
  #count = 0;

  constructor(random: Random) {
    this.random = random;
  }

  floats(dims: readonly number[], scale: number): string {
    const size = dims.reduce((a, b) => a * b, 1);
    return this.constant(tensor(this.random.floats(size, scale), dims));
  }

  ints(values: readonly number[], dims = [values.length]): string {
    return this.constant(tensor(BigInt64Array.from(values, BigInt), dims));
  }

  constant(value: Tensor): string {
    const name = `c${this.#count++}`;
    this.constants.set(name, value);
    return name;
  }

  node(
    op: string,
    inputs: readonly string[],
    dims: Dims,
    attributes: Readonly<Record<string, Attribute>> = {},
    more: readonly string[] = [],
  ): Value {
    const name = `${op}_${this.#count++}`;
    this.nodes.push({ op, name, inputs, outputs: [`${name}:0`, ...more], attributes });
    return { name: `${name}:0`, dims };
  }

  /** Says that the node written last needs the whole sequence. */
  needsWhole(): void {
    this.whole.push(this.nodes.at(-1)!.name);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    if (perm.every((axis, i) => axis === i)) return x;
    return this.node(
      'Transpose',
      [x.name],
      perm.map((axis) => x.dims[axis]!),
      { perm },
    );
  }

  /** Puts an axis of fixed size last. */
  withFeaturesLast(x: Value): Value {
    if (x.dims.at(-1) !== 'T') return x;
    const axes = [...x.dims.keys()];
    return this.transpose(x, [axes.length - 1, ...axes.slice(0, -1)]);
  }
}

/** A block of a graph: undefined where it does not fit the value. */
type Block = (writer: Writer, x: Value) => Value | undefined;

const timeOf = ({ dims }: Value): number => dims.indexOf('T');

const dense: Block = (writer, given) => {
  const x = writer.withFeaturesLast(given);
  const [from, into] = [x.dims.at(-1) as number, writer.random.int(2, 5)];
  writer.label.push(`dense ${into}`);
  const y = writer.node(
    'MatMul',
    [x.name, writer.floats([from, into], 1 / Math.sqrt(from))],
    [...x.dims.slice(0, -1), into],
  );
  return writer.node('Add', [y.name, writer.floats([into], 0.5)], y.dims);
};

const elementwise: Block = (writer, x) => {
  const op = writer.random.pick(['Tanh', 'Sigmoid', 'Abs', 'residual', 'gated']);
  writer.label.push(op);
  if (op === 'residual' || op === 'gated') {
    const y = writer.node('Tanh', [x.name], x.dims);
    return writer.node(op === 'gated' ? 'Mul' : 'Add', [x.name, y.name], x.dims);
  }
  return writer.node(op, [x.name], x.dims);
};

const transposed: Block = (writer, x) => {
  const perm = writer.random.permutation(x.dims.length);
  writer.label.push(`transpose ${perm.join('')}`);
  return writer.transpose(x, perm);
};

/** A recurrent layer along any of the first two axes of three, in any direction. */
const layer: Block = (writer, given) => {
  const { random } = writer;
  if (given.dims.length !== 3) return undefined;
  const x = writer.withFeaturesLast(given);
  const layout = random.pick([0, 1] as const);
  const isTime = x.dims[layout] === 'T';
  const direction =
    isTime && random.chance(0.75)
      ? 'forward'
      : random.pick(['forward', 'reverse', 'bidirectional'] as const);
  const cell = random.pick(['rnn', 'lstm', 'gru'] as const);
  const [I, H] = [x.dims[2] as number, random.int(2, 4)];
  const [G, D] = [CELLS[cell].gates.length, direction === 'bidirectional' ? 2 : 1];
  const names = Array.from({ length: D }, () => CELLS[cell].activations).flat();
  const isPaired = isTime && direction === 'forward' && random.chance(0.25);
  const attributes = {
    cell,
    direction,
    hidden: H,
    layout,
    activations: names,
    alphas: names.map(() => Number.NaN),
    betas: names.map(() => Number.NaN),
    clip: 0,
    coupled: false,
    resetAfter: cell === 'gru' && random.chance(0.5),
    maskedOutput: 'zero' as const,
  };
  writer.label.push(`${cell} ${direction} along ${isTime ? 'time' : 'another axis'}`);
  const rows = x.dims[1 - layout]!;
  const inputs = [
    x.name,
    writer.floats([D, G * H, I], 1 / Math.sqrt(I)),
    writer.floats([D, G * H, H], 1 / Math.sqrt(H)),
    random.chance(0.5) ? writer.floats([D, 2 * G * H], 0.5) : '',
  ];
  const outputs: string[] = [];
  if (isPaired && typeof rows === 'number') {
    const dims = layout === 0 ? [1, rows, H] : [rows, 1, H];
    inputs.push('');
    CELLS[cell].states.forEach((part) => {
      const input = `state_${part}${Object.keys(writer.state).length}`;
      writer.state[`${input}N`] = input;
      writer.begin[input] = tensor(new Float32Array(dims.reduce((a, b) => a * b)), dims);
      inputs.push(input);
      outputs.push(`${input}N`);
    });
    writer.label.push('(state)');
  }
  const y = layout === 0 ? [x.dims[0]!, D, x.dims[1]!, H] : [x.dims[0]!, x.dims[1]!, D, H];
  const made = writer.node('Recurrent', inputs, y, attributes, outputs);
  if (isTime && direction !== 'forward') writer.needsWhole();
  const turned = layout === 0 ? writer.transpose(made, [0, 2, 1, 3]) : made;
  const shape = writer.ints([0, 0, D * H]);
  return writer.node('Reshape', [turned.name, shape], [...turned.dims.slice(0, 2), D * H]);
};

/** A layer over an axis inside each frame, of frames that are rows of a batch together with another axis. */
const layerInFrame: Block = (writer, given) => {
  if (given.dims.length !== 4) return undefined;
  const perm = [...given.dims.keys()].toSorted(
    (a, b) => Number(b === timeOf(given)) - Number(a === timeOf(given)),
  );
  const x = writer.transpose(given, perm); // [T, A, F, C]
  const [, A, F, C] = x.dims as readonly [unknown, number, number, number];
  const isSwapped = writer.random.chance(0.5);
  const rows = isSwapped ? writer.transpose(x, [1, 0, 2, 3]) : x;
  const flat = writer.node('Reshape', [rows.name, writer.ints([-1, F, C])], ['T', F, C]);
  const before = writer.whole.length;
  const inner = layerAlong(writer, flat);
  writer.whole.length = before;
  const H = inner.dims[2] as number;
  const into = isSwapped ? [A, -1, F, H] : [-1, A, F, H];
  const dims: Dims = isSwapped ? [A, 'T', F, H] : ['T', A, F, H];
  return writer.node('Reshape', [inner.name, writer.ints(into)], dims);
};

/** A layer along the second of three axes, whatever its rows are. */
function layerAlong(writer: Writer, x: Value): Value {
  const [I, H] = [x.dims[2] as number, writer.random.int(2, 3)];
  const direction = writer.random.pick(['forward', 'reverse', 'bidirectional'] as const);
  const D = direction === 'bidirectional' ? 2 : 1;
  const names = Array.from({ length: D }, () => CELLS.gru.activations).flat();
  writer.label.push(`gru ${direction} inside each frame`);
  const y = writer.node(
    'Recurrent',
    [
      x.name,
      writer.floats([D, 3 * H, I], 1 / Math.sqrt(I)),
      writer.floats([D, 3 * H, H], 1 / Math.sqrt(H)),
    ],
    [...x.dims.slice(0, 2), D, H],
    {
      cell: 'gru',
      direction,
      hidden: H,
      layout: 1,
      activations: names,
      alphas: names.map(() => Number.NaN),
      betas: names.map(() => Number.NaN),
      clip: 0,
      coupled: false,
      resetAfter: false,
      maskedOutput: 'zero',
    },
  );
  const shape = writer.ints([0, 0, D * H]);
  return writer.node('Reshape', [y.name, shape], [...x.dims.slice(0, 2), D * H]);
}

/** Puts one axis last and one of fixed size second, as convolutions want them. */
function channelled(writer: Writer, x: Value): Value | undefined {
  if (x.dims.length !== 3) return undefined;
  const time = timeOf(x);
  const fixed = [...x.dims.keys()].filter((axis) => axis !== time);
  const others = writer.random.chance(0.5) ? fixed : fixed.toReversed();
  // Mostly along time, else along an axis inside each frame.
  const perm = writer.random.chance(0.8)
    ? [others[0]!, others[1]!, time]
    : [time, others[0]!, others[1]!];
  return writer.transpose(x, perm);
}

const conv: Block = (writer, given) => {
  const { random } = writer;
  const x = channelled(writer, given);
  if (!x) return undefined;
  const [N, C, size] = x.dims as readonly [number | 'T', number, number | 'T'];
  const isTime = size === 'T';
  const [k, d] = [random.int(1, 3), random.int(1, 2)];
  const reach = (k - 1) * d;
  const M = random.int(2, 4);
  const W = writer.floats([M, C, k], 1 / Math.sqrt(C * k));
  const run = (input: string, pads: readonly [number, number], length: number | 'T', stride = 1) =>
    writer.node('Conv', [input, W], [N, M, length], {
      kernel_shape: [k],
      dilations: [d],
      strides: [stride],
      pads,
    });
  const kinds = [
    'causal',
    'padded',
    'split',
    'deep',
    'concat',
    'chomped',
    'twice',
    'centred',
    'strided',
  ];
  const kind = isTime ? random.pick(kinds) : 'centred';
  writer.label.push(`conv ${kind} ${k}·${d}${isTime ? '' : ' inside each frame'}`);
  const after = reach - Math.floor(reach / 2);
  switch (kind) {
    case 'causal':
      return run(x.name, [reach, 0], size);
    case 'padded': {
      const pads = writer.ints([0, 0, reach, 0, 0, 0]);
      return run(writer.node('Pad', [x.name, pads], x.dims).name, [0, 0], size);
    }
    case 'split': {
      // A part of the padding by a node of its own, the other by the convolution.
      const own = random.int(0, reach);
      const pads = writer.ints([0, 0, reach - own, 0, 0, 0]);
      return run(writer.node('Pad', [x.name, pads], x.dims).name, [own, 0], size);
    }
    case 'deep': {
      // Padding for a second window, which is on its way through the first; some of it stays unused.
      const second = random.int(0, 2);
      const pads = writer.ints([0, 0, reach + second, 0, 0, 0]);
      const y = run(writer.node('Pad', [x.name, pads], x.dims).name, [0, 0], size);
      const active = writer.node('Tanh', [y.name], y.dims);
      const kernel = { kernel_shape: [second + 1], pads: [0, 0] };
      if (random.chance(0.5)) return writer.node('MaxPool', [active.name], y.dims, kernel);
      const bounds = [[second], [1000], [2]].map((list) => writer.ints(list));
      return writer.node('Slice', [active.name, ...bounds], y.dims);
    }
    case 'twice': {
      // Two windows whose padding behind is cut off at the end.
      const y = run(x.name, [reach, reach], size);
      const again = { kernel_shape: [3], pads: [2, 2], strides: [1] };
      const z = writer.node('MaxPool', [y.name], y.dims, again);
      const bounds = [[0], [-reach - 2], [2]].map((list) => writer.ints(list));
      return writer.node('Slice', [z.name, ...bounds], z.dims);
    }
    case 'concat': {
      const zeros = writer.constant(
        tensor(new Float32Array((N as number) * C * Math.max(reach, 1)).fill(0.25), [
          N as number,
          C,
          Math.max(reach, 1),
        ]),
      );
      if (reach === 0) return run(x.name, [0, 0], size);
      const longer = writer.node('Concat', [zeros, x.name], x.dims, { axis: 2 });
      return run(longer.name, [0, 0], size);
    }
    case 'chomped': {
      if (reach === 0) return run(x.name, [0, 0], size);
      const y = run(x.name, [reach, reach], size);
      const bounds = [[0], [-reach], [2]].map((list) => writer.ints(list));
      return writer.node('Slice', [y.name, ...bounds], y.dims);
    }
    case 'strided': {
      if (writer.multiple > 2) return undefined;
      const pads = [Math.max(reach - 1, 0), 0] as const;
      writer.multiple *= 2;
      return run(x.name, pads, size, 2);
    }
    default: {
      const y = run(x.name, [reach - after, after], size);
      if (isTime && reach > 0) writer.needsWhole();
      return y;
    }
  }
};

const pool: Block = (writer, given) => {
  const { random } = writer;
  const x = channelled(writer, given);
  if (!x || x.dims[2] !== 'T') return undefined;
  const kind = random.pick(['causal max', 'causal mean', 'every other', 'centred']);
  writer.label.push(`pool ${kind}`);
  const made = (op: string, attributes: Readonly<Record<string, Attribute>>): Value =>
    writer.node(op, [x.name], x.dims, attributes);
  if (kind === 'every other') {
    if (writer.multiple > 2) return undefined;
    writer.multiple *= 2;
    return made('AveragePool', { kernel_shape: [2], strides: [2] });
  }
  if (kind === 'causal max') return made('MaxPool', { kernel_shape: [3], pads: [2, 0] });
  if (kind === 'causal mean') {
    return made('AveragePool', { kernel_shape: [2], pads: [1, 0], count_include_pad: 1 });
  }
  const y = made('MaxPool', { kernel_shape: [3], pads: [1, 1] });
  writer.needsWhole();
  return y;
};

const sums: Block = (writer, x) => {
  const axis = writer.random.int(0, x.dims.length - 1);
  const exclusive = Number(writer.random.chance(0.5));
  const reverse = Number(writer.random.chance(0.2));
  writer.label.push(`cumsum ${axis === timeOf(x) ? 'time' : 'other'} ${exclusive}${reverse}`);
  const y = writer.node('CumSum', [x.name, writer.ints([axis], [])], x.dims, {
    exclusive,
    reverse,
  });
  if (axis === timeOf(x) && reverse) writer.needsWhole();
  return writer.node('Tanh', [y.name], y.dims);
};

/** Softmax, normalisation or a reduction along some axis. */
const overAxis: Block = (writer, x) => {
  const { random } = writer;
  const time = timeOf(x);
  const axis = random.chance(0.4)
    ? time
    : random.pick([...x.dims.keys()].filter((k) => k !== time));
  const op = random.pick(['Softmax', 'ReduceMean', 'ReduceMax']);
  writer.label.push(`${op} over ${axis === time ? 'time' : 'another axis'}`);
  const y =
    op === 'Softmax'
      ? writer.node(op, [x.name], x.dims, { axis })
      : writer.node(op, [x.name, writer.ints([axis])], x.dims.with(axis, 1), { keepdims: 1 });
  if (axis === time) writer.needsWhole();
  if (op === 'Softmax') return y;
  return writer.node('Sub', [x.name, y.name], x.dims);
};

const attention: Block = (writer, x) => {
  const time = timeOf(x);
  if (x.dims.length !== 3 || time === 2) return undefined;
  const rows = writer.transpose(x, time === 1 ? [0, 1, 2] : [1, 0, 2]); // [A, T, C]
  const columns = writer.transpose(rows, [0, 2, 1]);
  writer.label.push('attention');
  const scores = writer.node('MatMul', [rows.name, columns.name], [rows.dims[0]!, 'T', 'T']);
  writer.needsWhole();
  const weights = writer.node('Softmax', [scores.name], scores.dims, { axis: -1 });
  return writer.node('MatMul', [weights.name, rows.name], rows.dims);
};

/** The last frame: an output without time. */
const last: Block = (writer, x) => {
  const axis = timeOf(x);
  writer.label.push('last');
  return writer.node('Gather', [x.name, writer.ints([-1], [])], x.dims.toSpliced(axis, 1), {
    axis,
  });
};

const BLOCKS: readonly Block[] = [
  layer,
  layer,
  layer,
  layerInFrame,
  layerInFrame,
  conv,
  conv,
  pool,
  dense,
  elementwise,
  transposed,
  sums,
  overAxis,
];

/** A random graph of one to four blocks. */
export function streamCase(random: Random): StreamCase {
  const writer = new Writer(random);
  const rank = random.chance(0.25) ? 4 : 3;
  const axis = random.int(0, 1);
  const dims: Dims = Array.from({ length: rank }, (_, k) => (k === axis ? 'T' : random.int(2, 4)));
  let value: Value = { name: 'x', dims };
  for (let left = random.int(1, 4); left > 0; left--) {
    const block = random.chance(0.1) ? attention : random.pick(BLOCKS);
    value = block(writer, value) ?? elementwise(writer, value)!;
  }
  if (random.chance(0.2)) value = last(writer, value)!;
  const { state, begin, multiple } = writer;
  const steps = multiple * random.int(3, Math.floor(12 / multiple));
  const whole = dims.map((dim) => (dim === 'T' ? steps : dim));
  const free = value.dims.map((dim) => (dim === 'T' ? 'time_out' : dim));
  const graph: Graph = {
    name: 'random',
    inputs: [
      { name: 'x', type: 'float32', dims: dims.map((dim) => (dim === 'T' ? 'time' : dim)) },
      ...Object.entries(begin).map(([name, tensorOf]) => ({
        name,
        type: 'float32' as const,
        dims: tensorOf.dims,
      })),
    ],
    outputs: [
      { name: value.name, type: 'float32', dims: free },
      ...Object.entries(state).map(([name, input]) => ({
        name,
        type: 'float32' as const,
        dims: begin[input]!.dims,
      })),
    ],
    constants: writer.constants,
    nodes: writer.nodes,
  };
  const outAxis = value.dims.indexOf('T');
  return {
    graph,
    steps,
    x: tensor(random.floats(whole.reduce((a, b) => a * b, 1)), whole),
    axis,
    outAxis: outAxis < 0 ? undefined : outAxis,
    state,
    begin,
    multiple,
    whole: writer.whole,
    label: `[${dims.join(', ')}]: ${writer.label.join(', ')}`,
  };
}

/** Random graphs over time. */
export const streamCases: fc.Arbitrary<StreamCase> = seeds.map((seed) => {
  const made = streamCase(randomOf(seed));
  return printedAs(made, `${made.label} (graph ${seed})`);
});

/** Frames `from` to `to` along an axis. */
export function framesOf(
  { data, dims }: Tensor,
  axis: number,
  from: number,
  to: number,
): Tensor<'float32'> {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const size = dims[axis]!;
  const frames = Array.from(data as Float32Array).filter((_, i) => {
    const at = Math.floor(i / inner) % size;
    return at >= from && at < to;
  });
  return tensor(Float32Array.from(frames), dims.with(axis, to - from));
}

/** Tensors one after the other along an axis. */
export function joinFrames(parts: readonly Tensor[], axis: number): Tensor<'float32'> {
  const first = parts[0]!.dims;
  const outer = first.slice(0, axis).reduce((a, b) => a * b, 1);
  const data: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (const part of parts) {
      const block = part.data.length / outer;
      data.push(...(part.data as Float32Array).subarray(o * block, (o + 1) * block));
    }
  }
  const length = parts.reduce((sum, { dims }) => sum + dims[axis]!, 0);
  return tensor(Float32Array.from(data), first.with(axis, length));
}
