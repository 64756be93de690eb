// Options by name: one that is misspelt is refused, and not ignored.
import { RnnError } from '../errors.ts';

/** @throws RnnError `INVALID_ARGUMENT` for what is no object, and for an option that there is none of */
export function checkOptions<T extends object>(
  options: T,
  known: Readonly<Record<keyof T, true>>,
  path = 'options',
): void {
  if (typeof options !== 'object' || (options as unknown) === null || Array.isArray(options)) {
    const got = Object.prototype.toString.call(options).slice(8, -1);
    throw new RnnError('INVALID_ARGUMENT', path, `got ${got}, expected an object`);
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined) {
    const what = `unknown option, expected one of ${Object.keys(known).join(', ')}`;
    throw new RnnError('INVALID_ARGUMENT', `${path}.${unknown}`, what);
  }
}

/** @throws RnnError `INVALID_ARGUMENT` for an option that is no whole number from 1 up */
export function checkCount(name: string, value: unknown): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return;
  const what = `got ${String(value)}, expected a whole number from 1 up`;
  throw new RnnError('INVALID_ARGUMENT', `options.${name}`, what);
}
