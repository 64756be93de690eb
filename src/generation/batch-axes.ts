// Which axis of a tensor is the batch, so that its rows can be repeated for the hypotheses of a beam.
import { RnnError } from '../errors.ts';
import type { ValueInfo } from '../graph.ts';
import type { Tensors } from '../backends/backend.ts';
import { allocate, formatDims, sizeOf, type Tensor } from '../tensor.ts';

/**
 * The axis of the batch of each feed: what the caller says; else the free dimension that is called like one of the
 * token input and has the size of the batch; else the only free dimension of that size.
 *
 * @param inputs of the model
 * @param tokens name of the token input, where it is known
 * @throws RnnError `INVALID_ARGUMENT` where it is not clear
 */
export function batchAxes(
  inputs: readonly ValueInfo[],
  feeds: Tensors,
  rows: number,
  tokens: string | undefined,
  said: Readonly<Record<string, number>>,
): ReadonlyMap<string, number> {
  const others = inputs.filter(({ name }) => !Object.hasOwn(feeds, name));
  const names = new Set(
    others
      .filter(({ name }) => tokens === undefined || name === tokens)
      .flatMap(({ dims }) => dims.filter((dim) => typeof dim === 'string')),
  );
  return new Map(
    Object.entries(feeds).map(([name, { dims }]): [string, number] => {
      const given = said[name];
      if (given !== undefined) {
        if (dims.at(given) === rows) return [name, given < 0 ? given + dims.length : given];
        const what = `got ${String(given)}, expected an axis of ${formatDims(dims)} with ${rows} rows`;
        throw new RnnError('INVALID_ARGUMENT', `options.batchAxis.${name}`, what);
      }
      const declared = inputs.find((info) => info.name === name)?.dims ?? [];
      const free = [...dims.keys()].filter(
        (axis) => typeof declared[axis] === 'string' && dims[axis] === rows,
      );
      const named = free.filter((axis) => names.has(String(declared[axis])));
      const found = named.length === 1 ? named : free;
      if (found.length === 1) return [name, found[0]!];
      const what = `got ${formatDims(dims)}, declared ${formatDims(declared)}, expected the axis of the batch of ${rows}`;
      throw new RnnError('INVALID_ARGUMENT', `options.batchAxis.${name}`, what);
    }),
  );
}

/** Each row of a tensor `times` times, one after the other. */
export function repeatedRows({ type, dims, data }: Tensor, axis: number, times: number): Tensor {
  const [outer, rows] = [sizeOf(dims.slice(0, axis)), dims[axis]!];
  const inner = sizeOf(dims.slice(axis + 1));
  const result = allocate(type, data.length * times);
  for (let block = 0; block < outer * rows; block++) {
    const row = data.subarray(block * inner, (block + 1) * inner);
    for (let n = 0; n < times; n++) result.set(row as never, (block * times + n) * inner);
  }
  return { type, dims: dims.with(axis, rows * times), data: result } as Tensor;
}
