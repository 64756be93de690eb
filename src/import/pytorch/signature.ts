// What the files of torch.save begin with.
import { startsWith } from '../format.ts';

/** A pickle, protocol 2, of 0x1950a86a20f9469cfc6c: MAGIC_NUMBER of torch/serialization.py. */
export const isLegacy = (bytes: Uint8Array): boolean =>
  startsWith(bytes, 0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19);
