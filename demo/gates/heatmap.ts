// Values through time as a picture: a column for each step, a row for each unit.
import { colorOf } from '../shared/theme.ts';

/** Red, green, blue, 0 to 255. */
type Color = readonly [number, number, number];

/** The colours of a theme, as numbers. */
export interface Palette {
  readonly zero: Color;
  readonly positive: Color;
  readonly negative: Color;
}

/** Reads the colours of the page as it looks now. */
export function readPalette(within: HTMLElement): Palette {
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })!;
  const read = (property: string): Color => {
    context.fillStyle = colorOf(property, within); // whatever notation the browser answers in
    context.fillRect(0, 0, 1, 1);
    const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
    return [r!, g!, b!];
  };
  return { zero: read('--well'), positive: read('--speech'), negative: read('--threshold') };
}

/**
 * Draws values [steps, units] into a canvas of one pixel a value; CSS enlarges it.
 * `limit` is the value that has the full colour, of either sign.
 */
export function drawHeatmap(
  canvas: HTMLCanvasElement,
  values: Float32Array,
  units: number,
  limit: number,
  palette: Palette,
): void {
  const steps = values.length / units;
  canvas.width = Math.max(1, steps);
  canvas.height = units;
  if (steps === 0) return;
  const context = canvas.getContext('2d')!;
  const image = context.createImageData(steps, units);
  for (let step = 0; step < steps; step++) {
    for (let unit = 0; unit < units; unit++) {
      const value = values[step * units + unit]! / limit;
      const fraction = Math.min(1, Math.abs(value));
      const full = value < 0 ? palette.negative : palette.positive;
      const pixel = 4 * (unit * steps + step);
      for (let c = 0; c < 3; c++) {
        image.data[pixel + c] = palette.zero[c]! + (full[c]! - palette.zero[c]!) * fraction;
      }
      image.data[pixel + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}
