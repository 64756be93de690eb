// The documents of the repository and the parts of them that tests hold to the code.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Paths of the documents from the root of the repository. */
export const DOCUMENTS: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'bench/README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

export const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** A fenced block. */
export interface Block {
  readonly language: string;
  /** Line of its first line, counted from 1. */
  readonly line: number;
  readonly text: string;
  /** The line above the fence. */
  readonly above: string;
}

/** The fenced blocks of a document. */
export function blocksOf(markdown: string): readonly Block[] {
  const lines = markdown.split('\n');
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const fence = /^( *)```(\w*)/.exec(lines[i]!);
    if (!fence) continue;
    const start = ++i;
    while (i < lines.length && !lines[i]!.startsWith(`${fence[1]}\`\`\``)) i++;
    const text = lines.slice(start, i).join('\n');
    blocks.push({ language: fence[2]!, line: start + 1, text, above: lines[start - 2] ?? '' });
  }
  return blocks;
}

/** A document without its fenced blocks. */
export const proseOf = (markdown: string): string =>
  markdown.replaceAll(/^( *)```[^]*?^\1```$/gm, '');

/** The anchor that GitHub makes of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

/** The anchors of a document. */
export const anchorsOf = (markdown: string): ReadonlySet<string> =>
  new Set([...proseOf(markdown).matchAll(/^#+ (.+)$/gm)].map(([, title]) => anchorOf(title!)));
