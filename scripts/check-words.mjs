// Refuses words of which the field has better ones, in identifiers and comments: `npm run lint`.
// A reader who knows WebGPU and recurrent networks should need no private vocabulary.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Refused in identifiers, comments and strings, with what to write instead. */
const ANYWHERE = {
  habit: 'tuning table',
  habits: 'tuning table',
  wish: 'override',
  wishes: 'overrides',
  effort: 'tier',
  learner: 'partial evaluator',
  lap: 'iteration',
  laps: 'iterations',
  dear: 'expensive',
  dearer: 'more expensive',
  beside: 'next to, or besides',
  apart: 'separately, sequentially, or a stride',
  facts: 'information, or what they are',
  'side by side': 'concurrently, or as a wavefront',
  'handed on': 'passed',
  'hands on': 'passes',
  spare: 'unused, or precompiled',
};

/** Refused in comments only: in strings they may be ordinary English. */
const COMMENTS = {
  'turns of': 'iterations of',
  'all turns': 'all iterations',
  'their turns': 'their iterations',
  'of turns': 'of iterations',
  'a turn': 'an iteration',
  'each turn': 'each iteration',
  'every turn': 'every iteration',
  'one turn': 'one iteration',
  'a share of': 'a part of',
};

/** Refused as words of identifiers only: `keepsWeights`, `mostRows`. */
const IDENTIFIERS = {
  turn: 'iteration, step, or transpose',
  turns: 'iterations, or steps',
  way: 'variant, candidate, or direction',
  ways: 'variants, or candidates',
  most: 'max',
  least: 'min',
  mine: 'own, or current',
  told: 'warned, or known',
  asked: 'requested',
  walk: 'visit, or strided offset',
  share: 'fraction',
  keeps: 'holds',
};

/** Files in which the words are the subject. */
const EXCEPT = new Set([
  'scripts/check-words.mjs',
  'test/scripts/check-words.test.ts',
  'test/mutants/list.ts', // quotes the source
]);

// Printed kernels: their source is checked where it is.
const PRINTED = /^test\/shaders\/golden\//;

const CHECKED = /^(?:src|shaders|demo|bench|scripts|test)\//;

// A comment, a string, or code in between. Templates are code: they hold WGSL.
const PIECES =
  /(?<comment>\/\/[^\n]*|\/\*[^]*?\*\/)|(?<string>'(?:[^'\\\n]|\\.)*')|(?<code>[\w$]+)/g;

const lineOf = (text, index) => text.slice(0, index).split('\n').length;

/** The words of an identifier: `mostRows`, `MOST_ROWS`, `most_rows` → most, rows. */
const wordsOf = (identifier) =>
  identifier
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[\s_$]+/);

/** The words of a text that should be others: line, word, and what to write instead. */
export function wordFaults(source) {
  const faults = [];
  // In the templates of messages.
  const text = source.replaceAll(/\bat (?:most|least)\b/g, (found) => ' '.repeat(found.length));
  const check = (piece, index, tables) => {
    for (const [word, instead] of tables.flatMap(Object.entries)) {
      for (const match of piece.matchAll(new RegExp(`\\b${word.replaceAll(' ', '\\s+')}\\b`, 'gi')))
        faults.push({ line: lineOf(text, index + match.index), word, instead });
    }
  };
  for (const { groups, index } of text.matchAll(PIECES)) {
    const { comment, string, code } = groups;
    if (comment) check(comment, index, [ANYWHERE, COMMENTS]);
    else if (string) check(string, index, [ANYWHERE]);
    else
      check(
        wordsOf(code)
          .join('  ')
          .replace(/at {2}(?:most|least)/, ''),
        index,
        [ANYWHERE, IDENTIFIERS],
      );
  }
  return faults;
}

function main() {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const list = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root });
  const files = list
    .toString()
    .split('\n')
    .filter(
      (file) =>
        /\.(?:ts|mjs|wgsl)$/.test(file) &&
        CHECKED.test(file) &&
        !PRINTED.test(file) &&
        !EXCEPT.has(file),
    );
  let count = 0;
  for (const file of files) {
    let text;
    try {
      text = readFileSync(`${root}/${file}`, 'utf8');
    } catch {
      continue; // deleted and not yet committed
    }
    for (const { line, word, instead } of wordFaults(text)) {
      console.error(`${file}:${line}: '${word}', write ${instead}`);
      count++;
    }
  }
  if (count > 0) process.exit(1);
  console.log(`${files.length} files without refused words`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
