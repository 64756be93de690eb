// Draws levels over time and frequency: a canvas of one pixel a column and row, which CSS stretches.
import { colorOf } from '../shared/theme.ts';
import { QUIET, ROWS } from './spectrum.ts';

/** Columns on the canvas. */
export const COLUMNS = 600;

type Color = readonly [number, number, number];

/** The numbers of `rgb(1, 2, 3)`. */
function channelsOf(color: string): Color {
  const [r, g, b] = (color.match(/[\d.]+/g) ?? ['0', '0', '0']).map(Number);
  return [r!, g!, b!];
}

/** Colours from silence to full scale. */
function rampOf(element: HTMLElement): Uint32Array {
  const stops = ['--well', '--speech', '--ink'].map((name) => channelsOf(colorOf(name, element)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const from = Math.min(stops.length - 2, Math.floor(at));
    const [a, b] = [stops[from]!, stops[from + 1]!];
    const [r, g, bl] = a.map((x, c) => Math.round(x + (b[c]! - x) * (at - from)));
    return (255 << 24) | (bl! << 16) | (g! << 8) | r!;
  });
}

/** A column, or the mark of a block that was missed. */
export type Column = Float32Array | 'missed';

/** A spectrogram. It draws when told to. */
export class Spectrogram {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #image: ImageData;
  #columns: Column[] = [];
  #ramp: Uint32Array;
  #missed: number;

  constructor(canvas: HTMLCanvasElement) {
    [canvas.width, canvas.height] = [COLUMNS, ROWS];
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d')!;
    this.#image = this.#context.createImageData(COLUMNS, ROWS);
    [this.#ramp, this.#missed] = this.#colors();
  }

  #colors(): [Uint32Array, number] {
    const box = this.#canvas.parentElement!;
    const [r, g, b] = channelsOf(colorOf('--threshold', box));
    return [rampOf(box), (255 << 24) | (b << 16) | (g << 8) | r];
  }

  /** Shows a whole sound. */
  show(columns: readonly Column[]): void {
    this.#columns = columns.slice(-COLUMNS);
  }

  /** Adds a column on the right. */
  push(column: Column): void {
    this.#columns.push(column);
    if (this.#columns.length > COLUMNS) this.#columns.shift();
  }

  /** Reads the colours of the theme again. */
  recolor(): void {
    [this.#ramp, this.#missed] = this.#colors();
    this.draw();
  }

  /** Draws what there is. */
  draw(): void {
    const pixels = new Uint32Array(this.#image.data.buffer);
    pixels.fill(this.#ramp[0]!);
    this.#columns.forEach((column, x) => {
      for (let row = 0; row < ROWS; row++) {
        const at = (ROWS - 1 - row) * COLUMNS + x;
        if (column === 'missed') pixels[at] = this.#missed;
        else pixels[at] = this.#ramp[Math.round(255 * (1 - Math.min(0, column[row]!) / QUIET))]!;
      }
    });
    this.#context.putImageData(this.#image, 0, 0);
  }
}
