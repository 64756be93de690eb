// jsfive ships no types; this covers what an importer of Keras files needs.
declare module 'jsfive' {
  /** The header of an object: messages by type. Not public in jsfive, and not offered otherwise. */
  export interface DataObjects {
    find_msg_type(type: number): Map<string, unknown>[];
  }

  export class Group {
    readonly name: string;
    readonly keys: string[];
    /** Address of an object, or the target of a soft link. */
    readonly _links: Readonly<Record<string, number | string>>;
    readonly _dataobjects: DataObjects;
    /** Throws a string when the path is not there. */
    get(path: string): Group | Dataset | null;
  }

  export class File extends Group {
    constructor(bytes: ArrayBuffer, filename?: string);
  }

  export class Dataset {
    readonly name: string;
    readonly _dataobjects: DataObjects;
    readonly dtype: unknown; // '<f4', or an array for strings and compounds
    readonly shape: number[];
  }
}
