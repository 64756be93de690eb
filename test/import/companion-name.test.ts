// Names by which a model calls other files: none leads out of the folder of the model.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { companionUrl, staysInFolder } from '../../src/import/companion-name.ts';
import { SEED } from '../support/settings.ts';

describe('names of files of a model', () => {
  it.each([
    'weights.bin',
    'group1-shard1of2.bin',
    'data/a b.bin',
    'ä.data',
    '100%.bin',
    'a%20b.bin',
  ])('takes %s', (name) => {
    expect(staysInFolder(name)).toBe(true);
    expect(companionUrl('https://a.example/m/model.json', name)).toBe(
      `https://a.example/m/${name}`,
    );
  });

  it.each([
    '',
    '.',
    '..',
    '../a',
    'a/../b',
    'a/..',
    './a',
    'a//b',
    '/etc/passwd',
    '//b.example/a',
    '\\\\b.example\\a',
    '..\\a',
    'a\\..\\..\\b',
    'C:\\a',
    'C:a',
    'https://b.example/a',
    'file:///etc/passwd',
    'data:,a',
    '%2e%2e/a',
    '%2E./a',
    '..%2fa',
    '%2fetc/passwd',
    '%252e%252e/a',
    '%25252e%25252e%25252fa',
    'a%5c..%5cb',
    '.. /a',
    '.../a',
    '.\t./a',
    '\n../a',
    'a\0.bin',
    'a%00.bin',
    'https%3a//b.example/a',
  ])('refuses %j', (name) => {
    expect(staysInFolder(name)).toBe(false);
  });

  it('takes over the query of the model, and makes none of a name', () => {
    expect(companionUrl('https://a.example/m/model.json?key=1#x', 'w.bin')).toBe(
      'https://a.example/m/w.bin?key=1',
    );
    expect(companionUrl('https://a.example/m/model.json', 'w?x#y.bin')).toBe(
      'https://a.example/m/w%3Fx%23y.bin',
    );
    expect(companionUrl('m/model.json', 'w.bin')).toBe('m/w.bin');
    expect(companionUrl('model.json', 'w.bin')).toBe('w.bin');
  });

  it('checks what the URL comes to, whatever the name is', () => {
    const part = fc.oneof(
      fc.constantFrom(
        '..',
        '.',
        '',
        '%2e',
        '%2E%2e',
        '%2f',
        '/',
        '\\',
        ':',
        '//',
        '%5c',
        '\t',
        '?',
        '#',
        '@',
      ),
      fc.string({ maxLength: 3 }),
    );
    const base = 'https://user@a.example:8080/deep/folder/model.json?k';
    let refused = 0;
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        const name = parts.join('');
        if (!staysInFolder(name)) {
          refused++;
          return;
        }
        const url = companionUrl(base, name);
        expect(url).toBeDefined();
        const { origin, pathname, search } = new URL(url!);
        expect(origin).toBe('https://a.example:8080');
        expect(pathname.startsWith('/deep/folder/')).toBe(true);
        expect(decodeURI(pathname.replaceAll('%', '%25'))).not.toMatch(/\/\.\.?(\/|$)/);
        expect(search).toBe('?k');
      }),
      { numRuns: 3000, seed: SEED },
    );
    expect(refused).toBeGreaterThan(500);
    // Even without the first check.
    expect(companionUrl(base, '../a')).toBeUndefined();
    expect(companionUrl(base, '%2e%2e/a')).toBeUndefined();
    expect(companionUrl('model.json', 'https://b.example/a')).toBeUndefined();
    expect(companionUrl('model.json', '//b.example/a')).toBeUndefined();
    expect(companionUrl('model.json', '\\\\b.example/a')).toBeUndefined();
  });
});
