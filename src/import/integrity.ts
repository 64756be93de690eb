// Compares files with hashes that the caller knows, before anything of them is parsed.
import { RnnError } from '../errors.ts';

/**
 * Expected hashes in the form of subresource integrity (`sha256-…`, also `sha384` and `sha512`): one
 * for a model of one file, or one for each file by name.
 * https://www.w3.org/TR/sri-2/#integrity-metadata-description
 */
export type Integrity = string | Readonly<Record<string, string>>;

const PATTERN = /^sha(256|384|512)-([A-Za-z0-9+/]+={0,2})$/;

const invalid = (path: string, what: string): RnnError =>
  new RnnError('INVALID_ARGUMENT', path, what);

/** The hashes of one load. */
export class IntegrityCheck {
  readonly #one: string | undefined;
  readonly #byName: ReadonlyMap<string, string> | undefined;
  readonly #seen = new Set<string>();

  /** @throws RnnError `INVALID_ARGUMENT` for what is no hash or no record of hashes */
  constructor(integrity: Integrity | undefined) {
    if (integrity === undefined) return;
    const path = 'options.integrity';
    if (typeof integrity === 'string') {
      this.#one = hashOf(integrity, path);
    } else if (typeof integrity === 'object' && integrity !== null) {
      this.#byName = new Map(
        Object.entries(integrity).map(([name, hash]) => [name, hashOf(hash, `${path}['${name}']`)]),
      );
    } else throw invalid(path, `got ${String(integrity)}, expected a hash, or hashes by file name`);
  }

  /**
   * Refuses a file that the caller has no hash for; called before it is fetched.
   *
   * @param name what the file is called in `options.integrity`
   */
  expects(name: string): void {
    this.#expected(name);
  }

  /**
   * Compares one file.
   *
   * @throws RnnError `INVALID_MODEL` where the hash is another, `UNSUPPORTED_FEATURE` where the page
   *   has no Web Crypto, which needs https
   */
  async check(name: string, bytes: Uint8Array): Promise<void> {
    const expected = this.#expected(name);
    if (expected === undefined) return;
    const [, bits] = PATTERN.exec(expected)!;
    const { subtle } = (globalThis as { crypto?: { subtle?: SubtleCrypto } }).crypto ?? {};
    if (!subtle) {
      const what = 'needs Web Crypto, which pages have in secure contexts (https, localhost) only';
      throw new RnnError('UNSUPPORTED_FEATURE', 'options.integrity', what);
    }
    const digest = await subtle.digest(`SHA-${bits}`, bytes as Uint8Array<ArrayBuffer>);
    const got = `sha${bits}-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`;
    if (got === expected) return;
    throw new RnnError('INVALID_MODEL', name, `integrity, got ${got}, expected ${expected}`);
  }

  /** Refuses hashes of files that the model does not have. */
  finish(): void {
    const unused = [...(this.#byName?.keys() ?? [])].find((name) => !this.#seen.has(name));
    if (unused === undefined) return;
    const what = `the model has no such file, it has ${[...this.#seen].join(', ')}`;
    throw invalid(`options.integrity['${unused}']`, what);
  }

  #expected(name: string): string | undefined {
    this.#seen.add(name);
    if (this.#one !== undefined && this.#seen.size > 1) {
      const what = `got one hash for the files ${[...this.#seen].join(', ')}, expected one for each, by name`;
      throw invalid('options.integrity', what);
    }
    if (this.#byName === undefined) return this.#one;
    const found = this.#byName.get(name);
    if (found !== undefined) return found;
    throw invalid('options.integrity', `got no hash for '${name}', expected one for every file`);
  }
}

function hashOf(hash: unknown, path: string): string {
  if (typeof hash === 'string' && PATTERN.test(hash)) return hash;
  throw invalid(path, `got ${JSON.stringify(hash)}, expected 'sha256-' and the hash in base64`);
}
