// Shortens the text of a `.wgsl` file without changing a token of the WGSL or a directive of the preprocessor.

const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/**
 * The text without comments, indentation and blank lines. Line ends stay, also the last one: directives need
 * lines of their own.
 */
export const minifyWgsl = (text: string): string =>
  text
    .replaceAll('\r\n', '\n')
    .replaceAll(COMMENT, shortenComment)
    .split('\n')
    .map(shortenLine)
    .filter((line, i, { length }) => line !== '' || i === length - 1)
    .join('\n');

function shortenComment(comment: string): string {
  // WGSL nests block comments, which the expression above does not follow.
  if (comment.indexOf('/*', 2) > 0) return comment;
  return comment.includes('\n') ? '\n' : ' ';
}

function shortenLine(line: string): string {
  const short = line.replaceAll(/[ \t]+/g, ' ').trim();
  // A directive ends at a space. In a comment that stays there is nothing to gain.
  if (/#|\/\/|\/\*|\*\//.test(short)) return short;
  // These characters are a token by themselves wherever they stand; '>' and '=' are not.
  return short.replaceAll(/ ?([{}(),;:]) ?/g, '$1');
}
