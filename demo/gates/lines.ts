// Lines through time as SVG: states of units, answers against what is right, norms of gradients.
import { svgElement as element } from '../shared/svg.ts';

/** A line: its values, one a step, and the class that gives it colour and dashes. */
export interface Line {
  readonly values: ArrayLike<number>;
  readonly className: string;
}

/** How a box of lines is drawn. */
export interface LinesOptions {
  /** Smallest and largest value of the axis. */
  readonly range: readonly [number, number];
  /** Values of the horizontal lines, and their words. */
  readonly ticks: readonly (readonly [number, string])[];
  readonly logarithmic?: boolean;
}

/** Draws lines over the whole width of a box: step t at (t + 0.5) / steps, as the columns of a heat map. */
export function drawLines(box: HTMLElement, lines: readonly Line[], options: LinesOptions): void {
  const [width, height] = [box.clientWidth, box.clientHeight];
  const svg = element('svg', { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' });
  box.replaceChildren(svg);
  const [low, high] = options.range.map((value) =>
    options.logarithmic ? Math.log10(value) : value,
  );
  const inset = 6; // for the width of a line at the edge
  const y = (value: number): number => {
    const place = options.logarithmic ? Math.log10(Math.max(value, 1e-300)) : value;
    const fraction = Math.min(1, Math.max(0, (place - low!) / (high! - low!)));
    return height - inset - fraction * (height - 2 * inset);
  };
  for (const [value, words] of options.ticks) {
    const above = y(value) - 3;
    const text = element('text', { x: 4, y: above < 10 ? above + 14 : above });
    text.textContent = words;
    svg.append(
      element('line', { class: 'grid', x1: 0, x2: width, y1: y(value), y2: y(value) }),
      text,
    );
  }
  for (const { values, className } of lines) {
    const points = Array.from(values, (value, t) => {
      const x = ((t + 0.5) / values.length) * width;
      return `${x.toFixed(1)},${y(value).toFixed(1)}`;
    });
    svg.append(element('polyline', { class: `line ${className}`, points: points.join(' ') }));
  }
}
