// Reads safetensors files that tests trust. https://github.com/huggingface/safetensors#format
import { tensor, type DataType, type Tensor } from '../../src/tensor.ts';

const TYPES: Readonly<Record<string, DataType>> = { F32: 'float32', I32: 'int32', I64: 'int64' };

/** The tensors of a file by name. */
export function readSafetensors(bytes: Uint8Array): Map<string, Tensor> {
  const file = Uint8Array.from(bytes); // aligned at 0
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const found = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const type = TYPES[entry.dtype];
    if (type === undefined) throw new Error(`${name}: element type ${entry.dtype}`);
    const data = file.slice(
      8 + length + entry.data_offsets[0],
      8 + length + entry.data_offsets[1],
    ).buffer;
    const array =
      type === 'float32'
        ? new Float32Array(data)
        : type === 'int32'
          ? new Int32Array(data)
          : new BigInt64Array(data);
    found.set(name, tensor(array as never, entry.shape, type) as Tensor);
  }
  return found;
}
