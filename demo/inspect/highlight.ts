// Colours for WGSL: comments, keywords, types, numbers, attributes.

const TOKENS = new RegExp(
  [
    String.raw`(?<comment>//[^\n]*|/\*[\s\S]*?\*/)`,
    String.raw`(?<attribute>@\w+)`,
    String.raw`(?<keyword>\b(?:fn|var|let|const|override|struct|return|if|else|for|while|loop|break|continue|switch|case|default|enable|requires|alias|true|false)\b)`,
    String.raw`(?<type>\b(?:f32|f16|u32|i32|bool|vec[234]\w*|mat\d\w*|array|atomic|ptr|storage|workgroup|uniform|private|function|read|read_write)\b)`,
    String.raw`(?<number>\b\d[\w.]*)`,
  ].join('|'),
  'g',
);

/** Nodes of a text of WGSL, each kind of token in a span of its class. */
export function highlighted(source: string): (Node | string)[] {
  const nodes: (Node | string)[] = [];
  let end = 0;
  for (const match of source.matchAll(TOKENS)) {
    const [kind] = Object.entries(match.groups!).find(([, text]) => text !== undefined)!;
    nodes.push(source.slice(end, match.index));
    const span = document.createElement('span');
    span.className = `wgsl-${kind}`;
    span.textContent = match[0];
    nodes.push(span);
    end = match.index + match[0].length;
  }
  nodes.push(source.slice(end));
  return nodes;
}
