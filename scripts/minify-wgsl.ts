// Shortens the text parts of a wgsl`…` template without changing a token of the WGSL or a directive of the preprocessor.

// Stands for one ${…} while the parts are looked at as a whole; no source contains it.
const HOLE = '\u0000';

const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/**
 * Takes and returns the raw text between the `${…}` of one template. Comments, indentation and blank lines go.
 * Line ends stay: directives need lines of their own, and an inserted value may end in a comment.
 */
export function minifyWgsl(parts: readonly string[]): string[] {
  const text = parts.join(HOLE).replaceAll('\r\n', '\n').replaceAll(COMMENT, shortenComment);
  return text
    .split('\n')
    .map((line, i, { length }) => shortenLine(line, i === 0, i === length - 1))
    .filter((line, i, { length }) => line !== '' || i === 0 || i === length - 1)
    .join('\n')
    .split(HOLE);
}

function shortenComment(comment: string): string {
  // The number of ${…} must stay. WGSL nests block comments, which the expression above does not follow.
  if (comment.includes(HOLE) || comment.indexOf('/*', 2) > 0) return comment;
  return comment.includes('\n') ? '\n' : ' ';
}

/** The first and the last line may continue those of an enclosing template: one space stays at that end. */
function shortenLine(line: string, first: boolean, last: boolean): string {
  let short = line.replaceAll(/[ \t]+/g, ' ');
  if (!first) short = short.trimStart();
  if (!last) short = short.trimEnd();
  // A directive ends at a space. In a comment that stays there is nothing to gain.
  if (/#|\/\/|\/\*|\*\//.test(short)) return short;
  // These characters are a token by themselves wherever they stand; '>' and '=' are not.
  return short.replaceAll(/ ?([{}(),;:]) ?/g, '$1');
}
