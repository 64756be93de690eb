// The nodes that choose a token from scores: repetition penalty, temperature, top-k, top-p, and the inverse of the
// cumulative distribution at a uniform number.
import type { GraphEditor } from './graph-editor.ts';

/** What is in the graph; the numbers are inputs, so that other numbers need no other plan. */
export interface SamplerParts {
  /** The best token instead of a random one. */
  readonly greedy: boolean;
  /** Tokens that are candidates; the size of the vocabulary where all are. */
  readonly topK: number;
  readonly topP: boolean;
  readonly penalty: boolean;
  readonly logProbs: boolean;
}

/** Names of the inputs that the nodes read. Which are there depends on the parts. */
export interface SamplerInputs {
  /** [1] each. */
  readonly temperature: string | undefined;
  readonly topP: string | undefined;
  readonly penalty: string | undefined;
  /** [B, 1], between 0 and 1. */
  readonly uniform: string | undefined;
  /** [B, V]: 1 for tokens that are there already, else 0. */
  readonly seen: string | undefined;
}

/** Larger than any score, and finite. */
const MAX_FLOAT = 3.4028234663852886e38;

/** The smallest score that is kept, [B, 1]; undefined where all are. */
function threshold(
  editor: GraphEditor,
  x: string,
  { topK, topP }: SamplerParts,
  inputs: SamplerInputs,
  vocabulary: number,
): string | undefined {
  if (topK >= vocabulary && !topP) return undefined;
  const [best] = editor.topK(x, Math.min(topK, vocabulary));
  let kept = best;
  if (topP) {
    const p = editor.node('Softmax', [best], { axis: 1 });
    const before = editor.node('CumSum', [p, editor.ints([1], [])], { exclusive: 1 });
    const isKept = editor.node('Less', [before, inputs.topP!]);
    kept = editor.node('Where', [isKept, best, editor.float(MAX_FLOAT)]);
  }
  return editor.node('ReduceMin', [kept, editor.ints([1])], { keepdims: 1 });
}

/** What {@link sample} makes, by name: int64 [B, 1], and float32 [B, 1] where it is asked for. */
export interface Sampled {
  readonly chosen: string;
  readonly logProb: string | undefined;
  /** What `seen` is after the token. */
  readonly seen: string | undefined;
}

/** A token from adjusted scores, without regard to NaN; and [B, 1], which is NaN where none can be chosen. */
function draw(
  editor: GraphEditor,
  scores: string,
  parts: SamplerParts,
  inputs: SamplerInputs,
  vocabulary: number,
): readonly [token: string, total: string | undefined] {
  if (parts.greedy) return [editor.node('ArgMax', [scores], { axis: 1, keepdims: 1 }), undefined];
  const x = editor.node('Div', [scores, inputs.temperature!]);
  let p = editor.node('Softmax', [x], { axis: 1 });
  const limit = threshold(editor, x, parts, inputs, vocabulary);
  if (limit !== undefined) {
    const isKept = editor.node('GreaterOrEqual', [x, limit]);
    p = editor.node('Where', [isKept, p, editor.float(0)]);
  }
  const sums = editor.node('CumSum', [p, editor.ints([1], [])]);
  const end = [editor.ints([vocabulary - 1]), editor.ints([vocabulary]), editor.ints([1])];
  const total = editor.node('Slice', [sums, ...end]);
  // The product is below the total, whatever is rounded: the number is at most 1 - 2^-24.
  const target = editor.node('Mul', [inputs.uniform!, total]);
  const isAbove = editor.node('Greater', [sums, target]);
  const hits = editor.node('Cast', [isAbove], { to: 'float32' });
  return [editor.node('ArgMax', [hits], { axis: 1, keepdims: 1 }), total];
}

/**
 * Appends the choice of a token.
 *
 * @param scores [B, V]: logits, or logarithms of probabilities
 * @param forced int64 [B, 1]: tokens to take instead, negative where there is none
 * @returns the token is -1 where the scores have NaN; a random one also where they have nothing but -∞
 */
export function sample(
  editor: GraphEditor,
  scores: string,
  vocabulary: number,
  parts: SamplerParts,
  inputs: SamplerInputs,
  forced: string | undefined,
): Sampled {
  let adjusted = scores;
  if (inputs.seen !== undefined) {
    const isNegative = editor.node('Less', [scores, editor.float(0)]);
    const [lower, higher] = [
      editor.node('Mul', [scores, inputs.penalty!]),
      editor.node('Div', [scores, inputs.penalty!]),
    ];
    const penalised = editor.node('Where', [isNegative, lower, higher]);
    const isSeen = editor.node('Greater', [inputs.seen, editor.float(0.5)]);
    adjusted = editor.node('Where', [isSeen, penalised, scores]);
  }
  const [token, total] = draw(editor, adjusted, parts, inputs, vocabulary);
  const largest = editor.node('ReduceMax', [adjusted, editor.ints([1])], { keepdims: 1 });
  let isFault = editor.node('IsNaN', [largest]);
  if (total !== undefined) isFault = editor.node('Or', [isFault, editor.node('IsNaN', [total])]);
  const own = [isFault, editor.ints([-1]), token];
  let chosen: string;
  if (forced === undefined) chosen = editor.node('Where', own, {}, 'chosen');
  else {
    const isFree = editor.node('Less', [forced, editor.ints([0])]);
    chosen = editor.node('Where', [isFree, editor.node('Where', own), forced], {}, 'chosen');
  }
  const logs = parts.logProbs ? editor.node('LogSoftmax', [scores], { axis: 1 }) : undefined;
  const logProb = logs && editor.node('GatherElements', [logs, chosen], { axis: 1 }, 'logProb');
  let seen: string | undefined;
  if (inputs.seen !== undefined) {
    const isChosen = editor.node('Equal', [editor.range(vocabulary), chosen]);
    const one = editor.node('Cast', [isChosen], { to: 'float32' });
    seen = editor.node('Max', [inputs.seen, one], {}, 'seen.next');
  }
  return { chosen, logProb, seen };
}
