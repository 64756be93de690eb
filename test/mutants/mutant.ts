// A fault put into the source on purpose, to see whether the tests notice it.

/** A change of one place of a file. */
export interface Mutant {
  /** What is wrong then. */
  readonly name: string;
  /** Path from the root of the repository. */
  readonly file: string;
  /** Text that occurs once in the file. */
  readonly search: string;
  readonly replace: string;
  /** Test files of the fast tier, one of which must fail. */
  readonly tests: readonly string[];
}

/**
 * The text of a file with a mutant in it.
 *
 * @throws Error where the search text does not occur exactly once: the source has moved on
 */
export function mutate({ name, file, search, replace }: Mutant, text: string): string {
  const parts = text.split(search);
  if (parts.length !== 2) {
    const what = `«${search}» occurs ${parts.length - 1} times, expected 1`;
    throw new Error(`${name}: ${file}: ${what}`);
  }
  if (replace === search) throw new Error(`${name}: ${file}: replaces a text by itself`);
  return parts.join(replace);
}
