// Throughput against hidden units, both axes logarithmic, as SVG. The table says the same in words.
import { logScale } from '../../bench/log-scale.ts';
import { svgElement as element } from '../shared/svg.ts';
import type { EngineName, Row } from './messages.ts';
import { ENGINES, TITLES } from './messages.ts';

/** What the vertical axis shows. */
export type Unit = 'gflops' | 'stepsPerSecond';

const [LEFT, RIGHT, TOP, BOTTOM] = [58, 8, 12, 34];

// A shape for each engine: colour alone would not do.
const MARKS: Readonly<Record<EngineName, string>> = {
  'webgpu-rnn': 'M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0',
  'ort-webgpu': 'M-4.5 -4.5h9v9h-9z',
  'ort-wasm': 'M0 -6l6 10h-12z',
  tfjs: 'M0 -6l6 6l-6 6l-6 -6z',
};

function label(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end') {
  const made = element('text', { x, y, 'text-anchor': anchor });
  made.textContent = words;
  return made;
}

/** `20000` → `20k`. */
const shortly = (value: number): string => {
  const [size, letter] = value >= 1e6 ? [1e6, 'M'] : value >= 1e3 ? [1e3, 'k'] : [1, ''];
  return `${Number((value / size).toPrecision(3))}${letter}`;
};

/** 1, 2, 5, 10 … from the one below to the one above; fewer where they would crowd. */
function ticksOf(min: number, max: number): number[] {
  const wide = Math.log10(max / min) > 2.5;
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(min)); ; power++) {
    for (const step of wide ? [1] : [1, 2, 5]) {
      const tick = step * 10 ** power;
      ticks.push(tick);
      if (tick >= max) {
        const first = ticks.findLastIndex((value) => value <= min);
        return ticks.slice(Math.max(0, first));
      }
    }
  }
}

/** Draws rows that have times into a box; nothing where there are none. */
export function draw(box: HTMLElement, rows: readonly Row[], unit: Unit): void {
  const points = rows.filter((row) => row[unit] !== undefined);
  const [width, height] = [box.clientWidth, box.clientHeight];
  const svg = element('svg', { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' });
  box.replaceChildren(svg);
  if (points.length === 0) {
    svg.append(label(width / 2, height / 2, 'No figures yet', 'middle'));
    return;
  }
  const sizes = [...new Set(points.map(({ hidden }) => hidden))].toSorted((a, b) => a - b);
  const values = points.map((row) => row[unit]!);
  const ticks = ticksOf(Math.min(...values), Math.max(...values) * 1.0001);
  const inset = 20;
  const x = logScale(sizes[0]!, sizes.at(-1)!, LEFT + inset, width - RIGHT - inset);
  const y = logScale(ticks[0]!, ticks.at(-1)!, height - BOTTOM, TOP);
  for (const tick of ticks) {
    svg.append(
      element('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      label(LEFT - 8, y(tick) + 4, shortly(tick), 'end'),
    );
  }
  for (const size of sizes) svg.append(label(x(size), height - BOTTOM + 20, `${size}`, 'middle'));
  // Ours last, so that it lies on top.
  for (const engine of ENGINES.toReversed()) {
    const own = points.filter((row) => row.engine === engine);
    if (own.length === 0) continue;
    const group = element('g', { class: `engine engine-${engine}` });
    const at = own.map((row) => [x(row.hidden), y(row[unit]!)] as const);
    group.append(element('polyline', { points: at.map((pair) => pair.join()).join(' ') }));
    for (const [px, py] of at) {
      group.append(element('path', { d: MARKS[engine], transform: `translate(${px} ${py})` }));
    }
    svg.append(group);
  }
}

/** The keys of the engines that are drawn. */
export function drawKeys(box: HTMLElement, engines: readonly EngineName[]): void {
  box.replaceChildren(
    ...engines.map((engine) => {
      const svg = element('svg', { viewBox: '-12 -8 24 16', 'aria-hidden': 'true' });
      const group = element('g', { class: `engine engine-${engine}` });
      group.append(
        element('polyline', { points: '-12,0 12,0' }),
        element('path', { d: MARKS[engine] }),
      );
      svg.append(group);
      const key = document.createElement('span');
      key.className = 'key';
      key.append(svg, TITLES[engine]);
      return key;
    }),
  );
}
