// Layers with a window that slides along time: convolution and pooling.
import type { Dim } from '../graph-builder.ts';
import type { Attribute, ValueInfo } from '../graph.ts';
import { tensor } from '../tensor.ts';
import { appendActivation } from './activation.ts';
import { expectDims, expectSequence, invalid, makeLayer, mismatch, show } from './layer.ts';
import { readChoice, readCount, type Layer, type Place, type SequenceOptions } from './layer.ts';
import { readOrder, readShaped, readWeights, type OrderOption, type Weights } from './weights.ts';

/** Options of a window. */
export interface WindowOptions extends SequenceOptions {
  /** Steps from one window to the next; 1 by default, of `pool` its size. */
  readonly stride?: number | undefined;
  /**
   * `'valid'` (default): windows within the sequence. `'same'`: zeros at both ends, so that there are T / stride
   * outputs. `'causal'`: zeros in front only, so that no output sees later steps.
   */
  readonly padding?: 'valid' | 'same' | 'causal' | undefined;
}

/** The attributes of a window of `size` steps, and how many outputs it has. */
function slide(place: Place, time: Dim, size: number, dilation: number, options: WindowOptions) {
  const { stem, path } = place;
  const stride = readCount(options.stride ?? 1, `${path}.stride`);
  const choices = ['valid', 'same', 'causal'] as const;
  const padding = readChoice(options.padding ?? 'valid', choices, `${path}.padding`);
  const reach = (size - 1) * dilation + 1;
  const same = padding === 'same' && stride === 1;
  const left = padding === 'causal' ? reach - 1 : same ? Math.floor((reach - 1) / 2) : 0;
  const right = same ? reach - 1 - left : 0;
  // With a stride the padding depends on the length, as auto_pad says; without, it need not.
  const pads: Readonly<Record<string, Attribute>> =
    padding === 'same' && !same ? { auto_pad: 'SAME_UPPER' } : { pads: [left, right] };
  const attributes = { ...pads, kernel_shape: [size], strides: [stride] };
  if (padding !== 'valid' && stride === 1) return { attributes, time };
  // A free length gets a new name, since it is another size.
  if (typeof time === 'string') return { attributes, time: `${stem}_time` };
  const after =
    padding === 'valid' ? Math.floor((time - reach) / stride) + 1 : Math.ceil(time / stride);
  if (after >= 1) return { attributes, time: after };
  throw mismatch(path, `a sequence of ${time} steps`, `at least ${reach}, its window`);
}

/** Runs a node that wants [batch, channels, time]. */
function channelsFirst(place: Place, run: (x: string) => string): string {
  const { builder, x, layout, stem } = place;
  const perm = layout === 1 ? [0, 2, 1] : [1, 2, 0];
  const back = layout === 1 ? [0, 2, 1] : [2, 0, 1];
  const turned = builder.node('Transpose', `${stem}/channels_first`, [x.name], { perm });
  return builder.node('Transpose', `${stem}/channels_last`, [run(turned)], { perm: back });
}

const sequence = ({ layout }: Place, batch: Dim, time: Dim, features: Dim): readonly Dim[] =>
  layout === 1 ? [batch, time, features] : [time, batch, features];

/** Options of `conv1d`. O filters, I channels, K steps of a window. */
export interface Conv1dOptions extends WindowOptions, OrderOption {
  /** [O, I / groups, K]; [K, I / groups, O] with `order: 'keras'`. */
  readonly W: Weights;
  /** [O]; zeros when left out. */
  readonly b?: Weights | undefined;
  /** Steps from one tap of the window to the next; 1 by default. */
  readonly dilation?: number | undefined;
  /** Parts of the channels that are convolved each by itself; 1 by default. */
  readonly groups?: number | undefined;
  /** The name of an `activation`; none by default. */
  readonly activation?: string | undefined;
}

/**
 * A convolution along time: [B, T, I] → [B, T', O]. Like recurrent layers it has its features last.
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` where it is put into a model
 * @example
 * ```ts
 * conv1d({ W, b, padding: 'causal', dilation: 2, activation: 'relu' }); // W [64, 40, 3], b [64]
 * ```
 */
export function conv1d(options: Conv1dOptions): Layer {
  const { W, b, order, activation, name, layout } = options;
  const read = (path: string) => {
    const weights = readWeights(W, `${path}.W`);
    const isKeras = readOrder(order, path) === 'keras';
    const [first = 0, own = 0, last = 0] = weights.dims;
    const meaning = isKeras ? 'K × I / groups × O' : 'O × I / groups × K';
    expectDims(weights, [first, own, last], meaning, `${path}.W`);
    const [filters, size] = isKeras ? [last, first] : [first, last];
    const groups = readCount(options.groups ?? 1, `${path}.groups`);
    if (filters % groups !== 0) {
      throw invalid(`${path}.groups`, groups, `a divisor of ${filters} filters`);
    }
    return { weights, isKeras, filters, own, size, groups, channels: own * groups };
  };
  return makeLayer({
    kind: 'conv1d',
    name,
    layout,
    wants: (path) => ({ type: 'float32', features: read(path).channels }) as const,
    append: (place) => {
      const { builder, x, stem, path } = place;
      const { weights, isKeras, filters, own, size, groups, channels } = read(path);
      const { batch, time, features } = expectSequence(place);
      if (features !== channels) {
        throw mismatch(`${path}.W`, `an input ${show(x)}`, `float32 with ${channels} features`);
      }
      const kernel = builder.constant(`${stem}/W`, () => {
        if (!isKeras) return weights;
        const data = new Float32Array(weights.data.length); // [K, I, O] → [O, I, K]
        for (let k = 0; k < size; k++) {
          for (let c = 0; c < own; c++) {
            for (let f = 0; f < filters; f++)
              data[(f * own + c) * size + k] = weights.data[(k * own + c) * filters + f]!;
          }
        }
        return tensor(data, [filters, own, size]);
      });
      const inputs = [kernel];
      if (b !== undefined) {
        const bias = readShaped(b, [filters], 'O', `${path}.b`);
        inputs.push(builder.constant(`${stem}/b`, () => bias));
      }
      const dilation = readCount(options.dilation ?? 1, `${path}.dilation`);
      const slid = slide(place, time, size, dilation, options);
      const attributes = { ...slid.attributes, dilations: [dilation], group: groups };
      const y = channelsFirst(place, (turned) =>
        builder.node('Conv', stem, [turned, ...inputs], attributes),
      );
      const dims = sequence(place, batch, slid.time, filters);
      const value: ValueInfo = { name: y, type: 'float32', dims };
      if (activation === undefined) return value;
      const at = { stem: `${stem}/activation`, path: `${path}.activation` };
      return appendActivation(builder, value, activation, {}, at);
    },
  });
}

/** Options of `pool`. */
export interface PoolOptions extends WindowOptions {
  /** Steps of a window; the whole sequence when left out: [B, T, F] → [B, F]. */
  readonly size?: number | undefined;
}

const WHOLE = { max: 'ReduceMax', average: 'ReduceMean' } as const;
const WINDOWED = { max: 'MaxPool', average: 'AveragePool' } as const;

/**
 * The maximum or the average of each feature in windows along time, [B, T, F] → [B, T', F], or over all of
 * time, [B, T, F] → [B, F]; or the last step, [B, T, F] → [B, F]. Zeros of the padding do not count.
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` where it is put into a model
 * @example
 * ```ts
 * sequential([lstm({ W, R, B }), pool('max'), dense({ W: V, b })]); // over all of time
 * pool('average', { size: 3, stride: 2 }); // in windows
 * ```
 */
export function pool(what: 'max' | 'average' | 'last', options: PoolOptions = {}): Layer {
  return makeLayer({
    kind: 'pool',
    name: options.name,
    layout: options.layout,
    wants: () => undefined,
    append: (place) => {
      const { builder, x, layout, stem, path } = place;
      readChoice(what, ['max', 'average', 'last'], path);
      const { batch, time, features } = expectSequence(place);
      const { size, stride } = options;
      const whole = { type: 'float32', dims: [batch, features] } as const;
      if (what === 'last') {
        if (size !== undefined) throw invalid(`${path}.size`, size, "none for 'last'");
        const last = builder.constant('int:-1', () => tensor(BigInt64Array.of(-1n), []));
        return { ...whole, name: builder.node('Gather', stem, [x.name, last], { axis: layout }) };
      }
      if (size === undefined) {
        const inputs = [x.name, builder.ints([layout])];
        return { ...whole, name: builder.node(WHOLE[what], stem, inputs, { keepdims: 0 }) };
      }
      const steps = readCount(size, `${path}.size`);
      const slid = slide(place, time, steps, 1, { ...options, stride: stride ?? steps });
      const y = channelsFirst(place, (turned) =>
        builder.node(WINDOWED[what], stem, [turned], slid.attributes),
      );
      return { name: y, type: 'float32', dims: sequence(place, batch, slid.time, features) };
    },
  });
}
