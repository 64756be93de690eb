// The weights of a TF.js model: which bytes of which file they are, and what numbers they stand for.
// tfjs-core/src/io/types.ts (WeightsManifestConfig) and io_utils.ts (decodeWeights)
import { RnnError } from '../../errors.ts';
import { tensor, type Tensor } from '../../tensor.ts';
import { concat } from '../concat.ts';
import { fromFloat16 } from '../../float16.ts';
import { Config, invalid } from '../keras/layers/index.ts';
import { elementCount, type Budget } from '../limits.ts';
import { checkPath } from './manifest-paths.ts';

/** Finds a file by the path that the manifest gives. */
export type Files = (path: string, where: string) => Uint8Array;

/** One weight with its name and numbers. */
export interface NamedWeight {
  readonly name: string;
  readonly tensor: Tensor;
}

const BYTES: ReadonlyMap<string, number> = new Map([
  ['float32', 4],
  ['int32', 4],
  ['bool', 1],
  ['float16', 2],
  ['uint16', 2],
  ['uint8', 1],
]);

/** Reads every weight of `weightsManifest` in order, the state of optimizers left out. */
export function readWeights(manifest: unknown, files: Files, budget: Budget): NamedWeight[] {
  if (!Array.isArray(manifest)) throw invalid('weightsManifest', manifest, 'a list of groups');
  return manifest.flatMap((raw: unknown, g) => {
    const group = new Config(raw, `weightsManifest[${g}]`);
    const shards = group.list('paths').map((path, i) => {
      const where = `${group.path}.paths[${i}]`;
      if (typeof path !== 'string') throw invalid(where, path, 'the name of a file');
      checkPath(path, where);
      return files(path, where);
    });
    // Weights lie end to end and may begin in one shard and end in the next.
    // A shard that is listed again and again would become as many copies.
    if (shards.length > 1) {
      budget.expand(
        shards.reduce((sum, { length }) => sum + length, 0),
        `${group.path}.paths`,
      );
    }
    const bytes = concat(shards);
    let offset = 0;
    const specs = group.list('weights').map((spec, i) => {
      const weight = readSpec(new Config(spec, `${group.path}.weights[${i}]`), budget);
      const start = offset;
      offset += weight.bytes;
      return { ...weight, start };
    });
    if (offset !== bytes.length) {
      const names = group.list('paths').join(', ');
      throw new RnnError(
        'INVALID_MODEL',
        `${group.path}.paths`,
        `got ${bytes.length} bytes in ${names}, expected ${offset} for the ${specs.length} weights`,
      );
    }
    return specs.flatMap(({ name, decode, start, bytes: length, optimizer }) =>
      optimizer ? [] : [{ name, tensor: decode(bytes.subarray(start, start + length)) }],
    );
  });
}

/** What the manifest says of one weight. */
function readSpec(spec: Config, budget: Budget) {
  const name = spec.text('name');
  const path = `weightsManifest['${name}']`;
  budget.check('maxNameLength', name.length, spec.path, 'too long a name');
  budget.spend('maxTensors', 1, spec.path, 'too many weights');
  const dims = spec.list('shape') as readonly number[];
  const count = elementCount(dims, budget.limits, path);
  const dtype = spec.text('dtype');
  const quantization =
    spec.raw('quantization') === undefined ? undefined : spec.child('quantization');
  const stored = quantization?.text('dtype') ?? dtype;
  const size = BYTES.get(stored);
  const known = quantization
    ? ['uint8', 'uint16', 'float16']
    : ['float32', 'int32', 'bool', 'float16'];
  if (
    size === undefined ||
    !known.includes(stored) ||
    !['float32', 'int32', 'bool', 'float16'].includes(dtype)
  ) {
    throw new RnnError(
      'INVALID_MODEL',
      `${path}.dtype`,
      `got ${quantization ? `${stored} for ${dtype}` : dtype}, expected ${known.join(', ')}`,
    );
  }
  budget.decode(count * 4, path);
  const optimizer = spec.raw('group') === 'optimizer';
  const numbers = quantization ? dequantize(quantization, stored, dtype) : plain(dtype);
  const decode = (bytes: Uint8Array): Tensor => {
    const data = numbers(bytes);
    return data instanceof Uint8Array ? tensor(data, dims, 'bool') : tensor(data, dims);
  };
  return { name, bytes: count * size, decode, optimizer };
}

type Decode = (bytes: Uint8Array) => Float32Array | Int32Array | Uint8Array;

/** A view where the bytes are aligned, else a copy. */
function aligned<T>(
  bytes: Uint8Array,
  Type: {
    new (buffer: ArrayBufferLike, offset: number, length: number): T;
    BYTES_PER_ELEMENT: number;
  },
): T {
  const size = Type.BYTES_PER_ELEMENT;
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new Type(buffer, byteOffset, bytes.length / size);
}

function plain(dtype: string): Decode {
  if (dtype === 'float32') return (bytes) => aligned(bytes, Float32Array);
  if (dtype === 'int32') return (bytes) => aligned(bytes, Int32Array);
  if (dtype === 'float16') return (bytes) => fromFloat16(aligned(bytes, Uint16Array));
  return (bytes) => bytes.map((byte) => Number(byte !== 0));
}

/** Numbers stored as `(number - min) / scale` in 8 or 16 bits, or as half precision. */
function dequantize(quantization: Config, stored: string, dtype: string): Decode {
  if (stored === 'float16') {
    if (dtype === 'float32') return plain('float16');
    throw invalid(`${quantization.path}.dtype`, 'float16', `uint8 or uint16 for ${dtype}`);
  }
  const scale = quantization.number('scale');
  const min = quantization.number('min');
  return (bytes) => {
    const codes = stored === 'uint8' ? bytes : aligned(bytes, Uint16Array);
    return dtype === 'int32'
      ? Int32Array.from(codes, (code) => Math.round(code * scale + min))
      : Float32Array.from(codes, (code) => code * scale + min);
  };
}
