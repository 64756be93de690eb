// Layouts of recurrent weights as the kernels read them. Each function takes an array that can be
// indexed, so that the same code packs numbers on the host and makes the maps for packing on a GPU.
import type { WeightShape } from '../../../shaders/recurrent/weights.ts';

/** Anything that is read by index. */
export type Source = ArrayLike<number>;

/** Shape of a packed product: rows of `units` for each of `products`, over `width` inputs. */
export interface ProductLayout {
  readonly directions: number;
  /** Rows of one direction in the source: G·H. */
  readonly sourceRows: number;
  /** Blocks of rows, by number of the block in the source. */
  readonly blocks: readonly number[];
  readonly units: number;
  /** Units of a workgroup: its weights are one run of memory, which it reads from end to end. */
  readonly tile: number;
  readonly width: number;
  /** Split-K: the vec4 along the sum are padded to a multiple of it, with zeros; 1 where left out. */
  readonly slices?: number;
}

/** What a packed product is to the kernels. */
export function productShape(layout: ProductLayout): WeightShape {
  const { directions, blocks, units, tile, width, slices = 1 } = layout;
  return {
    groups: directions * Math.ceil(units / tile),
    k4: Math.ceil(Math.ceil(width / 4) / slices) * slices,
    span: blocks.length * tile,
  };
}

/** Elements of a packed product. */
export function productSize(layout: ProductLayout): number {
  const { groups, k4, span } = productShape(layout);
  return groups * k4 * span * 4;
}

/** [D, G·H, K] → [D][⌈units/tile⌉][k4][blocks][tile][4], zeros beyond units and K. */
export function packProduct(
  source: Source,
  layout: ProductLayout,
  out: Float32Array | Uint32Array,
): void {
  const { directions, sourceRows, blocks, units, tile, width } = layout;
  const { k4 } = productShape(layout);
  let at = 0;
  for (let dir = 0; dir < directions; dir++) {
    for (let first = 0; first < units; first += tile) {
      for (let k = 0; k < k4 * 4; k += 4) {
        const lanes = Math.min(4, width - k);
        for (const block of blocks) {
          for (let unit = first; unit < first + tile; unit++, at += 4) {
            if (unit >= units) continue;
            const from = (dir * sourceRows + block * units + unit) * width + k;
            for (let lane = 0; lane < lanes; lane++) out[at + lane] = source[from + lane]!;
          }
        }
      }
    }
  }
}

/** [D, 2·G·H] → [D, G·H], the input biases. */
export function packInputBias(
  source: Source,
  directions: number,
  width: number,
  out: Float32Array | Uint32Array,
): void {
  for (let dir = 0; dir < directions; dir++) {
    for (let n = 0; n < width; n++) out[dir * width + n] = source[dir * 2 * width + n]!;
  }
}

/** [D, 2·G·H] → [D, G·H], the recurrent biases of the gates that fold; 0 for the others. */
export function packFoldedBias(
  source: Source,
  directions: number,
  width: number,
  hidden: number,
  folds: (gate: number) => boolean,
  out: Float32Array | Uint32Array,
): void {
  for (let dir = 0; dir < directions; dir++) {
    for (let n = 0; n < width; n++) {
      const folded = folds(Math.floor(n / hidden));
      out[dir * width + n] = folded ? source[dir * 2 * width + width + n]! : 0;
    }
  }
}

/**
 * [D, stride] → [D, count], a run of `count` from `offset` in each direction; or into a part of each
 * direction of [D, into.stride].
 */
export function packRun(
  source: Source,
  {
    directions,
    stride,
    offset,
    count,
  }: { directions: number; stride: number; offset: number; count: number },
  out: Float32Array | Uint32Array,
  into: { readonly stride: number; readonly offset: number } = { stride: count, offset: 0 },
): void {
  for (let dir = 0; dir < directions; dir++) {
    const to = dir * into.stride + into.offset;
    for (let n = 0; n < count; n++) out[to + n] = source[dir * stride + offset + n]!;
  }
}
