// The gates, candidates and states of a layer at each step, in float64, from what a backend computed for the
// layer to read.
import { CELLS, cellOf, type Cell, type Vectors } from '../cells/index.ts';
import { RnnError } from '../errors.ts';
import { directionsOf, recurrentAttributes, type Node } from '../graph.ts';
import {
  runRecurrent,
  variantOf,
  type RecurrentSizes,
  type StepPlace,
} from '../ops/recurrent-steps.ts';
import { toHost } from '../ops/value.ts';
import { tensor, type Tensor } from '../tensor.ts';

/** Tensors [T, D, B, H] by the names of a cell, see {@link LayerTrace}. */
export type TracedValues = Readonly<Record<string, Tensor<'float32'>>>;

/**
 * What a recurrent layer computed at each step: tensors [T, D, B, H], time first whatever the layout of the model,
 * at the time positions of the input also for a direction that runs backwards.
 *
 * | cell | gates | states |
 * |---|---|---|
 * | `lstm` | `i`, `f`, `o`; `c`, the candidate (also g or c̃); `f` is 1 - `i` where they are coupled | `h`, `c` |
 * | `gru` | `z`, `r`; `h`, the candidate (also n or h̃) | `h` |
 * | `rnn` | `i`, the new h | `h` |
 * | of an app | what its step gives to `observe` | its states |
 *
 * What the layer reads (its input, initial states, lengths, mask) is what the backend computed. From that and the
 * weights as they are in the model, the step of the cell in float64 computes the trace on the CPU, in the thread of
 * the caller, once for each traced call; `deviation` says how far the backend's own outputs of the layer are from it.
 *
 * A step that does not count, because the row is shorter or masked, has NaN for gates, inputs and products, and
 * the states that it leaves as they were.
 */
export interface LayerTrace {
  /** Name of the cell: `lstm`, `gru`, `rnn`, or that of a cell of the app. */
  readonly cell: string;
  /** Order of the steps; D is 2 when bidirectional. */
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  /** Gates and candidates, after their activation. */
  readonly gates: TracedValues;
  /**
   * W·x + b of each gate, with the recurrent bias where that is added to it: everywhere but in the candidate of
   * a GRU that scales R·h + b.
   */
  readonly inputs: TracedValues;
  /** R·h of each gate that has such a product; of the candidate of a GRU it may be R·(r∘h). */
  readonly products: TracedValues;
  /** States after each step; the first is the output, [T, D, B, O], as wide as the projection where there is one. */
  readonly states: TracedValues;
  /**
   * The largest difference between this trace and what the backend computed, over the outputs that the layer has in
   * the model: all its h, and its last states. Some 1e-6 for float32 weights, more where they are stored as f16 or
   * int8, NaN where only one of the two is NaN.
   */
  readonly deviation: number;
}

/** Results of a traced call: outputs by name, and `trace`, which no loop over the outputs meets. */
export type TracedResults = Record<string, Tensor> & {
  /** What was traced, by the name of the layer. */
  readonly trace: Readonly<Record<string, LayerTrace>>;
};

/** Tensors that are written step by step. */
class Series {
  readonly #tensors = new Map<string, Tensor<'float32'>>();
  readonly #sizes: RecurrentSizes;

  constructor(sizes: RecurrentSizes) {
    this.#sizes = sizes;
  }

  add(name: string, { t, d, b }: StepPlace, values: Float64Array): void {
    const { D, B } = this.#sizes;
    const width = values.length;
    this.#tensor(name, width).data.set(values, ((t * D + d) * B + b) * width);
  }

  #tensor(name: string, width: number): Tensor<'float32'> {
    const { T, D, B } = this.#sizes;
    let made = this.#tensors.get(name);
    if (!made) {
      made = tensor(new Float32Array(T * D * B * width).fill(NaN), [T, D, B, width]);
      this.#tensors.set(name, made);
    }
    return made;
  }

  /** The tensors, also those of `names` that no step has written. */
  finish(names: readonly string[], width: (name: string) => number): TracedValues {
    for (const name of names) this.#tensor(name, width(name));
    return Object.fromEntries(this.#tensors);
  }
}

/** The largest difference of a value that the backend computed to float64 numbers. */
function deviationOf({ data }: Tensor, exact: Float64Array): number {
  let worst = 0;
  for (let i = 0; i < exact.length; i++) {
    const [got, want] = [Number(data[i]), Math.fround(exact[i]!)];
    if (Object.is(got, want) || got === want) continue;
    const error = Math.abs(got - want);
    if (!(error <= worst)) worst = error;
    if (Number.isNaN(worst)) break;
  }
  return worst;
}

/** Sizes of a layer, whose inputs the planner has checked. */
function sizesOf(node: Node, inputs: readonly (Tensor | undefined)[]): RecurrentSizes {
  const attributes = recurrentAttributes(node);
  const { hidden: H, layout } = attributes;
  const [x, projection] = [inputs[0]!.dims as [number, number, number], inputs[9]];
  const [T, B] = layout === 0 ? [x[0], x[1]] : [x[1], x[0]];
  const D = directionsOf(attributes);
  const G = cellOf(attributes.cell).gates.length;
  return { T, B, I: x[2], H, D, G, O: projection?.dims[1] ?? H };
}

/**
 * The trace of a layer.
 *
 * @param lookup values of the graph by name: constants, and what a backend computed
 * @throws RnnError `INVALID_ARGUMENT` for a cell that observes other vectors than [H]
 */
export function traceOf(node: Node, lookup: (name: string) => Tensor): LayerTrace {
  const attributes = recurrentAttributes(node);
  const cell = cellOf(attributes.cell);
  const inputs = node.inputs.map((name) => (name === '' ? undefined : lookup(name)));
  const sizes = sizesOf(node, inputs);
  const { H, O } = sizes;
  const make = (): Series => new Series(sizes);
  const [gates, sums, products, states] = [make(), make(), make(), make()];
  const numbers = inputs.map((value) => value && toHost(value).data);
  const results = runRecurrent(attributes, sizes, numbers, {
    begin: (place, x) => {
      addAll(sums, place, x);
      return {
        product: (gate, values) => products.add(gate, place, values),
        observe: (name, values) => {
          if (!(values instanceof Float64Array) || values.length !== H) {
            const what = `observe('${name}', …), got ${String(values?.length)} numbers, expected ${H}`;
            throw new RnnError('INVALID_ARGUMENT', 'cell.step', what);
          }
          gates.add(name, place, values);
        },
      };
    },
    end: (place, values) => addAll(states, place, values),
  });
  // A cell of an app need not observe its gates, and may observe more.
  const known = Object.values<Cell>(CELLS).includes(cell) ? cell.gates : [];
  const multiplied = cell.phases(variantOf(attributes, inputs[7] !== undefined));
  const differences = node.outputs.flatMap((name, slot) =>
    name === '' ? [] : [deviationOf(lookup(name), results[slot]!)],
  );
  return {
    cell: cell.name,
    direction: attributes.direction,
    gates: gates.finish(known, () => H),
    inputs: sums.finish(cell.gates, () => H),
    products: products.finish(
      multiplied.flatMap(({ product }) => product),
      () => H,
    ),
    states: states.finish(cell.states, (name) => (name === cell.states[0] ? O : H)),
    deviation: Math.max(0, ...differences),
  };
}

function addAll(series: Series, place: StepPlace, vectors: Vectors): void {
  for (const [name, values] of Object.entries(vectors)) series.add(name, place, values);
}
