// What a visitor gives: a text or a curve, by typing, drawing or a preset.
import { drawLines } from './lines.ts';
import { CURVES, CURVE_STEPS, recallText, type TaskName } from './tasks.ts';
import { say, type WordKey } from './words.ts';

/** A sequence to begin with, and the name of its button. */
export interface Preset {
  readonly title: string;
  readonly value: string | Float32Array;
}

/** What the presets of a task differ in. */
export const PRESET_LABELS: Readonly<Record<TaskName, WordKey>> = {
  recall: 'delay',
  count: 'depth',
  signal: 'shape',
};

/** The presets of a task. */
export function presetsOf(task: TaskName): Preset[] {
  if (task === 'recall') {
    return [5, 20, 40, 100, 200].map((delay) => ({
      title: String(delay),
      value: recallText('b', delay),
    }));
  }
  if (task === 'count') {
    const nested = (depth: number): string => `${'('.repeat(depth)}xx${')'.repeat(depth)}`;
    return [4, 8, 16, 30].map((depth) => ({
      title: String(depth),
      value: depth === 4 ? '(x(x)((x)x))((x)((x)))x' : nested(depth),
    }));
  }
  return Object.entries(CURVES).map(([name, curve]) => ({
    title: say(name as WordKey),
    value: curve(),
  }));
}

/** The preset of a task that the page begins with. */
export const FIRST_PRESET: Readonly<Record<TaskName, number>> = { recall: 1, count: 0, signal: 0 };

/** A curve that the pointer draws, from left to right or back. */
export class CurvePad {
  readonly #box: HTMLElement;
  readonly #changed: () => void;
  #values = new Float32Array(CURVE_STEPS);
  #last: number | undefined;

  constructor(box: HTMLElement, changed: () => void) {
    this.#box = box;
    this.#changed = changed;
    box.addEventListener('pointerdown', (event) => {
      box.setPointerCapture(event.pointerId);
      this.#last = undefined;
      this.#trace(event);
    });
    box.addEventListener('pointermove', (event) => {
      if (box.hasPointerCapture(event.pointerId)) this.#trace(event);
    });
  }

  /** Samples between -1 and 1. */
  get values(): Float32Array {
    return this.#values;
  }

  /** Replaces the curve. */
  set(values: Float32Array): void {
    this.#values = values.slice();
    this.draw();
  }

  /** Draws the curve at the width that the box has now. */
  draw(): void {
    drawLines(this.#box, [{ values: this.#values, className: 'line-chosen' }], {
      range: [-1, 1],
      ticks: [[0, '0']],
    });
  }

  /** Sets the samples between the last place of the pointer and this one. */
  #trace({ clientX, clientY }: PointerEvent): void {
    const { left, top, width, height } = this.#box.getBoundingClientRect();
    const clamp = (value: number, low: number, high: number): number =>
      Math.max(low, Math.min(high, value));
    const t = clamp(Math.floor(((clientX - left) / width) * CURVE_STEPS), 0, CURVE_STEPS - 1);
    const value = clamp(1 - (2 * (clientY - top)) / height, -1, 1);
    const from = this.#last ?? t;
    const before = this.#values[from]!;
    const span = Math.abs(t - from);
    for (let k = span === 0 ? 0 : 1; k <= span; k++) {
      const fraction = span === 0 ? 1 : k / span;
      this.#values[from + Math.sign(t - from) * k] = before + (value - before) * fraction;
    }
    this.#last = t;
    this.draw();
    this.#changed();
  }
}
