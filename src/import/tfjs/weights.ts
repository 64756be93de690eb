// Finds the weights of a layer by their names in a TF.js manifest. Which names there are depends on
// who wrote the file:
//   TF.js          lstm/kernel, bidirectional/forward_lstm/kernel, rnn/RNNCell_0/kernel
//   TF 2.2 and on  lstm/lstm_cell/kernel, bidirectional/forward_lstm/lstm_cell_1/kernel
//   Keras 3        lstm/cell/0: places instead of names; or forward_lstm/lstm_cell/kernel, without the wrapper
// A layer of a model within a model stands under its own name, or under both.
// tfjs-layers/src/engine/container.ts, loadWeights
import type { Tensor } from '../../tensor.ts';
import type { Part, Weights } from '../keras/layers/index.ts';
import type { NamedWeight } from './manifest.ts';

interface Entry {
  readonly name: string;
  /** The name in parts, without the folders of a Keras 3 archive. */
  readonly parts: readonly string[];
  readonly tensor: Tensor;
}

const FOLDERS: ReadonlySet<string> = new Set(['vars', 'layers', '_layer_checkpoint_dependencies']);

/** The weights of a model, and which of them nobody has asked for. */
export interface WeightStore extends Weights {
  readonly unused: () => readonly string[];
}

/** Makes weights findable by layer. */
export function weightStore(weights: readonly NamedWeight[]): WeightStore {
  const entries = weights.map(({ name, tensor }) => ({
    name,
    parts: name.split('/').filter((part) => !FOLDERS.has(part)),
    tensor,
  }));
  const used = new Set<string>();
  return {
    ...scope(entries, used),
    unused: () => weights.map(({ name }) => name).filter((name) => !used.has(name)),
  };
}

/** `kernel_1:0` → `kernel`: counters that TensorFlow and TF.js append to a name that is taken. */
const base = (last: string): string => last.replace(/:\d+$/, '').replace(/_\d+$/, '');

function scope(entries: readonly Entry[], used: Set<string>): Weights {
  return {
    part: (part) => scope(narrow(entries, part), used),
    find: (name, index) => {
      const last = (entry: Entry): string => entry.parts.at(-1)!;
      const named = entries.filter((entry) => base(last(entry)) === name);
      const exact = named.filter((entry) => last(entry) === name);
      const placed = entries.filter((entry) => last(entry) === String(index));
      const [found] = [exact, named, placed].find((some) => some.length === 1) ?? [];
      if (found) used.add(found.name);
      return found?.tensor;
    },
    names: () => entries.map((entry) => entry.name),
  };
}

/** The entries that belong to a part. */
function narrow(entries: readonly Entry[], part: Part): readonly Entry[] {
  const within = (matches: (part: string) => boolean): Entry[] =>
    entries.filter(({ parts }) => parts.slice(0, -1).some(matches));
  const behind = (first: string): Entry[] =>
    entries
      .filter(({ parts }) => parts.length > 1 && parts[0] === first)
      .map((entry) => ({ ...entry, parts: entry.parts.slice(1) }));
  if (part === 'forward' || part === 'backward') {
    return within((name) => name.startsWith(`${part}_`));
  }
  if (part === 'wrapped' || part === 'cell') return entries;
  if ('model' in part) {
    // Nothing may tell that its layers belong to it.
    const own = behind(part.model);
    return own.length > 0 ? own : entries;
  }
  if ('layer' in part) {
    const own = behind(part.layer);
    const named = own.length > 0 ? own : within((name) => name === part.layer);
    if (named.length > 0 || !part.wrapped) return named;
    // Keras 3 saves the layer within a Bidirectional under the name that its forward half got.
    const inner = part.wrapped.replace(/^forward_/, '');
    const names = [part.wrapped, inner, `forward_${inner}`, `backward_${inner}`];
    return within((name) => names.includes(name));
  }
  const numbered = within(
    (name) => name === `RNNCell_${part.cell}` || name === `rnn_cell_${part.cell}`,
  );
  return numbered.length > 0 ? numbered : nthCell(entries, part.cell);
}

/** Weights of a stack come cell after cell, each beginning with its kernel. */
function nthCell(entries: readonly Entry[], cell: number): readonly Entry[] {
  let current = -1;
  return entries.filter(({ parts }) => {
    const last = base(parts.at(-1)!);
    if (last === 'kernel' || last === '0') current++;
    return current === cell;
  });
}
