// Writes safetensors files, sound ones and broken ones. https://github.com/huggingface/safetensors#format

const join = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

/** A file of any header, text or bytes, and any data; `size` lies about the header. */
export function rawSafetensors(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(0),
  size?: bigint,
): Uint8Array<ArrayBuffer> {
  const bytes = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, size ?? BigInt(bytes.length), true);
  return join([length, bytes, data]);
}

/** A tensor to write: float32 unless its bytes are given. */
export type Written =
  | { readonly dims: readonly number[]; readonly data: Float32Array | readonly number[] }
  | { readonly dims: readonly number[]; readonly dtype: string; readonly bytes: Uint8Array };

/** A sound file, its header padded so that the data is aligned. */
export function writeSafetensors(
  tensors: Readonly<Record<string, Written>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  // No prototype, so that __proto__ is a name like any other.
  const header = Object.create(null) as Record<string, unknown>;
  if (metadata) header['__metadata__'] = metadata;
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, value] of Object.entries(tensors)) {
    const bytes =
      'bytes' in value ? value.bytes : new Uint8Array(Float32Array.from(value.data).buffer);
    const dtype = 'dtype' in value ? value.dtype : 'F32';
    header[name] = { dtype, shape: value.dims, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  }
  let text = JSON.stringify(header);
  text += ' '.repeat((8 - (new TextEncoder().encode(text).length % 8)) % 8);
  return rawSafetensors(text, join(parts));
}
