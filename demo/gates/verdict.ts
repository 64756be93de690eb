// What the answer of a network comes to, in words.
import type { Episode } from './networks.ts';
import { COUNT_SCALE, cueOf, CUES, depthsOf, type TaskName } from './tasks.ts';
import { say } from './words.ts';

/** A message, and whether it is good news. */
export interface Verdict {
  readonly tone: 'plain' | 'good' | 'warning';
  readonly words: string;
}

/** Judges an episode by the rule of its task. `labels` are those of the sequence. */
export function verdictOf(task: TaskName, episode: Episode, labels: readonly string[]): Verdict {
  if (task === 'recall') return recallVerdict(episode, labels.join(''));
  return task === 'count' ? countVerdict(episode, labels.join('')) : signalVerdict(episode, labels);
}

function recallVerdict({ answers, steps }: Episode, text: string): Verdict {
  const truth = cueOf(text);
  if (!text.endsWith('?') || truth === undefined)
    return { tone: 'plain', words: say('noQuestion') };
  const last = [...answers.subarray((steps - 1) * CUES.length)];
  const best = last.indexOf(Math.max(...last));
  const isRight = CUES[best] === truth;
  const words = say('answerRecall', {
    answer: CUES[best]!,
    percent: `${(100 * last[best]!).toFixed(0)} %`,
  });
  return {
    tone: isRight ? 'good' : 'warning',
    words: `${words} (${say(isRight ? 'right' : 'wrong')})`,
  };
}

function countVerdict({ answers, steps }: Episode, text: string): Verdict {
  const depths = depthsOf(text);
  const said = Array.from(answers, (value) => Math.max(0, Math.round(value * COUNT_SCALE)));
  const right = said.filter((depth, t) => depth === depths[t]).length;
  const words = say('answerCount', { right, steps, answer: said.at(-1)!, truth: depths.at(-1)! });
  return { tone: right === steps ? 'good' : 'warning', words };
}

function signalVerdict({ answers }: Episode, labels: readonly string[]): Verdict {
  const values = labels.map(Number);
  const rms = (guess: (t: number) => number): string => {
    const sum = values.slice(1).reduce((total, value, t) => total + (guess(t) - value) ** 2, 0);
    return Math.sqrt(sum / (values.length - 1)).toFixed(3);
  };
  const [own, naive] = [rms((t) => answers[t]!), rms((t) => values[t]!)];
  const tone = Number(own) < Number(naive) ? 'good' : 'warning';
  return { tone, words: say('answerSignal', { rms: own, naive }) };
}
