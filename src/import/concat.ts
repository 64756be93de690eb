// Arrays joined end to end.

/** The parts one after the other, in a new array; a single part is returned as it is. */
export function concat<T extends Uint8Array | Float32Array>(parts: readonly T[]): T {
  const [first] = parts;
  if (parts.length === 1 && first) return first;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  // Not the constructor of the first part: a Buffer of Node has one that is deprecated.
  const Type = first instanceof Float32Array ? Float32Array : Uint8Array;
  const all = new Type(length) as T;
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
