// The passes that make the WGSL of a kernel from a `.wgsl` file, and the only file that imports
// wgsl-preprocessor. Nothing here knows what the text computes.
//
//   #if NAME … #elif !NAME … #else … #endif     variants, by flags; each directive on a line of its own
//   @unroll for (var i = 0u; i < N; i++) { … }   N copies of the body, with i a literal
//   @unroll(NAME) for (…) { … }                  the same where the flag is set, else a plain loop
//
// Why unroll at all: an array whose indices are all literals stays in registers, and SwiftShader and
// llvmpipe pay for a computed index ten times what they pay for a literal one (bench/README.md).
import { wgsl as preprocess } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** What a `.wgsl` text is expanded with. */
export interface Expansion {
  /** Values of the `#if` and `@unroll(…)` names. A name that is missing is an error. */
  readonly flags?: Readonly<Record<string, boolean>>;
  /** Constants of the kernel, for the trip counts of `@unroll`. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Identifiers to replace, before anything else: for text that serves more than one buffer. */
  readonly names?: Readonly<Record<string, string>>;
}

// A plan for another length asks for the same kernels again; expanding them would take most of the time to make it.
const expanded = new Map<string, Map<string, string>>();
const MAX_VARIANTS = 16; // of each text, 1 to 25 KB each

/**
 * The WGSL of a `.wgsl` text.
 *
 * @throws TypeError for a flag or a constant that is not given: it would silently choose a variant
 */
export function expand(
  text: string,
  { flags = {}, constants = {}, names = {} }: Expansion,
): string {
  const key = JSON.stringify([flags, constants, names]);
  const variants = expanded.get(text) ?? new Map<string, string>();
  const known = variants.get(key);
  if (known !== undefined) return known;
  const result = unroll(chooseVariant(rename(text, names), flags), flags, constants);
  if (variants.size >= MAX_VARIANTS) variants.clear();
  expanded.set(text, variants.set(key, result));
  return result;
}

/** A text with identifiers replaced, each wherever it stands by itself. */
export function rename(text: string, names: Readonly<Record<string, string>>): string {
  const known = Object.keys(names);
  if (known.length === 0) return text;
  return text.replaceAll(new RegExp(`\\b(?:${known.join('|')})\\b`, 'g'), (name) => names[name]!);
}

const flagOf = (flags: Readonly<Record<string, boolean>>, name: string): boolean => {
  const value = flags[name];
  if (value === undefined) throw new TypeError(`shader: the flag ${name} is not given`);
  return value;
};

/** Resolves `#if` and `#elif`. The tag takes the conditions separately from the text, in order. */
function chooseVariant(text: string, flags: Readonly<Record<string, boolean>>): string {
  const strings: string[] = [];
  const values: boolean[] = [];
  let last = 0;
  for (const match of text.matchAll(/(#(?:el)?if\s+)(!?)(\w+)/g)) {
    const [whole, directive, not, name] = match as unknown as [string, string, string, string];
    strings.push(text.slice(last, match.index) + directive);
    values.push(flagOf(flags, name) !== (not === '!'));
    last = match.index + whole.length;
  }
  strings.push(text.slice(last));
  return preprocess(strings as unknown as TemplateStringsArray, ...values);
}

const LOOP = /@unroll(?:\((\w+)\))? ?(for ?\(var (\w+) = 0u; ?\3 < (\w+); ?\3\+\+\) ?\{)/y; // spaces may be minified

/** Resolves `@unroll`. */
function unroll(
  text: string,
  flags: Readonly<Record<string, boolean>>,
  constants: Readonly<Record<string, number>>,
): string {
  let result = '';
  let end = 0;
  for (;;) {
    const at = text.indexOf('@unroll', end);
    if (at < 0) return result + text.slice(end);
    result += text.slice(end, at);
    LOOP.lastIndex = at;
    const found = LOOP.exec(text);
    if (!found) throw new TypeError(`shader: ${text.slice(at, at + 60)}…: no such loop`);
    const [head, flag, loop, index, bound] = found as unknown as readonly [
      string,
      string | undefined,
      string,
      string,
      string,
    ];
    const start = at + head.length;
    end = endOfBlock(text, start);
    const body = unroll(text.slice(start, end - 1), flags, constants);
    if (flag !== undefined && !flagOf(flags, flag)) {
      result += `${loop}${body}}`;
      continue;
    }
    const count = /^\d/.test(bound) ? parseInt(bound, 10) : constants[bound];
    if (count === undefined) throw new TypeError(`shader: the constant ${bound} is not given`);
    const declares = /\b(?:let|var|const)\b/.test(body); // else the copies need no scope of their own
    // A member `.i` is no variable `i`.
    const variable = new RegExp(`(?<![.\\w])${index}\\b`, 'g');
    const copies = Array.from({ length: count }, (_, n) => {
      const copy = body.replaceAll(variable, `${n}u`);
      return declares ? `{${copy}}` : copy.trim();
    });
    result += copies.join('\n');
  }
}

/** Position behind the brace that closes the block open at `start`. Comments hold no lone brace. */
function endOfBlock(text: string, start: number): number {
  let depth = 1;
  let end = start;
  for (; depth > 0; end++) {
    const char = text[end];
    if (char === undefined) throw new TypeError('shader: a block of @unroll is not closed');
    if (char === '{') depth++;
    if (char === '}') depth--;
  }
  return end;
}

const MAX_F32 = 3.4028234663852886e38; // WGSL has no literal for infinity

/** A finite f32 literal: values beyond the range of f32 are its largest. */
export function literal(value: number): string {
  const text = String(Math.fround(Math.min(Math.max(value, -MAX_F32), MAX_F32)));
  return /[.e]/.test(text) ? text : `${text}.0`;
}
