// Two plots over one time axis: the outline of the sound, and the probability of speech.
import uPlot from 'uplot';
import { colorOf } from '../shared/theme.ts';
import type { Track } from './track.ts';

/** What a drawing shows besides the track. */
export interface Scene {
  readonly track: Track;
  readonly threshold: number;
  /** Seconds on the axis. */
  readonly from: number;
  readonly to: number;
  /** Where the sound is, in seconds; undefined when nothing runs. */
  readonly playhead: number | undefined;
}

const AXIS_WIDTH = 40;
const COLORS = ['ink', 'soft', 'rule', 'speech', 'wash', 'wave', 'threshold'] as const;

/** `75` → `1:15`, `7.5` → `7.5 s`. */
const clock = (seconds: number): string => {
  if (seconds < 60) return `${Math.round(seconds * 10) / 10} s`;
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
};

/** The plots; they draw when told to. */
export class Plots {
  readonly #root: HTMLElement;
  readonly #wave: uPlot;
  readonly #probability: uPlot;
  #colors: Record<(typeof COLORS)[number], string>;
  #scene: Scene;
  #peak = 0.1;

  /** `pointed` hears of the second and the probability under the pointer, or of nothing. */
  constructor(
    root: HTMLElement,
    [waveBox, probabilityBox]: readonly [HTMLElement, HTMLElement],
    scene: Scene,
    pointed: (at: { seconds: number; probability: number | undefined } | undefined) => void,
  ) {
    this.#root = root;
    this.#scene = scene;
    this.#colors = this.#readColors();
    const color = (name: (typeof COLORS)[number]) => () => this.#colors[name];
    const shared = {
      width: 300,
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: false, y: false },
        sync: { key: 'vad' },
      },
    } satisfies Partial<uPlot.Options>;
    const xAxis: uPlot.Axis = {
      stroke: color('soft'),
      grid: { stroke: color('rule'), width: 1 },
      ticks: { show: false },
      values: (_, splits) => splits.map(clock),
      font: '12px system-ui, sans-serif',
    };
    this.#wave = new uPlot(
      {
        ...shared,
        height: waveBox.clientHeight,
        padding: [0, 8, 0, 0],
        scales: { x: { time: false }, y: { range: () => [-this.#peak, this.#peak] } },
        axes: [
          { ...xAxis, size: 0, values: () => [] },
          {
            size: AXIS_WIDTH,
            stroke: color('soft'),
            grid: { show: false },
            ticks: { show: false },
            values: () => [],
          },
        ],
        series: [
          {},
          { stroke: color('wave'), width: 1, points: { show: false } },
          { stroke: color('wave'), width: 1, points: { show: false } },
        ],
        bands: [{ series: [2, 1], fill: color('wave') }],
        hooks: { drawClear: [(u) => this.#shade(u)], draw: [(u) => this.#playhead(u)] },
      },
      [[], [], []],
      waveBox,
    );
    this.#probability = new uPlot(
      {
        ...shared,
        height: probabilityBox.clientHeight,
        padding: [8, 8, 0, 0],
        scales: { x: { time: false }, y: { range: () => [0, 1] } },
        axes: [
          { ...xAxis, size: 28 },
          {
            size: AXIS_WIDTH,
            stroke: color('soft'),
            grid: { stroke: color('rule'), width: 1 },
            ticks: { show: false },
            splits: () => [0, 0.5, 1],
            values: (_, splits) => splits.map(String),
            font: '12px system-ui, sans-serif',
          },
        ],
        series: [
          {},
          {
            stroke: color('speech'),
            width: 2,
            points: { show: false },
            paths: uPlot.paths.stepped!({ align: 1 }),
          },
        ],
        hooks: {
          drawClear: [(u) => this.#shade(u)],
          draw: [(u) => this.#threshold(u), (u) => this.#playhead(u)],
          setCursor: [
            (u) => {
              const { left, idx } = u.cursor;
              if (left === undefined || left < 0) return pointed(undefined);
              const probability = idx == null ? undefined : (u.data[1]![idx] ?? undefined);
              pointed({ seconds: u.posToVal(left, 'x'), probability });
            },
          ],
        },
      },
      [[], []],
      probabilityBox,
    );
    new ResizeObserver(() => this.#resize(waveBox, probabilityBox)).observe(root);
    this.#resize(waveBox, probabilityBox);
  }

  /** Draws a scene. */
  draw(scene: Scene): void {
    this.#scene = scene;
    const { outline, verdicts } = scene.track;
    this.#peak = Math.max(0.1, scene.track.peak * 1.05);
    const parts: [uPlot, uPlot.AlignedData][] = [
      [this.#wave, [outline.time.view(), outline.low.view(), outline.high.view()]],
      [this.#probability, [verdicts.time.view(), verdicts.probability.view()]],
    ];
    for (const [plot, data] of parts) {
      plot.batch(() => {
        plot.setData(data, false);
        plot.setScale('x', { min: scene.from, max: scene.to });
      });
    }
  }

  /** Draws again in the colours of the theme. */
  recolor(): void {
    this.#colors = this.#readColors();
    this.draw(this.#scene);
  }

  #readColors(): Record<(typeof COLORS)[number], string> {
    const entries = COLORS.map((name) => [name, colorOf(`--${name}`, this.#root)]);
    return Object.fromEntries(entries) as Record<(typeof COLORS)[number], string>;
  }

  #resize(waveBox: HTMLElement, probabilityBox: HTMLElement): void {
    const width = Math.floor(this.#root.clientWidth);
    if (width === 0) return;
    this.#wave.setSize({ width, height: waveBox.clientHeight });
    this.#probability.setSize({ width, height: probabilityBox.clientHeight });
  }

  /** The ground behind passages of speech. */
  #shade(u: uPlot): void {
    const { ctx, bbox } = u;
    ctx.fillStyle = this.#colors.wash;
    for (const { start, end } of this.#scene.track.segments) {
      const left = Math.max(bbox.left, u.valToPos(start, 'x', true));
      const right = Math.min(bbox.left + bbox.width, u.valToPos(end, 'x', true));
      if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
  }

  #threshold(u: uPlot): void {
    const y = u.valToPos(this.#scene.threshold, 'y', true);
    this.#line(u, [u.bbox.left, y, u.bbox.left + u.bbox.width, y], 'threshold', [6, 4]);
  }

  #playhead(u: uPlot): void {
    const { playhead, from, to } = this.#scene;
    if (playhead === undefined || playhead < from || playhead > to) return;
    const x = u.valToPos(playhead, 'x', true);
    this.#line(u, [x, u.bbox.top, x, u.bbox.top + u.bbox.height], 'ink', []);
  }

  #line(
    { ctx }: uPlot,
    [x0, y0, x1, y1]: readonly [number, number, number, number],
    color: (typeof COLORS)[number],
    dash: readonly number[],
  ): void {
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = this.#colors[color];
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash(dash.map((length) => length * ratio));
    ctx.beginPath();
    ctx.moveTo(x0, y0);
    ctx.lineTo(x1, y1);
    ctx.stroke();
    ctx.restore();
  }
}
