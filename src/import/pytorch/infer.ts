// Finds the layers of a file that says only names and shapes. It never guesses: where the tensors
// leave two readings, or hide something such as a function between two layers, it says so.
import { RnnError } from '../../errors.ts';
import type { PyTorchLayer, PyTorchRecurrent } from './architecture.ts';
import { listed, type StateDict } from './state-dict.ts';
import { readRecurrent } from './recurrent.ts';

/** Tensors that stand together under one path. */
interface Module {
  readonly name: string;
  readonly leaves: ReadonlyMap<string, readonly number[]>;
}

interface Recurrent {
  readonly layer: PyTorchRecurrent;
  readonly inputs: number;
  readonly outputs: number;
}

const RECURRENT_LEAF = /^(weight|bias)_(ih|hh|hr)(_l\d+(_reverse)?)?$/;
const REMEDY = 'say the layers in options.architecture.layers';

const unclear = (what: string): RnnError =>
  new RnnError('INVALID_ARGUMENT', 'options.architecture', `${what}: ${REMEDY}`);

function modulesOf(state: StateDict): Module[] {
  const modules = new Map<string, Map<string, readonly number[]>>();
  for (const [name, { dims }] of state.entries) {
    const dot = name.lastIndexOf('.');
    const path = name.slice(0, Math.max(dot, 0));
    const leaves = modules.get(path) ?? new Map<string, readonly number[]>();
    modules.set(path, leaves.set(name.slice(dot + 1), dims));
  }
  return [...modules].map(([name, leaves]) => ({ name, leaves }));
}

const isRecurrent = ({ leaves }: Module): boolean =>
  leaves.has('weight_hh_l0') || leaves.has('weight_hh');

/** A module with a matrix, and a bias or none: nn.Linear or nn.Embedding. */
function isMatrix({ leaves }: Module): boolean {
  const rank = leaves.get('weight')?.length;
  return rank === 2 && [...leaves.keys()].every((leaf) => leaf === 'weight' || leaf === 'bias');
}

/** nn.RNN, nn.GRU or nn.LSTM, told by the rows of weight_hh: 1, 3 or 4 for each hidden unit. */
function recurrentOf({ name, leaves }: Module, state: StateDict): Recurrent {
  const strange = [...leaves.keys()].filter((leaf) => !RECURRENT_LEAF.test(leaf));
  const called = name || 'the model';
  if (strange.length > 0) throw unclear(`${called} has the weights ${listed(strange)} too`);
  const [rows = 0, columns = 0] = leaves.get('weight_hh_l0') ?? leaves.get('weight_hh')!;
  const projection = leaves.get('weight_hr_l0') ?? leaves.get('weight_hr');
  const ratio = rows / (projection?.[1] ?? columns);
  const type = ratio === 1 ? 'rnn' : ratio === 3 ? 'gru' : ratio === 4 ? 'lstm' : undefined;
  if (type === undefined) {
    throw unclear(
      `weight_hh of ${called} is [${rows}, ${columns}], expected 1 (RNN), 3 (GRU) or 4 (LSTM) ` +
        'times as many rows as hidden units',
    );
  }
  const layer: PyTorchRecurrent = { type, name };
  const { inputs, outputs, directions } = readRecurrent(layer, state, undefined);
  return { layer, inputs, outputs: directions * outputs };
}

/** Stacked modules, `lstm1` and `lstm2` or `rnns.0` and `rnns.1`, in the order of their numbers. */
function stackOf(found: readonly Recurrent[]): readonly Recurrent[] {
  const nameOf = ({ layer }: Recurrent): string => layer.name ?? '';
  const numbers = (name: string): string => name.replace(/\d+/g, '#');
  const names = found.map(nameOf);
  if (new Set(names.map(numbers)).size > 1) {
    throw unclear(`how ${listed(names)} follow one another is open`);
  }
  const ordered = found.toSorted((a, b) =>
    nameOf(a).localeCompare(nameOf(b), 'en', { numeric: true }),
  );
  ordered.slice(1).forEach((above, i) => {
    const below = ordered[i]!;
    if (above.inputs !== below.outputs) {
      throw unclear(
        `'${nameOf(above)}' takes ${above.inputs} features, '${nameOf(below)}' gives ${below.outputs}`,
      );
    }
  });
  return ordered;
}

/**
 * The layers of a state_dict: an embedding or none, recurrent modules, a linear layer or none.
 *
 * @throws RnnError `INVALID_ARGUMENT` at `options.architecture` with what is open and what to say
 */
export function inferLayers(state: StateDict): readonly PyTorchLayer[] {
  const modules = modulesOf(state);
  const recurrent = modules.filter(isRecurrent);
  const matrices = modules.filter((module) => !isRecurrent(module) && isMatrix(module));
  const rest = modules.filter((module) => !isRecurrent(module) && !isMatrix(module));
  if (recurrent.length === 0) {
    throw unclear(
      `no recurrent layer among ${listed([...state.entries.keys()])}, expected names such as ` +
        "'lstm.weight_ih_l0'",
    );
  }
  if (rest.length > 0) {
    throw unclear(
      'which layers take ' +
        `${listed(rest.map(({ name, leaves }) => `${name}.${[...leaves.keys()][0]}`))} is open ` +
        '(options.architecture.ignore leaves tensors out)',
    );
  }
  const stack = stackOf(recurrent.map((module) => recurrentOf(module, state)));
  const [below, above] = [stack[0]!.inputs, stack.at(-1)!.outputs];
  const embeddings: Module[] = [];
  const linears: Module[] = [];
  for (const module of matrices) {
    const [, columns] = module.leaves.get('weight')!;
    const mayHead = columns === above;
    const mayEmbed = columns === below && !module.leaves.has('bias');
    const saysEmbedding = /emb/i.test(module.name);
    if (mayEmbed && (saysEmbedding || !mayHead)) embeddings.push(module);
    else if (mayHead && !mayEmbed) linears.push(module);
    else {
      const what = mayHead
        ? `'${module.name}' may be an embedding before or a linear layer after the others`
        : `'${module.name}' takes ${columns} features, which nothing before it gives`;
      throw unclear(what);
    }
  }
  if (embeddings.length > 1) {
    throw unclear(`which of ${listed(embeddings.map(({ name }) => name))} comes first is open`);
  }
  // Two in a row have a function between them, which the weights do not tell; two on the same
  // input are two outputs.
  if (linears.length > 1) {
    throw unclear(`what is between ${listed(linears.map(({ name }) => name))} is open`);
  }
  return [
    ...embeddings.map(({ name }): PyTorchLayer => ({ type: 'embedding', name })),
    ...stack.map(({ layer }) => layer),
    ...linears.map(({ name }): PyTorchLayer => ({ type: 'linear', name })),
  ];
}
