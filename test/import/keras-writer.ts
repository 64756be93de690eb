// Keras files as Keras itself lays them out, written for tests: HDF5 by h5wasm, zip by hand.
import { crc32, deflateRawSync } from 'node:zlib';
import * as h5wasm from 'h5wasm';

/** A dataset to write. */
export interface Numbers {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
  /** float32 when left out. */
  readonly dtype?: '<f4' | '>f4' | '<f8' | '<i4';
  readonly chunks?: readonly number[];
}

/** A group to write: everything by name. */
export interface Tree {
  readonly attrs?: Readonly<Record<string, string | readonly string[]>>;
  readonly groups?: Readonly<Record<string, Tree>>;
  readonly datasets?: Readonly<Record<string, Numbers>>;
  /** Hard links to what stands elsewhere, by absolute path. */
  readonly links?: Readonly<Record<string, string>>;
}

let files = 0;

/** Writes an HDF5 file; `earliest` is what h5py, and so Keras, writes. */
export async function writeH5(
  tree: Tree,
  libver: 'earliest' | 'latest' = 'earliest',
): Promise<Uint8Array> {
  const { FS } = await h5wasm.ready;
  const name = `/file_${files++}.h5`;
  const file = new h5wasm.File(name, 'w', { libver: [libver, 'latest'] });
  fill(file, tree);
  file.close();
  const bytes = Uint8Array.from(FS.readFile(name));
  FS.unlink(name);
  return bytes;
}

function fill(group: h5wasm.Group, { attrs, groups, datasets, links }: Tree): void {
  for (const [name, value] of Object.entries(attrs ?? {})) {
    if (typeof value === 'string') group.create_attribute(name, value);
    else if (value.length === 0) group.create_attribute(name, new Float64Array(0), [0]); // as h5py
    else {
      // h5py gives a list of bytes a type as long as the longest of them.
      const longest = Math.max(...value.map((text) => Buffer.byteLength(text)));
      group.create_attribute(name, [...value], [value.length], `S${longest}`);
    }
  }
  for (const [name, child] of Object.entries(groups ?? {})) fill(group.create_group(name), child);
  for (const [name, numbers] of Object.entries(datasets ?? {})) {
    const { dims, data, dtype = '<f4', chunks } = numbers;
    const array =
      dtype === '<i4'
        ? Int32Array.from(data)
        : dtype === '<f8'
          ? Float64Array.from(data)
          : Float32Array.from(data);
    group.create_dataset({
      name,
      data: array,
      shape: [...dims],
      dtype,
      ...(chunks && { chunks: [...chunks] }),
    });
  }
  for (const [name, target] of Object.entries(links ?? {})) group.create_hard_link(target, name);
}

/** An entry of an archive, and what its directory may lie about. */
export interface Entry {
  readonly name: string;
  readonly bytes: Uint8Array | string;
  readonly deflate?: boolean;
  /** Another size than it has. */
  readonly declared?: number;
}

/** Writes a zip archive, stored as Keras does or deflated as those who repack it do. */
export function writeZip(entries: readonly Entry[]): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, deflate = false, declared } of entries) {
    const plain = Buffer.from(bytes as string);
    const packed = deflate ? deflateRawSync(plain) : plain;
    const title = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // version
    common.writeUInt16LE(0x800, 2); // names in UTF-8
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt32LE(crc32(plain), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(declared ?? plain.length, 18);
    common.writeUInt16LE(title.length, 22);
    const where = Buffer.alloc(14);
    where.writeUInt32LE(offset, 10);
    const local = [Buffer.from('PK\x03\x04'), common, title, packed];
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), common, where, title);
    parts.push(...local);
    offset += local.reduce((size, part) => size + part.length, 0);
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Uint8Array.from(Buffer.concat([...parts, ...directory, end]));
}

/** Weights of a layer as Keras 2 names them: path from the group of the layer → numbers. */
export type NamedWeights = Readonly<Record<string, Numbers>>;

/** The tree of an .h5 file of Keras 2: the config of a model, and the weights of each layer. */
export function legacyTree(
  model: unknown,
  layers: Readonly<Record<string, NamedWeights>>,
  version = '2.1.6',
): Tree {
  const groups = Object.entries(layers).map(([layer, weights]): [string, Tree] => [
    layer,
    { attrs: { weight_names: Object.keys(weights) }, ...nested(weights) },
  ]);
  return {
    attrs: { model_config: JSON.stringify(model), keras_version: version, backend: 'tensorflow' },
    groups: {
      model_weights: {
        attrs: {
          layer_names: Object.keys(layers),
          keras_version: version,
          backend: 'tensorflow',
        },
        groups: Object.fromEntries(groups),
      },
    },
  };
}

/** `{ 'a/b': numbers }` as groups within groups; the last part is the dataset. */
function nested(weights: NamedWeights): Tree {
  const here = Object.entries(weights).filter(([path]) => !path.includes('/'));
  const deeper = Object.entries(weights).filter(([path]) => path.includes('/'));
  const firsts = [...new Set(deeper.map(([path]) => path.split('/')[0]!))];
  const groups = firsts.map((first): [string, Tree] => {
    const within = deeper
      .filter(([path]) => path.startsWith(`${first}/`))
      .map(([path, numbers]): [string, Numbers] => [path.slice(first.length + 1), numbers]);
    return [first, nested(Object.fromEntries(within))];
  });
  return { datasets: Object.fromEntries(here), groups: Object.fromEntries(groups) };
}

/** Weights of an archive: `layers/lstm/cell` → the numbers in `vars`, in order. */
export type PlacedWeights = Readonly<Record<string, readonly Numbers[]>>;

/** The tree of model.weights.h5. */
export function archiveTree(weights: PlacedWeights): Tree {
  const flat = Object.entries(weights).flatMap(([path, list]) =>
    list.map((numbers, i): [string, Numbers] => [`${path}/vars/${i}`, numbers]),
  );
  return nested(Object.fromEntries(flat));
}

/** A .keras file as Keras 3 writes it. */
export async function writeKeras(
  model: unknown,
  weights: PlacedWeights,
  version = '3.8.0',
): Promise<Uint8Array> {
  return writeZip([
    { name: 'metadata.json', bytes: JSON.stringify({ keras_version: version }) },
    { name: 'config.json', bytes: JSON.stringify(model) },
    { name: 'model.weights.h5', bytes: await writeH5(archiveTree(weights)) },
  ]);
}
