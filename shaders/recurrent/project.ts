// The kernel of project.wgsl: its buffers and its tile.
import type { Kernel } from '../kernel.ts';
import { kernelOf } from '../part.ts';
import { rename } from '../wgsl.ts';
import { inputPart } from './input.ts';
import product from './product.wgsl?raw';
import text from './project.wgsl?raw';
import { rowBlockPart } from './row-block.ts';
import type { RowBlock } from './row-block.ts';
import { instancesOf, timePart } from './spec.ts';
import type { RecurrentSpec } from './spec.ts';
import { weightPart, weightType } from './weights.ts';

/** Tile of results of an invocation. Rows are (time step, batch row) pairs of the chunk. */
export interface ProjectTile extends RowBlock {
  /** Invocations of a workgroup, neighbours along the columns. */
  readonly lanes: number;
  /** Columns of an invocation, strided by `lanes`. */
  readonly columns: number;
}

/** Columns that a workgroup covers. */
export const tileColumns = ({ lanes, columns }: ProjectTile): number => lanes * columns;

/**
 * W·x + b of the gates of a layer; see project.wgsl for its buffers. Grid: tiles of columns, blocks of
 * rows, instances. With `spec.layers` above 1 it serves the layers of a wavefront above the first.
 *
 * @param features width of the input, I
 */
export function projectKernel(
  spec: RecurrentSpec,
  features: number,
  tile: ProjectTile,
  hasBias: boolean,
): Kernel {
  const { gates, hidden, arithmetic } = spec;
  const storage = spec.storage.input;
  const wavefront = spec.layers > 1;
  const columns = gates.length * hidden;
  const span = tileColumns(tile);
  const tiles = Math.ceil(columns / span);
  const k4 = Math.ceil(features / 4);
  const groups = (wavefront ? spec.layers - 1 : instancesOf(spec)) * tiles;
  const scaled = storage === 'int8';
  return kernelOf('recurrent-project', text, [
    {
      constants: {
        LANES: tile.lanes,
        COLUMNS: tile.columns,
        GATE_COLUMNS: columns,
        TILES: tiles,
        K4: k4,
      },
      flags: { WAVEFRONT: wavefront, BIAS: hasBias, SCALED: scaled },
      names: {
        MULTIPLY: rename(product, {
          SUMS: 'COLUMNS',
          Weight4: weightType(storage, arithmetic),
          WEIGHT: 'load_w(weightsAt + s * LANES)',
          VECTOR: 'loadInput(at[j], k)',
        }),
        XW_INSTANCE: wavefront ? '(instance + 1u)' : 'instance',
      },
    },
    inputPart(features),
    rowBlockPart(tile),
    weightPart('w', storage, { groups, k4, span }, arithmetic),
    { bindings: { b: hasBias && 'read f32' } },
    wavefront
      ? { uniforms: { rows: 'u32', layer: 'u32' } }
      : timePart(spec, { time: true, live: false }),
    {
      bindings: { xw: 'write f32' },
      uniforms: {
        chunkSteps: 'u32',
        ...(!wavefront && { start: 'u32', steps: 'u32', xT: 'u32', xB: 'u32' }),
      },
    },
  ]);
}
