// What the documents say of files, links and excerpts is so.
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorsOf, blocksOf, DOCUMENTS, proseOf, ROOT, textOf } from './markdown.ts';

describe.each(DOCUMENTS)('%s', (document) => {
  const markdown = textOf(document);
  const prose = proseOf(markdown);

  it('links to files and headings that are there', () => {
    const links = [...prose.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)]
      .map(([, link, image]) => (link ?? image)!)
      .filter((link) => !/^https?:/.test(link));
    const broken = links.filter((link) => {
      const [file, anchor] = link.split('#') as [string, string?];
      const path = file === '' ? document : normalize(join(dirname(document), file));
      if (!existsSync(join(ROOT, path))) return true;
      return anchor !== undefined && !anchorsOf(textOf(path)).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('names paths that are there', () => {
    const paths = [...prose.matchAll(/`((?:src|shaders|test|scripts|docs|bench|demo)\/[\w./-]+)`/g)]
      .map(([, path]) => path!)
      .filter((path) => !/^bench\/(?:gpu|results)\//.test(path)); // written by programs
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('names symbols that are in the files', () => {
    const pairs = [...prose.matchAll(/`([\w./-]+\.(?:ts|wgsl|mjs))` · `(\w+)`/g)];
    const missing = pairs.filter(([, path, symbol]) => !textOf(path!).includes(symbol!));
    expect(missing.map(([pair]) => pair)).toEqual([]);
  });

  const excerpts = blocksOf(markdown).flatMap((block) => {
    const found = /^<!-- from (\S+) -->$/.exec(block.above);
    return found ? [{ from: found[1]!, line: block.line, text: block.text }] : [];
  });
  it.each(excerpts.map((excerpt) => [excerpt.from, excerpt] as const))(
    'its excerpt of %s is in the file, line by line',
    (from, { text }) => {
      const lines = textOf(from)
        .split('\n')
        .map((line) => line.trim());
      let at = 0;
      for (const line of text.split('\n').map((each) => each.trim())) {
        if (line === '' || line === '…') continue;
        const found = lines.indexOf(line, at);
        expect(found, line).toBeGreaterThanOrEqual(0);
        at = found + 1;
      }
    },
  );
});
