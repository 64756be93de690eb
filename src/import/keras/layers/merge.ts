// Layers that join several values. https://keras.io/api/layers/merging_layers/
import type { Dim } from '../../../graph-builder.ts';
import type { ValueInfo } from '../../../graph.ts';
import { misfit, moved, showDims, unsupported, value } from './layer.ts';
import type { KerasTensor, LayerCall, Translate } from './layer.ts';

function several(call: LayerCall): readonly [KerasTensor, ...KerasTensor[]] {
  const [first, ...rest] = call.inputs;
  if (first === undefined || rest.length === 0) {
    throw misfit(call, `got ${call.inputs.length} inputs, expected two or more`);
  }
  return [first, ...rest];
}

/** The mask of what comes of several values. */
function joinMasks(call: LayerCall): ValueInfo | undefined {
  const masks = call.inputs.flatMap((input) => input.mask ?? []);
  if (call.dialect.mergesMasks === 'and') return reduceMasks(call, 'And', masks);
  return masks.length === call.inputs.length ? reduceMasks(call, 'Or', masks) : undefined;
}

function reduceMasks(
  { builder, stem }: LayerCall,
  op: 'And' | 'Or',
  masks: readonly ValueInfo[],
): ValueInfo | undefined {
  const names = [...new Set(masks.map((mask) => mask.name))];
  if (masks[0] === undefined) return undefined;
  const name = names.reduce((a, b) => builder.node(op, `${stem}/mask`, [a, b]));
  return { ...masks[0], name };
}

/** One dimension of a value that several broadcast to. */
function broadcastDim(call: LayerCall, sizes: readonly Dim[]): Dim {
  const wide = sizes.filter((size) => typeof size === 'number' && size !== 1);
  if (wide.some((size) => size !== wide[0])) {
    throw misfit(
      call,
      `got sizes ${sizes.join(' and ')} along an axis, expected ones that broadcast`,
    );
  }
  return wide[0] ?? sizes.find((size) => typeof size === 'string') ?? 1;
}

/** Folds the inputs with a node of two, after lifting all to the same number of axes. */
function folded(call: LayerCall, op: string): KerasTensor {
  const { builder, stem } = call;
  const inputs = several(call);
  const rank = Math.max(...inputs.map((input) => input.dims.length));
  // Keras puts the missing axes behind the batch, not in front as broadcasting would.
  const lifted = inputs.map((input) => {
    const missing = Array.from({ length: rank - input.dims.length }, (_, i) => i + 1);
    if (missing.length === 0) return input;
    const name = builder.node('Unsqueeze', `${stem}/lift`, [input.name, builder.ints(missing)]);
    return moved(input, name, input.dims.toSpliced(1, 0, ...missing.map(() => 1)));
  });
  const dims = lifted[0]!.dims.map((_, axis) =>
    broadcastDim(
      call,
      lifted.map((input) => input.dims[axis]!),
    ),
  );
  const { name } = lifted.reduce((a, b) => ({
    ...a,
    name: builder.node(op, stem, [a.name, b.name]),
  }));
  return value(name, dims, joinMasks(call));
}

const fold =
  (op: string): Translate =>
  (call) => [folded(call, op)];

const subtract: Translate = (call) => {
  if (call.inputs.length !== 2)
    throw misfit(call, `got ${call.inputs.length} inputs, expected two`);
  return [folded(call, 'Sub')];
};

const average: Translate = (call) => {
  const { builder, inputs, stem } = call;
  const sum = folded(call, 'Add');
  const factor = builder.scalar(1 / inputs.length);
  return [{ ...sum, name: builder.node('Mul', `${stem}/mean`, [sum.name, factor]) }];
};

const concatenate: Translate = (call) => {
  const { builder, config, stem } = call;
  const inputs = several(call);
  const rank = inputs[0].dims.length;
  const given = config.number('axis', -1);
  const axis = given < 0 ? given + rank : given;
  const shapes = inputs.map(({ dims }) => showDims(dims)).join(' and ');
  if (!(axis >= 1 && axis < rank) || inputs.some(({ dims }) => dims.length !== rank)) {
    throw misfit(
      call,
      `got shapes ${shapes}, expected as many axes and an axis ${given} behind the batch`,
    );
  }
  const dims = inputs[0].dims.map((first, k): Dim => {
    const sizes = inputs.map((input) => input.dims[k]!);
    const known = sizes.filter((size) => typeof size === 'number');
    if (k === axis) {
      const sum = known.reduce((a, b) => a + b, 0);
      return known.length === sizes.length ? sum : `${stem}_axis${k}`;
    }
    if (known.some((size) => size !== known[0])) {
      throw misfit(call, `got shapes ${shapes}, expected ones that agree outside axis ${axis}`);
    }
    return known[0] ?? first;
  });
  const name = builder.node(
    'Concat',
    stem,
    inputs.map((input) => input.name),
    { axis },
  );
  return [moved(inputs[0], name, dims, concatMasks(call, axis, rank))];
};

/** Concatenated by features, every part must count; by time, each step has its own mask. */
function concatMasks(call: LayerCall, axis: number, rank: number): ValueInfo | undefined {
  const masks = call.inputs.flatMap((input) => input.mask ?? []);
  if (masks.length === 0) return undefined;
  if (axis === rank - 1) return reduceMasks(call, 'And', masks);
  if (axis !== 1 || masks.length !== call.inputs.length) {
    throw unsupported(call, 'axis', 'along time wants a mask for every input or for none');
  }
  const name = call.builder.node(
    'Concat',
    `${call.stem}/mask`,
    masks.map((mask) => mask.name),
    { axis },
  );
  const steps = masks.map((mask) => mask.dims[1]!);
  const known = steps.filter((step) => typeof step === 'number');
  const time =
    known.length === steps.length ? known.reduce((a, b) => a + b, 0) : `${call.stem}_axis1`;
  return { name, type: 'bool', dims: [masks[0]!.dims[0]!, time] };
}

/** Products of vectors, or of the matrices of a batch. tfjs-layers/src/layers/merge.ts, batchDot. */
const dot: Translate = (call) => {
  const { builder, config, stem } = call;
  const [x, y] = call.inputs;
  const axes = config.integers('axes');
  if (!x || !y || call.inputs.length !== 2)
    throw misfit(call, `got ${call.inputs.length} inputs, expected two`);
  const sides = [x, y].map((side, i) => {
    const rank = side.dims.length;
    const given = axes[Math.min(i, axes.length - 1)] ?? -1;
    const axis = given < 0 ? given + rank : given;
    if (rank < 2 || rank > 3 || axis < 1 || axis >= rank || axes.length > 2) {
      throw misfit(call, `got ${showDims(side.dims)} and axis ${given}, expected 2 or 3 axes`);
    }
    const name = config.flag('normalize', false) ? normalized(call, side.name, axis) : side.name;
    return { name, axis, dims: side.dims, rank };
  });
  const [a, b] = sides as [(typeof sides)[0], (typeof sides)[0]];
  const [left, right] = [a.dims[a.axis]!, b.dims[b.axis]!];
  if (typeof left === 'number' && typeof right === 'number' && left !== right) {
    throw misfit(call, `got sizes ${left} and ${right} to multiply, expected the same`);
  }
  const batch = a.dims[0]!;
  if (a.rank === 2 && b.rank === 2) {
    const product = builder.node('Mul', `${stem}/product`, [a.name, b.name]);
    const sum = builder.node('ReduceSum', stem, [product, builder.ints([1])], { keepdims: 1 });
    return [value(sum, [batch, 1])];
  }
  // Rows of the left, columns of the right; a vector is one row or one column.
  const arrange = (side: typeof a, wanted: number): string => {
    const axis = builder.ints([wanted === 2 ? 1 : 2]);
    if (side.rank === 2) return builder.node('Unsqueeze', `${stem}/lift`, [side.name, axis]);
    if (side.axis === wanted) return side.name;
    return builder.node('Transpose', `${stem}/turned`, [side.name], { perm: [0, 2, 1] });
  };
  const product = builder.node('MatMul', stem, [arrange(a, 2), arrange(b, 1)]);
  const rest = (side: typeof a): readonly Dim[] =>
    side.dims.filter((_, k) => k !== 0 && k !== side.axis);
  const dims = [batch, ...rest(a), ...rest(b)];
  if (a.rank === b.rank) return [value(product, dims)];
  const squeezed = builder.ints([a.rank === 2 ? 1 : 2]);
  return [value(builder.node('Squeeze', `${stem}/squeeze`, [product, squeezed]), dims)];
};

function normalized({ builder, stem }: LayerCall, x: string, axis: number): string {
  const axes = builder.ints([axis]);
  const squares = builder.node('ReduceSumSquare', `${stem}/squares`, [x, axes], { keepdims: 1 });
  const floor = builder.node('Max', `${stem}/floor`, [squares, builder.scalar(1e-7)]);
  return builder.node('Div', `${stem}/unit`, [x, builder.node('Sqrt', `${stem}/norm`, [floor])]);
}

/** Layers by class. */
export const MERGE: Readonly<Record<string, Translate>> = {
  Add: fold('Add'),
  Subtract: subtract,
  Multiply: fold('Mul'),
  Average: average,
  Maximum: fold('Max'),
  Minimum: fold('Min'),
  Concatenate: concatenate,
  Dot: dot,
};
