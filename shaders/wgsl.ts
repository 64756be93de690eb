// The only file that imports wgsl-preprocessor. Shaders are template literals tagged `wgsl`, in which
// `#if ${boolean}` … `#elif ${boolean}` … `#else` … `#endif`, each on its own line, choose variants.
import { wgsl as preprocess } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** What may stand in a shader template: text, a number, or the condition of an `#if`. */
export type WgslPart = string | number | boolean;

/**
 * WGSL source from a template.
 *
 * @throws TypeError where a part is undefined or NaN, which would otherwise be printed into the
 *   shader without complaint
 */
export function wgsl(strings: TemplateStringsArray, ...parts: WgslPart[]): string {
  for (const [i, part] of parts.entries()) {
    if (part === undefined || part === null || Number.isNaN(part)) {
      const before = strings[i]!.slice(-60);
      throw new TypeError(`shader template: part ${i} is ${String(part)}, after «${before}»`);
    }
  }
  return preprocess(strings, ...parts);
}

const MOST = 3.4028234663852886e38; // f32 has no literal for infinity

/** An f32 literal of WGSL. */
export function literal(value: number): string {
  const text = String(Math.fround(Math.min(Math.max(value, -MOST), MOST)));
  return /[.e]/.test(text) ? text : `${text}.0`;
}
