// The three tasks of the page: what a network reads, and what its answer means. scripts/train/gates.py has the same.

/** Names of the tasks. */
export const TASKS = ['recall', 'count', 'signal'] as const;
export type TaskName = (typeof TASKS)[number];

/** Names of the cells, in the order of the page. */
export const CELLS = ['rnn', 'gru', 'lstm'] as const;
export type CellName = (typeof CELLS)[number];

/** The letters to remember. */
export const CUES = 'abcd';
/** The letters between them and the question. */
export const FILLERS = 'uvwxyz';
const ALPHABETS = { recall: `${CUES}${FILLERS}?`, count: '()x' } as const;
/** The network of `count` answers with the depth divided by this. */
export const COUNT_SCALE = 10;
/** Longest sequence that the page takes, in steps. */
export const MAX_STEPS = 240;
/** Samples of a drawn curve. */
export const CURVE_STEPS = 80;

/** A sequence as a network reads it: [steps, features], and the label of each step. */
export interface Sequence {
  readonly values: Float32Array;
  readonly features: number;
  readonly labels: readonly string[];
}

/** A character that the alphabet of a task lacks. */
export class UnknownCharacter extends Error {
  readonly character: string;
  readonly alphabet: string;

  constructor(character: string, alphabet: string) {
    super(`got ${character}, expected one of ${alphabet}`);
    this.name = 'UnknownCharacter';
    this.character = character;
    this.alphabet = alphabet;
  }
}

/** One-hot rows of a text. @throws UnknownCharacter */
export function encodeText(task: 'recall' | 'count', text: string): Sequence {
  const alphabet: string = ALPHABETS[task];
  const labels = [...text].slice(0, MAX_STEPS);
  const values = new Float32Array(labels.length * alphabet.length);
  labels.forEach((character, step) => {
    const id = alphabet.indexOf(character);
    if (id < 0) throw new UnknownCharacter(character, alphabet);
    values[step * alphabet.length + id] = 1;
  });
  return { values, features: alphabet.length, labels };
}

/** A curve, one feature a step. */
export function encodeCurve(curve: Float32Array): Sequence {
  const labels = Array.from(curve, (value) => value.toFixed(2));
  return { values: curve.slice(), features: 1, labels };
}

/** A cue, a passage of `delay` other letters, the question. The same delay gives the same text. */
export function recallText(cue: string, delay: number): string {
  let state = delay * 7919 + cue.charCodeAt(0);
  const passage = Array.from({ length: delay }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31; // the constants of C's rand
    return FILLERS[Math.floor(state / 65_536) % FILLERS.length]!;
  });
  return `${cue}${passage.join('')}?`;
}

/** How many brackets are open after each character; a closing one without a partner counts as none. */
export function depthsOf(text: string): number[] {
  let depth = 0;
  return [...text].map((character) => {
    if (character === '(') depth++;
    else if (character === ')') depth = Math.max(0, depth - 1);
    return depth;
  });
}

/** The first cue of a text, which the question asks for. */
export const cueOf = (text: string): string | undefined =>
  [...text].find((character) => CUES.includes(character));

/** Curves to begin with, {@link CURVE_STEPS} samples between -1 and 1. */
export const CURVES: Readonly<Record<string, () => Float32Array>> = {
  sine: () => sampled((cycle) => 0.8 * Math.sin(2 * Math.PI * cycle)),
  square: () => sampled((cycle) => (cycle % 1 < 0.5 ? 0.8 : -0.8)),
  saw: () => sampled((cycle) => 0.8 * (2 * (cycle % 1) - 1)),
  broken: () =>
    sampled((cycle) =>
      cycle < 2 ? 0.8 * Math.sin(2 * Math.PI * cycle) : cycle % 1 < 0.5 ? 0.8 : -0.8,
    ),
};

const sampled = (shape: (cycle: number) => number): Float32Array =>
  Float32Array.from({ length: CURVE_STEPS }, (_, t) => shape(t / 20));
