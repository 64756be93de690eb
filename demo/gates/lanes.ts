// The pictures of an episode, one under the other over the same time axis, and the step and unit that are chosen.
import { LANES, type Lane, number, valuesOf } from './equations.ts';
import { drawHeatmap, type Palette } from './heatmap.ts';
import { drawLines, type Line } from './lines.ts';
import { type Episode, UNITS } from './networks.ts';
import { COUNT_SCALE, CUES, depthsOf, type TaskName } from './tasks.ts';
import { say } from './words.ts';

/** What is drawn, and what of it is chosen; both count from 0. */
export interface Scene {
  readonly task: TaskName;
  readonly episode: Episode;
  readonly labels: readonly string[];
  readonly step: number;
  readonly unit: number;
}

/** Labels beyond this many are too narrow to read; then only those that matter are there. */
const MAX_LABELS = 60;

/** The lanes; `pointed` hears which step the pointer is on, and which unit where the picture has rows. */
export class Lanes {
  readonly #root: HTMLElement;
  #scene: Scene | undefined;
  /** Draws the lines of the chosen unit; they need the width that the lane has on the page. */
  #redrawLines: (() => void)[] = [];

  constructor(root: HTMLElement, pointed: (step: number, unit: number | undefined) => void) {
    this.#root = root;
    const point = (event: PointerEvent): void => {
      const picture = (event.target as Element).closest<HTMLElement>('.picture');
      if (!picture || !this.#scene) return;
      const { left, top, width, height } = picture.getBoundingClientRect();
      const place = (offset: number, size: number, count: number): number =>
        Math.max(0, Math.min(count - 1, Math.floor((offset / size) * count)));
      const step = place(event.clientX - left, width, this.#scene.episode.steps);
      const hasRows =
        picture.querySelector('canvas') !== null && picture.dataset['rows'] === 'units';
      pointed(step, hasRows ? place(event.clientY - top, height, UNITS) : undefined);
    };
    root.addEventListener('pointermove', point);
    root.addEventListener('pointerdown', point);
  }

  /** Draws everything anew: another episode, language, theme or width. */
  draw(scene: Scene, palette: Palette): void {
    this.#scene = scene;
    this.#redrawLines = [];
    const { episode, task, labels } = scene;
    const lanes = LANES[episode.cell];
    this.#root.replaceChildren(
      ...(task === 'signal' ? [] : [labelLane(labels)]),
      ...lanes.map((lane) => heatmapLane(episode, lane, palette)),
      this.#stateLines(episode, lanes.find(({ symbol }) => symbol === 'c') ?? lanes.at(-1)!),
      task === 'recall' ? choiceLane(episode, palette) : this.#answerLines(scene),
    );
    this.choose(scene.step, scene.unit);
  }

  /** Moves what is chosen. */
  choose(step: number, unit: number): void {
    if (!this.#scene) return;
    const { steps } = this.#scene.episode;
    this.#scene = { ...this.#scene, step, unit };
    for (const column of this.#root.querySelectorAll<HTMLElement>('.column')) {
      column.style.left = `${(100 * step) / steps}%`;
      column.style.width = `${100 / steps}%`;
    }
    for (const row of this.#root.querySelectorAll<HTMLElement>('.row')) {
      row.style.top = `${(100 * unit) / UNITS}%`;
      row.style.height = `${100 / UNITS}%`;
    }
    for (const label of this.#root.querySelectorAll<HTMLElement>('.labels span')) {
      if (Number(label.dataset['step']) === step) label.setAttribute('aria-current', 'true');
      else label.removeAttribute('aria-current');
    }
    for (const redraw of this.#redrawLines) redraw();
  }

  /** The values of a state as lines, the chosen unit in colour. */
  #stateLines(episode: Episode, lane: Lane): HTMLElement {
    const values = valuesOf(episode, lane);
    const limit = limitOf(values);
    const box = linesBox();
    this.#redrawLines.push(() => {
      const line = (unit: number, className: string): Line => ({
        values: Array.from({ length: episode.steps }, (_, t) => values[t * UNITS + unit]!),
        className,
      });
      const { unit } = this.#scene!;
      const others = Array.from({ length: UNITS }, (_, k) => line(k, 'line-unit'));
      drawLines(box, [...others, line(unit, 'line-chosen')], {
        range: [-limit, limit],
        ticks: [-limit, 0, limit].map((value) => [value, number(value)] as const),
      });
    });
    return laneOf(lane.symbol, say(lane.title), pictureOf(box));
  }

  /** The answer as a line, next to what is right. */
  #answerLines({ task, episode, labels }: Scene): HTMLElement {
    const scale = task === 'count' ? COUNT_SCALE : 1;
    const answers = episode.answers.map((value) => value * scale);
    const truth =
      task === 'count'
        ? depthsOf(labels.join(''))
        : labels.map((_, t) => (t + 1 < labels.length ? Number(labels[t + 1]) : answers[t]!)); // nothing is known beyond
    const high = task === 'count' ? Math.max(1, ...truth, ...answers) : 1;
    const low = task === 'count' ? 0 : -1;
    const box = linesBox();
    this.#redrawLines.push(() => {
      drawLines(
        box,
        [
          { values: answers, className: 'line-answer' },
          { values: truth, className: 'line-truth' },
        ],
        { range: [low, high], ticks: [low, high].map((value) => [value, number(value)] as const) },
      );
    });
    return laneOf('y', say('output'), pictureOf(box));
  }
}

/** The largest magnitude of values, at least 1: gates and h cannot exceed it, a cell state can. */
function limitOf(values: Float32Array): number {
  let limit = 1;
  for (const value of values) limit = Math.max(limit, Math.abs(value));
  return limit;
}

function laneOf(symbol: string, title: string, content: HTMLElement): HTMLElement {
  const lane = document.createElement('div');
  lane.className = 'lane';
  const name = document.createElement('p');
  name.className = 'lane-name';
  const letter = document.createElement('b');
  letter.textContent = symbol;
  name.append(letter, title);
  lane.append(name, content);
  return lane;
}

/** A box over the time axis, with what shows the chosen step. */
function pictureOf(content: HTMLElement, className = ''): HTMLElement {
  const box = document.createElement('div');
  box.className = `picture ${className}`.trim();
  const column = document.createElement('div');
  column.className = 'column';
  box.append(content, column);
  return box;
}

function linesBox(): HTMLElement {
  const box = document.createElement('div');
  box.className = 'lines';
  return box;
}

function heatmapLane(episode: Episode, lane: Lane, palette: Palette): HTMLElement {
  const values = valuesOf(episode, lane);
  const canvas = document.createElement('canvas');
  canvas.setAttribute('role', 'img');
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const title = say(lane.title);
  canvas.setAttribute('aria-label', `${lane.symbol}, ${title}: ${number(low)} – ${number(high)}`);
  drawHeatmap(canvas, values, UNITS, limitOf(values), palette);
  const box = pictureOf(canvas);
  box.dataset['rows'] = 'units';
  const row = document.createElement('div');
  row.className = 'row';
  box.append(row);
  return laneOf(lane.symbol, title, box);
}

/** The probability of each cue at each step, a row a cue. */
function choiceLane(episode: Episode, palette: Palette): HTMLElement {
  const canvas = document.createElement('canvas');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', say('output'));
  drawHeatmap(canvas, episode.answers, CUES.length, 1, palette);
  return laneOf('y', `${say('output')}: ${[...CUES].join(' ')}`, pictureOf(canvas));
}

/** The characters of the sequence. */
function labelLane(labels: readonly string[]): HTMLElement {
  const box = document.createElement('div');
  box.className = 'picture labels';
  const isSparse = labels.length > MAX_LABELS;
  labels.forEach((label, step) => {
    if (isSparse && !CUES.includes(label) && label !== '?') return;
    const span = document.createElement('span');
    span.textContent = label;
    span.dataset['step'] = String(step);
    span.style.left = `${(100 * (step + 0.5)) / labels.length}%`;
    box.append(span);
  });
  return laneOf('x', say('sequence'), box);
}
