// Draws lines over two logarithmic axes as an SVG file.
import { logScale } from './log-scale.ts';

/** One line: its name and its points. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What is drawn. */
export interface Plot {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
}

const [WIDTH, HEIGHT] = [640, 400];
const [LEFT, RIGHT, TOP, BOTTOM] = [70, 20, 50, 50];
// Dashes distinguish lines without colours. The colours have contrast on white and on black.
const STYLES = [
  'stroke="#2f6fde"',
  'stroke="#c2571a" stroke-dasharray="7 4"',
  'stroke="#7a7a7a" stroke-dasharray="2 3"',
];

const escape = (words: string): string =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const text = (x: number, y: number, words: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(words)}</text>`;

/** Powers of ten from the one below to the one above. */
function decades(values: readonly number[]): number[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
}

/** The text of the file. */
export function svgOf({ title, x, y, lines }: Plot): string {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([value]) => value)))];
  const ticks = decades(lines.flatMap(({ points }) => points.map(([, value]) => value)));
  const toX = logScale(Math.min(...xs), Math.max(...xs), LEFT + 10, WIDTH - RIGHT - 10);
  const toY = logScale(ticks[0]!, ticks.at(-1)!, HEIGHT - BOTTOM, TOP);
  const grid = ticks.map((tick) => {
    const at = toY(tick).toFixed(1);
    const line = `<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="#8886" stroke-width="1"/>`;
    return line + text(LEFT - 8, toY(tick) + 4, String(Number(tick.toPrecision(1))), END);
  });
  const labels = xs.map((value) => text(toX(value), HEIGHT - BOTTOM + 18, String(value), MIDDLE));
  const drawn = lines.map(({ name, points }, i) => {
    const style = STYLES[i % STYLES.length]!;
    const at = points.map(([px, py]) => `${toX(px).toFixed(1)},${toY(py).toFixed(1)}`);
    const key = LEFT + 10 + i * 190;
    return [
      `<polyline points="${at.join(' ')}" fill="none" stroke-width="2" ${style}/>`,
      ...at.map((point) => {
        const [cx, cy] = point.split(',');
        return `<circle cx="${cx}" cy="${cy}" r="3" fill="none" ${style.split(' ')[0]}/>`;
      }),
      `<path d="M${key} 38h28" stroke-width="2" ${style}/>`,
      text(key + 34, 42, name),
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">
<title>${escape(title)}</title>
<style>text{fill:#222}@media (prefers-color-scheme:dark){text{fill:#ddd}}</style>
${text(LEFT, 20, title, 'font-size="14"')}
${[...grid, ...labels, ...drawn].join('\n')}
${text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x, MIDDLE)}
${text(16, HEIGHT / 2, y, `${MIDDLE} transform="rotate(-90 16 ${HEIGHT / 2})"`)}
</svg>
`;
}

const MIDDLE = 'text-anchor="middle"';
const END = 'text-anchor="end"';

/** The slope of log y over log x by least squares: 1 is in proportion, 0 is constant. */
export function slopeOf(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (i: 0 | 1): number => logs.reduce((sum, pair) => sum + pair[i], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const [above, below] = logs.reduce(
    ([a, b], [x, y]) => [a + (x - mx) * (y - my), b + (x - mx) ** 2],
    [0, 0],
  );
  return above / below;
}
