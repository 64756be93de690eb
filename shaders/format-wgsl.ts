// The WGSL of a kernel as people read it. Devices get it as it comes.

/** WGSL indented by braces and brackets, without the gaps that directives leave. */
export function formatWgsl(source: string): string {
  let depth = 0;
  const lines: string[] = [];
  for (const raw of source.split('\n')) {
    const line = raw.trim();
    if (line === '') continue;
    const code = line.replace(/\/\/.*/, '');
    const opened = code.match(/[{(]/g)?.length ?? 0;
    const closed = code.match(/[})]/g)?.length ?? 0;
    const leading = /^[})]+/.exec(code)?.[0].length ?? 0;
    lines.push('  '.repeat(Math.max(depth - leading, 0)) + line);
    depth += opened - closed;
  }
  return `${lines.join('\n')}\n`;
}
