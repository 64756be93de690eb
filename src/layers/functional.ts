// Graphs of layers that are not one stack: several inputs and outputs, branches, shared layers.
import { RnnError } from '../errors.ts';
import { GraphBuilder, type NamedOutput } from '../graph-builder.ts';
import { validateGraph, type Graph, type ValueInfo } from '../graph.ts';
import { withoutDead } from '../prune.ts';
import { DATA_TYPES, type DataType } from '../tensor.ts';
import { invalid } from './layer.ts';
import { isSymbolic, symbolic, type Application, type SymbolicTensor } from './symbolic.ts';

/** Options of `functional`. */
export interface FunctionalOptions {
  /** Outputs by name. */
  readonly outputs: Readonly<Record<string, SymbolicTensor>>;
  /** The inputs in order; those that the outputs need, in the order in which they were made, when left out. */
  readonly inputs?: readonly SymbolicTensor[] | undefined;
  /** Name of the graph. */
  readonly name?: string | undefined;
}

/** An input of a graph: its name, its sizes, free ones as texts, and its type. */
export function namedInput(
  name: string,
  dims: readonly (number | string)[],
  type: DataType = 'float32',
): SymbolicTensor {
  const path = `input('${name}')`;
  if (name === '') throw invalid(path, 'an empty name', 'a name');
  const isDim = (dim: unknown): boolean =>
    typeof dim === 'string' ? dim !== '' : Number.isSafeInteger(dim) && (dim as number) >= 0;
  if (!Array.isArray(dims) || !dims.every(isDim)) {
    throw invalid(`${path}.dims`, JSON.stringify(dims), 'a list of sizes and names of free ones');
  }
  if (!DATA_TYPES.includes(type)) throw invalid(`${path}.type`, type, DATA_TYPES.join(', '));
  return symbolic({ name, type, dims: [...dims] });
}

/**
 * Makes a graph of what layers were applied to. Nodes are called after their layers, `lstm_0`, `lstm_1` in the
 * order in which they were applied; a layer that is applied twice has its weights once.
 *
 * @throws RnnError `INVALID_ARGUMENT` for outputs that are no outputs of layers, for an input that is missing
 *   in the list, and for two layers or inputs of one name
 * @example
 * ```ts
 * const x = input('x', ['batch', 'time', 40]);
 * const h = lstm({ W, R, B })(x);
 * const y = dense({ W: V, b, activation: 'softmax' })(h);
 * const model = await loadModel(functional({ inputs: [x], outputs: { y } }));
 * ```
 */
export function functional({ inputs, outputs, name = 'functional' }: FunctionalOptions): Graph {
  const wanted = Object.entries(outputs);
  if (wanted.length === 0) throw invalid('functional.outputs', 'none', 'at least one');
  for (const [key, value] of wanted) expectSymbolic(value, `functional.outputs.${key}`);
  inputs?.forEach((value, i) => {
    const path = `functional.inputs[${i}]`;
    expectSymbolic(value, path);
    if (value.from) throw invalid(path, `the output of '${value.name}'`, 'an input');
  });
  const { applications, needed } = reach(wanted.map(([, value]) => value));
  const declared = inputs ?? needed;
  const missing = needed.find((value) => !declared.includes(value));
  if (missing) {
    throw invalid('functional.inputs', `a list without '${missing.name}'`, 'all that outputs need');
  }
  const builder = new GraphBuilder();
  const names = new Set<string>();
  const claim = (claimed: string, path: string): void => {
    if (names.has(claimed)) throw invalid(path, `'${claimed}' again`, 'a name of its own');
    names.add(claimed);
  };
  declared.forEach((value, i) => claim(value.name, `functional.inputs[${i}]`));
  for (const [key] of wanted) claim(key, `functional.outputs.${key}`);
  // Values within the graph are called otherwise.
  for (const claimed of names) builder.unique(claimed);
  const made = new Map<SymbolicTensor, ValueInfo>();
  for (const value of declared) made.set(value, builder.input(infoOf(value)));
  const results = write(builder, applications, made);
  const named = wanted.map(([key, value]): NamedOutput => ({ name: key, value: results(value) }));
  const graph = withoutDead(builder.finish(name, named));
  validateGraph(graph);
  return graph;
}

const infoOf = ({ name, type, dims }: ValueInfo): ValueInfo => ({ name, type, dims });

function expectSymbolic(value: unknown, path: string): void {
  if (isSymbolic(value)) return;
  throw invalid(path, Array.isArray(value) ? 'a list' : typeof value, 'the output of a layer');
}

/** The calls of layers that values come from, and the inputs, each in the order in which they were made. */
function reach(values: readonly SymbolicTensor[]) {
  const applications = new Map<Application, number>();
  const inputs = new Set<SymbolicTensor>();
  const open = [...values];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (!value.from) inputs.add(value);
    else if (!applications.has(value.from.application)) {
      applications.set(value.from.application, value.serial);
      for (const input of value.from.application.inputs) if (input) open.push(input);
    }
  }
  return {
    applications: [...applications].toSorted((a, b) => a[1] - b[1]).map(([each]) => each),
    needed: [...inputs].toSorted((a, b) => a.serial - b.serial),
  };
}

/** Appends the nodes of calls, and says what became of a symbolic tensor. */
function write(
  builder: GraphBuilder,
  applications: readonly Application[],
  inputs: ReadonlyMap<SymbolicTensor, ValueInfo>,
): (value: SymbolicTensor) => ValueInfo {
  const written = new Map<Application, readonly ValueInfo[]>();
  const result = (value: SymbolicTensor): ValueInfo =>
    value.from ? written.get(value.from.application)![value.from.slot]! : inputs.get(value)!;
  const stems = new Stems();
  const stemOf = new Map<object, string>();
  for (const application of applications) {
    const { layer, kind, name, append } = application;
    const stem = stemOf.get(layer) ?? stems.take(kind, name, `functional.${name ?? kind}.name`);
    stemOf.set(layer, stem);
    const given = application.inputs.map((input) => input && result(input));
    written.set(application, append({ builder, inputs: given, stem, path: stem }));
  }
  return result;
}

/** Names of layers: their own, or their kind and how many of it there were before. */
export class Stems {
  readonly #counts = new Map<string, number>();
  readonly #taken = new Set<string>();

  /** @throws RnnError `INVALID_ARGUMENT` for a name that another layer has */
  take(kind: string, name: string | undefined, path: string): string {
    const count = this.#counts.get(kind) ?? 0;
    this.#counts.set(kind, count + 1);
    const stem = name ?? `${kind}_${count}`;
    if (this.#taken.has(stem)) {
      throw new RnnError(
        'INVALID_ARGUMENT',
        path,
        `got '${stem}' again, expected a name of its own`,
      );
    }
    this.#taken.add(stem);
    return stem;
  }
}
