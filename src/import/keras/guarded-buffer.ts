// The bytes of an HDF5 file as jsfive reads them, with an eye on how much it reads. jsfive follows
// whatever a file says, so a file can send it round in circles. To get anywhere it has to slice the
// buffer for a signature or a name, and there it is counted.
// https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
import { RnnError } from '../../errors.ts';

const MAX_SLICES = 1_000_000; // a model of a thousand layers: 10^5
const MAX_SLICED = 2 ** 30; // a million names of a kilobyte
const MAX_TREES = 20_000; // one for each group
const MAX_TABLES = 500_000; // eight names each; jsfive copies their list once for each tree node
const MAX_HEAP = 2 ** 18; // names of one group; jsfive searches all of them for each one

/** What jsfive has read of one file so far. */
class Tally {
  readonly path: string;
  #slices = 0;
  #sliced = 0;
  #trees = 0;
  #tables = 0;

  constructor(path: string) {
    this.path = path;
  }

  slice(length: number): void {
    this.#slices = this.#limit(this.#slices + 1, MAX_SLICES, 'parts');
    this.#sliced = this.#limit(this.#sliced + length, MAX_SLICED, 'bytes in names');
  }

  /** What follows a signature, before jsfive gets to it. */
  structure(signature: string, file: DataView, at: number): void {
    if (signature === 'TREE') {
      this.#trees = this.#limit(this.#trees + 1, MAX_TREES, 'groups');
      this.#tables = this.#limit(this.#tables + file.getUint16(at + 6, true), MAX_TABLES, 'links');
    } else if (signature === 'HEAP') {
      this.#limit(
        Number(file.getBigUint64(at + 8, true)),
        MAX_HEAP,
        'bytes in the names of a group',
      );
    } else if (signature === 'FRHP') {
      throw new RnnError(
        'INVALID_MODEL',
        this.path,
        'got a group of many links in the newest layout of HDF5, expected the one that Keras ' +
          'writes: save the model again, or convert it with h5repack --high=0',
      );
    }
  }

  #limit(count: number, most: number, what: string): number {
    if (count <= most) return count;
    throw new RnnError('LIMIT_EXCEEDED', this.path, `too many ${what}, at most ${most}`);
  }
}

/** A copy of the bytes of a file that can be read so far and no further. */
export class GuardedBuffer extends ArrayBuffer {
  #tally: Tally | undefined;
  #isFile = false;

  /** @param path what errors call the file */
  static of(bytes: Uint8Array, path: string): GuardedBuffer {
    const buffer = GuardedBuffer.#copy(bytes, new Tally(path));
    buffer.#isFile = true;
    return buffer;
  }

  static #copy(bytes: Uint8Array, tally: Tally | undefined): GuardedBuffer {
    const copy = new GuardedBuffer(bytes.length);
    copy.#tally = tally;
    new Uint8Array(copy).set(bytes);
    return copy;
  }

  override slice(begin = 0, end = this.byteLength): GuardedBuffer {
    const bytes = new Uint8Array(this).subarray(begin, end);
    this.#tally?.slice(bytes.length);
    if (this.#isFile && bytes.length === 4) {
      this.#tally?.structure(String.fromCharCode(...bytes), new DataView(this), begin);
    }
    return GuardedBuffer.#copy(bytes, this.#tally);
  }
}
