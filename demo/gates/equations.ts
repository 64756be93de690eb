// The equations of each cell, with the numbers of one unit at one step.
import { type Episode, type RecurrentWeights, UNITS } from './networks.ts';
import type { CellName } from './tasks.ts';
import type { WordKey } from './words.ts';

/** One line: what it defines, by which formula, with which numbers, and what it is for. */
export interface Equation {
  readonly symbol: string;
  readonly formula: string;
  readonly numbers: string;
  readonly value: number;
  readonly meaning: WordKey;
}

/** Gates, candidates and states of a cell that are drawn through time: their names in the trace, and on the page. */
export interface Lane {
  readonly kind: 'gate' | 'candidate' | 'state';
  readonly name: string;
  readonly symbol: string;
  readonly title: WordKey;
}

export const LANES: Readonly<Record<CellName, readonly Lane[]>> = {
  rnn: [{ kind: 'state', name: 'h', symbol: 'h', title: 'hidden' }],
  gru: [
    { kind: 'gate', name: 'r', symbol: 'r', title: 'reset' },
    { kind: 'gate', name: 'z', symbol: 'z', title: 'update' },
    { kind: 'candidate', name: 'h', symbol: 'n', title: 'candidate' },
    { kind: 'state', name: 'h', symbol: 'h', title: 'hidden' },
  ],
  lstm: [
    { kind: 'gate', name: 'f', symbol: 'f', title: 'forget' },
    { kind: 'gate', name: 'i', symbol: 'i', title: 'inputGate' },
    { kind: 'candidate', name: 'c', symbol: 'g', title: 'candidate' },
    { kind: 'gate', name: 'o', symbol: 'o', title: 'outputGate' },
    { kind: 'state', name: 'c', symbol: 'c', title: 'cellState' },
    { kind: 'state', name: 'h', symbol: 'h', title: 'hidden' },
  ],
};

/** Values of a lane, [steps, UNITS]. */
export const valuesOf = (episode: Episode, { kind, name }: Lane): Float32Array =>
  (kind === 'state' ? episode.states : episode.gates)[name]!;

/** `1.5` → `1.50`, with a true minus, and none before a zero. */
export const number = (value: number): string =>
  value.toFixed(2).replace('-0.00', '0.00').replace('-', '−');
const signed = (value: number): string =>
  value < 0 ? `− ${number(-value)}` : `+ ${number(value)}`;

/** The equations of a cell at a step, for one unit. States before the first step are zero. */
export function equationsOf(
  episode: Episode,
  weights: RecurrentWeights,
  step: number,
  unit: number,
): Equation[] {
  const at = (values: Float32Array): number => values[step * UNITS + unit]!;
  const before = (state: string): number =>
    step === 0 ? 0 : episode.states[state]![(step - 1) * UNITS + unit]!;
  const gate = (name: string): number => at(episode.gates[name]!);
  const sum = (name: string): string =>
    `${number(at(episode.inputs[name]!))} ${signed(at(episode.products[name]!))}`;
  const sigmoid = (symbol: string, name: string, meaning: WordKey): Equation => ({
    symbol,
    formula: `σ(W${symbol}·x + b${symbol} + R${symbol}·h₋₁)`,
    numbers: `σ(${sum(name)})`,
    value: gate(name),
    meaning,
  });
  const h = at(episode.states['h']!);
  if (episode.cell === 'rnn') {
    const formula = 'tanh(W·x + b + R·h₋₁)';
    return [{ symbol: 'h', formula, numbers: `tanh(${sum('i')})`, value: h, meaning: 'hNew' }];
  }
  if (episode.cell === 'gru') {
    const inner = `${number(at(episode.products['h']!))} ${signed(weights.candidateBias![unit]!)}`;
    const [z, n] = [gate('z'), gate('h')];
    return [
      sigmoid('r', 'r', 'resetDoes'),
      sigmoid('z', 'z', 'updateDoes'),
      {
        symbol: 'n',
        formula: 'tanh(Wn·x + bn + r·(Rn·h₋₁ + b′n))',
        numbers: `tanh(${number(at(episode.inputs['h']!))} + ${number(gate('r'))} · (${inner}))`,
        value: n,
        meaning: 'candidateDoes',
      },
      {
        symbol: 'h',
        formula: '(1 − z)·n + z·h₋₁',
        numbers: `${number(1 - z)} · ${number(n)} + ${number(z)} · ${number(before('h'))}`,
        value: h,
        meaning: 'gruStateDoes',
      },
    ];
  }
  const [f, i, g, o, c] = [gate('f'), gate('i'), gate('c'), gate('o'), at(episode.states['c']!)];
  return [
    sigmoid('f', 'f', 'forgetDoes'),
    sigmoid('i', 'i', 'inputDoes'),
    {
      symbol: 'g',
      formula: 'tanh(Wg·x + bg + Rg·h₋₁)',
      numbers: `tanh(${sum('c')})`,
      value: g,
      meaning: 'candidateDoes',
    },
    sigmoid('o', 'o', 'outputDoes'),
    {
      symbol: 'c',
      formula: 'f·c₋₁ + i·g',
      numbers: `${number(f)} · ${number(before('c'))} + ${number(i)} · ${number(g)}`,
      value: c,
      meaning: 'cellDoes',
    },
    {
      symbol: 'h',
      formula: 'o·tanh(c)',
      numbers: `${number(o)} · tanh(${number(c)})`,
      value: h,
      meaning: 'hiddenDoes',
    },
  ];
}

/** What the gates of all units did at a step, as means: the share kept, written and let out. */
export interface Flow {
  readonly kept?: number;
  readonly written?: number;
  readonly shown?: number;
}

/** The {@link Flow} of a step; an RNN has no gates, and so no shares. */
export function flowOf({ cell, gates }: Episode, step: number): Flow {
  const mean = (name: string): number => {
    const values = gates[name]!.subarray(step * UNITS, (step + 1) * UNITS);
    return values.reduce((sum, value) => sum + value, 0) / UNITS;
  };
  if (cell === 'rnn') return {};
  if (cell === 'gru') return { kept: mean('z'), written: 1 - mean('z') };
  return { kept: mean('f'), written: mean('i'), shown: mean('o') };
}
