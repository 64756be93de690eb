// UTF-8 → text, also where there is no TextDecoder: in the global scope of audio worklets.

// What the first byte of a sequence says: how many follow, and the range of the first of them, which keeps
// overlong forms, surrogates and numbers beyond U+10FFFF out. https://encoding.spec.whatwg.org/#utf-8-decoder
function follow(first: number): readonly [count: number, low: number, high: number] | undefined {
  if (first >= 0xc2 && first <= 0xdf) return [1, 0x80, 0xbf];
  if (first >= 0xe0 && first <= 0xef) {
    return [2, first === 0xe0 ? 0xa0 : 0x80, first === 0xed ? 0x9f : 0xbf];
  }
  if (first >= 0xf0 && first <= 0xf4) {
    return [3, first === 0xf0 ? 0x90 : 0x80, first === 0xf4 ? 0x8f : 0xbf];
  }
  return undefined;
}

/**
 * The code of {@link decodeUtf8} where there is no TextDecoder.
 *
 * @throws TypeError for bytes that are no UTF-8, when `fatal`
 */
export function decodeUtf8Plainly(bytes: Uint8Array, fatal: boolean): string {
  let text = '';
  const isMarked = !fatal && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  for (let at = isMarked ? 3 : 0; at < bytes.length;) {
    const first = bytes[at++]!;
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    const [count, ...range] = follow(first) ?? [0, 0, 0];
    let [low, high] = range;
    let code = first & (0x3f >> count);
    let left = count;
    for (; left > 0; left--) {
      const byte = bytes[at] ?? 0;
      if (byte < low || byte > high) break;
      code = (code << 6) | (byte & 0x3f);
      [low, high] = [0x80, 0xbf];
      at++;
    }
    const isWhole = count > 0 && left === 0;
    if (!isWhole && fatal) throw new TypeError('The encoded data was not valid.');
    text += isWhole ? String.fromCodePoint(code) : '\ufffd';
  }
  return text;
}

interface Decoders {
  readonly lenient: { decode(bytes: Uint8Array): string };
  readonly strict: { decode(bytes: Uint8Array): string };
}

let decoders: Decoders | undefined;

const makeDecoders = (): Decoders =>
  typeof TextDecoder === 'undefined'
    ? {
        lenient: { decode: (bytes) => decodeUtf8Plainly(bytes, false) },
        strict: { decode: (bytes) => decodeUtf8Plainly(bytes, true) },
      }
    : {
        lenient: new TextDecoder(),
        strict: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }),
      };

/**
 * Bytes as text.
 *
 * @param fatal whether to refuse what is no UTF-8, and to keep a byte order mark; else U+FFFD stands for it
 * @throws TypeError for bytes that are no UTF-8, when `fatal`
 */
export function decodeUtf8(bytes: Uint8Array, fatal = false): string {
  decoders ??= makeDecoders();
  return (fatal ? decoders.strict : decoders.lenient).decode(bytes);
}
