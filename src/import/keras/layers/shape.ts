// Layers that move numbers about, and TimeDistributed, which is a reshape around another layer.
// https://keras.io/api/layers/reshaping_layers/, tfjs-layers/src/layers/core.ts and wrappers.ts
import type { Dim } from '../../../graph-builder.ts';
import { layerConfig, plainClass } from './config.ts';
import { knownDim, misfit, moved, only, onlyOfRank, showDims, unsupported } from './layer.ts';
import type { KerasTensor, LayerCall, Translate } from './layer.ts';

// None of these hands a mask on.

const flatten: Translate = (call) => {
  const { builder, config, stem } = call;
  const x = only(call);
  if (
    config.choice('data_format', ['channels_last', 'channels_first'], 'channels_last') !==
    'channels_last'
  ) {
    throw unsupported(call, 'data_format', 'takes channels_last only');
  }
  const sizes = x.dims.slice(1).map((_, i) => knownDim(call, x, i + 1));
  const size = sizes.reduce((product, dim) => product * dim, 1);
  return [
    moved(x, builder.node('Reshape', stem, [x.name, builder.ints([0, size])]), [x.dims[0]!, size]),
  ];
};

const reshape: Translate = (call) => {
  const { builder, config, stem } = call;
  const x = only(call);
  // Whatever is free is -1 in Keras and null in TF.js.
  const target = config.list('target_shape').map((dim) => (dim === null ? -1 : dim));
  const good = target.every((dim) => Number.isSafeInteger(dim) && (dim as number) >= -1);
  const free = target.indexOf(-1);
  if (!good || free !== target.lastIndexOf(-1)) {
    throw misfit(
      call,
      `got target_shape [${target.join(', ')}], expected sizes, at most one of them -1`,
    );
  }
  const dims: Dim[] = [x.dims[0]!, ...(target as number[])];
  const from = x.dims.slice(1);
  if (from.every((dim) => typeof dim === 'number')) {
    const size = from.reduce((product, dim) => product * dim, 1);
    const known = (target as number[]).reduce(
      (product, dim) => (dim === -1 ? product : product * dim),
      1,
    );
    if (free < 0 ? size !== known : size % known !== 0) {
      throw misfit(
        call,
        `got ${showDims(x.dims)}, expected a shape that fits [${target.join(', ')}]`,
      );
    }
    if (free >= 0) dims[free + 1] = size / known;
  } else if (free >= 0) dims[free + 1] = `${stem}_size`;
  const shape = builder.ints([0, ...(target as number[])]);
  return [moved(x, builder.node('Reshape', stem, [x.name, shape]), dims)];
};

const permute: Translate = (call) => {
  const { builder, config, stem } = call;
  const x = only(call);
  const order = config.integers('dims');
  if (
    order.toSorted((a, b) => a - b).some((axis, i) => axis !== i + 1) ||
    order.length + 1 !== x.dims.length
  ) {
    throw misfit(
      call,
      `got dims [${order.join(', ')}], expected each axis of ${showDims(x.dims)} once`,
    );
  }
  const perm = [0, ...order];
  const y = builder.node('Transpose', stem, [x.name], { perm });
  return [
    moved(
      x,
      y,
      perm.map((axis) => x.dims[axis]!),
    ),
  ];
};

const repeatVector: Translate = (call) => {
  const { builder, config, stem } = call;
  const x = onlyOfRank(call, 2);
  const n = config.count('n');
  const wide = builder.node('Unsqueeze', `${stem}/wide`, [x.name, builder.ints([1])]);
  const y = builder.node('Expand', stem, [wide, builder.ints([1, n, 1])]);
  return [moved(x, y, [x.dims[0]!, n, x.dims[1]!])];
};

/**
 * The length of a sequence after `change`; a free one gets a new name, since it is another size.
 *
 * @param axis another one than time, for images
 */
export function timeAfter(
  call: LayerCall,
  x: KerasTensor,
  change: (steps: number) => number,
  axis = 1,
): Dim {
  const steps = x.dims[axis]!;
  if (typeof steps === 'string') return `${call.stem}_${axis === 1 ? 'time' : `axis${axis}`}`;
  const after = change(steps);
  if (after >= 1) return after;
  throw misfit(call, `got a sequence of ${steps} steps, which leaves none`);
}

/** Reads one number for both sides, or one for each. */
function sides(call: LayerCall, key: string): readonly [number, number] {
  const [before = 0, after = before, ...rest] = call.config.integers(key, [1]);
  if (rest.length > 0 || before < 0 || after < 0) {
    throw misfit(
      call,
      `got ${key} [${[before, after, ...rest].join(', ')}], expected one or two sizes`,
    );
  }
  return [before, after];
}

const zeroPadding1D: Translate = (call) => {
  const { builder, stem } = call;
  const x = onlyOfRank(call, 3);
  const [before, after] = sides(call, 'padding');
  const pads = builder.ints([0, before, 0, 0, after, 0]);
  const y = builder.node('Pad', stem, [x.name, pads], { mode: 'constant' });
  return [
    moved(
      x,
      y,
      x.dims.with(
        1,
        timeAfter(call, x, (steps) => steps + before + after),
      ),
    ),
  ];
};

const cropping1D: Translate = (call) => {
  const { builder, stem } = call;
  const x = onlyOfRank(call, 3);
  const [before, after] = sides(call, 'cropping');
  const ends = [before, after === 0 ? 2 ** 31 - 1 : -after, 1, 1].map((end) => builder.ints([end]));
  const y = builder.node('Slice', stem, [x.name, ...ends]);
  return [
    moved(
      x,
      y,
      x.dims.with(
        1,
        timeAfter(call, x, (steps) => steps - before - after),
      ),
    ),
  ];
};

const upSampling1D: Translate = (call) => {
  const { builder, config, stem } = call;
  const x = onlyOfRank(call, 3);
  const size = config.count('size', 2);
  const channels = knownDim(call, x, 2);
  const wide = builder.node('Unsqueeze', `${stem}/wide`, [x.name, builder.ints([2])]);
  const copies = builder.node('Expand', `${stem}/copies`, [wide, builder.ints([1, 1, size, 1])]);
  const y = builder.node('Reshape', stem, [copies, builder.ints([0, -1, channels])]);
  return [
    moved(
      x,
      y,
      x.dims.with(
        1,
        timeAfter(call, x, (steps) => steps * size),
      ),
    ),
  ];
};

// These work along the last axis alone, so [B, T, F] needs no reshape.
const LAST_AXIS: ReadonlySet<string> = new Set([
  'Dense',
  'Activation',
  'Dropout',
  'LayerNormalization',
]);

const timeDistributed: Translate = (call) => {
  const { builder, config, path, stem } = call;
  const x = only(call);
  if (x.dims.length < 3) throw misfit(call, `got ${showDims(x.dims)}, expected [batch, time, …]`);
  const layer = layerConfig(config.raw('layer'), `${path}.layer`);
  const run = (input: KerasTensor): KerasTensor => {
    const [output, ...more] = call.inner(layer, {
      part: 'wrapped',
      inputs: [input],
      detached: true,
    });
    if (output === undefined || more.length > 0) {
      throw unsupported(
        call,
        'layer',
        `around a layer of ${more.length + 1} outputs, expected one`,
      );
    }
    return output;
  };
  const steps = { ...x, mask: undefined };
  if (LAST_AXIS.has(plainClass(layer.className)) && onlyLastAxis(layer.config.raw('axis'))) {
    return [{ ...run(steps), mask: x.mask }];
  }
  const [batch, time, ...rest] = x.dims as [Dim, Dim, ...Dim[]];
  const axisDims = builder.node('Shape', `${stem}/dims`, [x.name], {
    start: 2,
    end: x.dims.length,
  });
  const merged = builder.node('Concat', `${stem}/rows`, [builder.ints([-1]), axisDims], {
    axis: 0,
  });
  const rows =
    typeof batch === 'number' && typeof time === 'number' ? batch * time : `${stem}_rows`;
  const each = builder.node('Reshape', `${stem}/each`, [x.name, merged]);
  const y = run(moved(x, each, [rows, ...rest]));
  const lead = builder.node('Shape', `${stem}/lead`, [x.name], { start: 0, end: 2 });
  const tail = builder.node('Shape', `${stem}/tail`, [y.name], { start: 1, end: y.dims.length });
  const shape = builder.node('Concat', `${stem}/shape`, [lead, tail], { axis: 0 });
  const name = builder.node('Reshape', `${stem}/steps`, [y.name, shape]);
  return [moved(y, name, [batch, time, ...y.dims.slice(1)], x.mask)];
};

function onlyLastAxis(axis: unknown): boolean {
  return (
    axis === undefined ||
    axis === -1 ||
    (Array.isArray(axis) && axis.length === 1 && axis[0] === -1)
  );
}

/** Layers by class. */
export const SHAPE: Readonly<Record<string, Translate>> = {
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeatVector,
  ZeroPadding1D: zeroPadding1D,
  Cropping1D: cropping1D,
  UpSampling1D: upSampling1D,
  TimeDistributed: timeDistributed,
};
