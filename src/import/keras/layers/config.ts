// Reads the JSON of a Keras config and believes none of it: every value is checked where it is read.
import { RnnError } from '../../../errors.ts';
import type { Budget } from '../../limits.ts';

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** True for a JSON object. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A short print of a JSON value for messages. */
export function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

const camelCase = (key: string): string => key.replace(/_(\w)/g, (_, c: string) => c.toUpperCase());

/** One config object. Keys are snake_case, as Keras writes them; camelCase in the file is as good. */
export class Config {
  readonly path: string;
  readonly #data: Json;

  constructor(data: unknown, path: string) {
    if (!isObject(data)) throw invalid(path, data, 'an object');
    this.path = path;
    this.#data = data;
  }

  /** The value of a key as it is; undefined where it is absent or null. */
  raw(key: string): unknown {
    return this.#own(key) ?? this.#own(camelCase(key)) ?? undefined;
  }

  /** True where the file says null, and not merely nothing. */
  isNull(key: string): boolean {
    return this.#own(key) === null || this.#own(camelCase(key)) === null;
  }

  text(key: string, fallback?: string): string {
    const value = this.raw(key) ?? fallback;
    return typeof value === 'string' ? value : this.#fail(key, 'a string');
  }

  /** One of a few words. */
  choice<T extends string>(key: string, choices: readonly T[], fallback: T): T {
    // TF.js has written both channelsLast and channels_last.
    const wanted = this.text(key, fallback);
    const found = choices.find((choice) => choice === wanted || camelCase(choice) === wanted);
    return found ?? this.#fail(key, choices.join(' or '));
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.raw(key) ?? fallback;
    return typeof value === 'boolean' ? value : this.#fail(key, 'true or false');
  }

  number(key: string, fallback?: number): number {
    const value = this.raw(key) ?? fallback;
    return typeof value === 'number' ? value : this.#fail(key, 'a number');
  }

  /** A whole number of at least `least`. Keras also writes it as a list of one. */
  count(key: string, fallback?: number, min = 1): number {
    const raw = this.raw(key);
    const value = (Array.isArray(raw) && raw.length === 1 ? (raw[0] as unknown) : raw) ?? fallback;
    if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
    return this.#fail(key, `a whole number of at least ${min}`);
  }

  /** Whole numbers; one alone counts as a list of one. */
  integers(key: string, fallback?: readonly number[]): number[] {
    const raw = this.raw(key) ?? fallback;
    const values: unknown[] = Array.isArray(raw) ? raw : [raw];
    return values.every((value) => Number.isSafeInteger(value))
      ? (values as number[])
      : this.#fail(key, 'whole numbers');
  }

  list(key: string): readonly unknown[] {
    const value = this.raw(key);
    return Array.isArray(value) ? value : this.#fail(key, 'a list');
  }

  child(key: string): Config {
    return new Config(this.raw(key), `${this.path}.${key}`);
  }

  #own(key: string): unknown {
    return Object.hasOwn(this.#data, key) ? this.#data[key] : undefined;
  }

  #fail(key: string, expected: string): never {
    throw invalid(`${this.path}.${key}`, this.raw(key), expected);
  }
}

/** The error for a config value that makes no sense. */
export function invalid(path: string, got: unknown, expected: string): RnnError {
  return new RnnError('INVALID_MODEL', path, `got ${show(got)}, expected ${expected}`);
}

/** A layer as a file writes it: a class and the arguments of its constructor. */
export interface LayerConfig {
  readonly className: string;
  readonly config: Config;
}

/**
 * Reads `{ class_name, config }`; Keras 3 has more fields, TF.js in memory spells it className.
 *
 * @param path of the layer; its config is called the same, so that errors read `layers['a'].units`
 */
export function layerConfig(data: unknown, path: string): LayerConfig {
  const outer = new Config(data, path);
  const className = outer.text('class_name');
  refuseCode(outer, className);
  const config = outer.raw('config');
  // Keras 1 and early tf.keras wrote the config of a Sequential as the bare list of its layers.
  return {
    className,
    config: configOf(Array.isArray(config) ? { layers: config } : config, path),
  };
}

/** The arguments of a layer; errors within call them by the path of the layer. */
function configOf(config: unknown, path: string): Config {
  if (!isObject(config)) throw invalid(`${path}.config`, config, 'an object');
  return new Config(config, path);
}

/**
 * Keras 3 says where a class comes from. One of somebody's own may be called like one of Keras and do
 * another thing, which cannot be known without running it.
 */
function refuseCode(outer: Config, className: string): void {
  const module = outer.raw('module');
  const own = outer.raw('registered_name');
  const foreign = typeof module === 'string' && !/^(tf_)?keras(\.|$)/.test(module);
  const registered = typeof own === 'string' && own.includes('>') && !/^(tf_)?keras[.>]/i.test(own);
  if (!foreign && !registered) return;
  const what = foreign ? `${module}.${className}` : own;
  throw new RnnError(
    'UNSUPPORTED_OPERATOR',
    outer.path,
    `class ${what} is Python code of its own, which is never run; expected layers of Keras`,
  );
}

/** Keras prefixes classes outside its core: `keras.layers>LSTM`, `Custom>Thing`. */
export function plainClass(className: string): string {
  return className.startsWith('keras.layers>')
    ? className.slice('keras.layers>'.length)
    : className;
}

/**
 * Parses the JSON of a file after a look at how deep and how wide it is.
 *
 * @throws RnnError `LIMIT_EXCEEDED`, or `INVALID_MODEL` where it is no JSON
 */
export function parseJson(text: string, budget: Budget, path: string): unknown {
  let depth = 0;
  let deepest = 0;
  let entries = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === ',') entries++;
    else if (c === '{' || c === '[') deepest = Math.max(deepest, ++depth);
    else if (c === '}' || c === ']') depth--;
  }
  // A model within a model lies four brackets deeper: its config, its layers, one of them, its config.
  budget.check('maxDepth', Math.ceil(deepest / 4), path, 'objects too deep within one another');
  budget.spend('maxEntries', entries, path, 'too many entries');
  try {
    return JSON.parse(text);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new RnnError('INVALID_MODEL', path, `damaged JSON (${what})`, { cause });
  }
}
