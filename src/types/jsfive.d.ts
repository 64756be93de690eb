// jsfive ships no types; this covers what an importer of Keras files needs.
declare module 'jsfive' {
  /** HDF5 attributes by name; a missing one is undefined. */
  type Attributes = Record<string, unknown>;

  export class Group {
    readonly name: string;
    readonly keys: string[];
    readonly attrs: Attributes;
    /** Throws a string when the path is not there. */
    get(path: string): Group | Dataset | null;
  }

  export class File extends Group {
    constructor(bytes: ArrayBuffer, filename?: string);
  }

  export class Dataset {
    readonly name: string;
    readonly attrs: Attributes;
    readonly dtype: unknown; // '<f4', or an array for strings and compounds
    readonly shape: number[];
    readonly value: unknown; // a flat plain array, row major
  }
}
