// nn.Linear, nn.Embedding, the normalisations and nn.Conv1d as nodes of a graph.
// https://docs.pytorch.org/docs/stable/nn.html
import type { Dim, GraphBuilder } from '../../graph-builder.ts';
import type { ValueInfo } from '../../graph.ts';
import { RnnError } from '../../errors.ts';
import { tensor, type Tensor } from '../../tensor.ts';
import type {
  PyTorchBatchNorm1d,
  PyTorchConv1d,
  PyTorchEmbedding,
  PyTorchLayerNorm,
  PyTorchLinear,
  PyTorchPermute,
} from './architecture.ts';
import { wrongArchitecture } from './check.ts';
import type { StateDict } from './state-dict.ts';

/** Where a layer is put. */
export interface Place {
  readonly builder: GraphBuilder;
  readonly state: StateDict;
  readonly x: ValueInfo;
  /** What its nodes are called. */
  readonly stem: string;
  /** `.layers[1]`. */
  readonly path: string;
}

/** The error for what reaches a layer in a shape that it cannot take. */
export function mismatch({ x, path }: Pick<Place, 'x' | 'path'>, expected: string): RnnError {
  const what = `input, got shape [${x.dims.join(', ')}], expected ${expected}`;
  return new RnnError('SHAPE_MISMATCH', `options.architecture${path}`, what);
}

/** Refuses an axis that is known to have another size. */
function expectAxis(place: Place, axis: number, size: number, expected: string): void {
  const dim = place.x.dims.at(axis);
  if (dim === undefined || (typeof dim === 'number' && dim !== size)) {
    throw mismatch(place, expected);
  }
}

/** x·Wᵀ + b: [… , I] → [… , O]. */
export function appendLinear(place: Place, layer: PyTorchLinear): ValueInfo {
  const { builder, state, x, stem, path } = place;
  const weight = state.get(layer, 'weight', path);
  const [O, I] = weight.dims;
  if (weight.dims.length !== 2) throw weight.fail('2 axes, output × input');
  expectAxis(place, -1, I!, `[…, ${I}]`);
  const bias = state.find(layer, 'bias')?.expect([O!], 'output');
  const W = builder.constant(`${stem}/W`, () => transposed(weight.floats(), O!, I!));
  const b = bias && builder.constant(`${stem}/b`, () => bias.constant());
  const dims = x.dims.with(-1, O!);
  if (dims.length === 2) {
    return { ...x, name: builder.node('Gemm', stem, b ? [x.name, W, b] : [x.name, W]), dims };
  }
  const product = builder.node('MatMul', stem, [x.name, W]);
  return { ...x, name: b ? builder.node('Add', `${stem}/bias`, [product, b]) : product, dims };
}

/** [O, I] → [I, O]. */
function transposed(data: Float32Array, O: number, I: number): Tensor {
  const result = new Float32Array(data.length);
  for (let o = 0; o < O; o++) {
    for (let i = 0; i < I; i++) result[i * O + o] = data[o * I + i]!;
  }
  return tensor(result, [I, O]);
}

/** The row of each id. */
export function appendEmbedding(place: Place, layer: PyTorchEmbedding): ValueInfo {
  const { builder, state, x, stem, path } = place;
  const weight = state.get(layer, 'weight', path);
  if (weight.dims.length !== 2) throw weight.fail('2 axes, ids × features');
  if (x.type === 'float32') {
    const what = 'got float32 values, expected ids: it must come first';
    throw wrongArchitecture(path, what);
  }
  const E = builder.constant(`${stem}/E`, () => weight.constant());
  const name = builder.node('Gather', stem, [E, x.name], { axis: 0 });
  return { name, type: 'float32', dims: [...x.dims, weight.dims[1]!] };
}

/** Over as many of the last axes as the weight has. */
export function appendLayerNorm(place: Place, layer: PyTorchLayerNorm): ValueInfo {
  const { builder, state, x, stem, path } = place;
  const weight = state.get(layer, 'weight', path);
  const rank = weight.dims.length;
  weight.dims.forEach((size, i) => {
    expectAxis(place, i - rank, size, `[…, ${weight.dims.join(', ')}]`);
  });
  const bias = state.find(layer, 'bias')?.expect(weight.dims, 'like the weight');
  const inputs = [
    x.name,
    builder.constant(`${stem}/scale`, () => weight.constant()),
    ...(bias ? [builder.constant(`${stem}/b`, () => bias.constant())] : []),
  ];
  const attributes = { axis: -rank, epsilon: layer.eps ?? 1e-5 };
  return { ...x, name: builder.node('LayerNormalization', stem, inputs, attributes) };
}

/** With the statistics of the training: x is [B, C] or [B, C, L]. */
export function appendBatchNorm(place: Place, layer: PyTorchBatchNorm1d): ValueInfo {
  const { builder, state, x, stem, path } = place;
  const mean = state.get(layer, 'running_mean', path);
  const [C] = mean.dims;
  if (mean.dims.length !== 1) throw mean.fail('1 axis, channels');
  if (x.dims.length !== 2 && x.dims.length !== 3) throw mismatch(place, '[B, C] or [B, C, L]');
  expectAxis(place, 1, C!, `[B, ${C}] or [B, ${C}, L]`);
  state.find(layer, 'num_batches_tracked'); // of the training only
  const one = (leaf: string): (() => Tensor) => {
    const found = state.get(layer, leaf, path).expect([C!], 'channels');
    return () => found.constant();
  };
  const isAffine = state.find(layer, 'weight') !== undefined;
  const fixed = (value: number) => () => tensor(new Float32Array(C!).fill(value), [C!]);
  const parameters = {
    scale: isAffine ? one('weight') : fixed(1),
    b: isAffine ? one('bias') : fixed(0),
    mean: one('running_mean'),
    variance: one('running_var'),
  };
  const inputs = Object.entries(parameters).map(([key, make]) =>
    builder.constant(`${stem}/${key}`, make),
  );
  const attributes = { epsilon: layer.eps ?? 1e-5 };
  return {
    ...x,
    name: builder.node('BatchNormalization', stem, [x.name, ...inputs], attributes),
  };
}

/** [B, C, L] → [B, F, L']. */
export function appendConv1d(place: Place, layer: PyTorchConv1d): ValueInfo {
  const { builder, state, x, stem, path } = place;
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = layer;
  const weight = state.get(layer, 'weight', path);
  if (weight.dims.length !== 3) throw weight.fail('3 axes, filters × channels × width');
  const [F, groupChannels, width] = weight.dims as [number, number, number];
  const channels = groupChannels * groups;
  if (x.dims.length !== 3) throw mismatch(place, `[B, ${channels}, L]`);
  expectAxis(place, 1, channels, `[B, ${channels}, L]`);
  const bias = state.find(layer, 'bias')?.expect([F], 'filters');
  const reach = dilation * (width - 1);
  if (padding === 'same' && stride !== 1) {
    throw wrongArchitecture(`${path}.padding`, "got 'same', which PyTorch has for stride 1 only");
  }
  // PyTorch's 'same' puts the odd zero at the end.
  const before = padding === 'same' ? Math.floor(reach / 2) : padding === 'valid' ? 0 : padding;
  const after = padding === 'same' ? reach - before : before;
  const inputs = [
    x.name,
    builder.constant(`${stem}/W`, () => weight.constant()),
    ...(bias ? [builder.constant(`${stem}/b`, () => bias.constant())] : []),
  ];
  const attributes = {
    kernel_shape: [width],
    strides: [stride],
    dilations: [dilation],
    pads: [before, after],
    group: groups,
  };
  const name = builder.node('Conv', stem, inputs, attributes);
  const L: Dim = x.dims[2]!;
  const extra = before + after - reach;
  let length: Dim = L;
  if (typeof L === 'number') length = Math.floor((L + extra - 1) / stride) + 1;
  else if (stride !== 1 || extra !== 0) length = `${stem}.L`; // free, and no longer the same
  if (typeof length === 'number' && length < 1) throw mismatch(place, `L of ${reach + 1} or more`);
  return { ...x, name, dims: [x.dims[0]!, F, length] };
}

/** x.permute(dims). */
export function appendPermute(place: Place, { dims }: PyTorchPermute): ValueInfo {
  const { builder, x, stem, path } = place;
  if (dims.toSorted((a, b) => a - b).join() !== [...x.dims.keys()].join()) {
    const expected = `an order of the axes of [${x.dims.join(', ')}]`;
    throw wrongArchitecture(`${path}.dims`, `got [${dims.join(', ')}], expected ${expected}`);
  }
  return {
    ...x,
    name: builder.node('Transpose', stem, [x.name], { perm: dims }),
    dims: dims.map((axis) => x.dims[axis]!),
  };
}
