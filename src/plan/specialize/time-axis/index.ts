// What a stream of a graph must carry, and what cannot be computed chunk by chunk.
import { RnnError } from '../../../errors.ts';
import { recurrentAttributes, type Node } from '../../../graph.ts';
import { chooseTime, dependenceOf, follow, showTime, type Tried } from './choose.ts';
import type { Followed, Refusal } from './follow.ts';
import { ALTERNATIVES, type ChunkMode, type TimeAnalysis, type TimeRequest } from './registry.ts';
import type { Carry } from './tag.ts';

const NOTHING: TimeAnalysis = { carries: new Map(), multiple: 1, time: new Map() };

function refuse({ path, op, name, why }: Pick<Refusal, 'path' | 'op' | 'name' | 'why'>): never {
  const what = `a stream cannot compute ${op} '${name}' chunk by chunk: it ${why}. Instead, ${ALTERNATIVES}`;
  throw new RnnError('UNSUPPORTED_OPERATOR', path, what);
}

/** The same, with nodes computed within the chunk wherever they, or what reads them, cannot be carried. */
function independent(request: TimeRequest, tried: Tried): Followed {
  const asIs = new Set<string>();
  for (let { followed } = tried; ;) {
    const added = followed.refusals.flatMap(({ margins }) => margins).filter((x) => !asIs.has(x));
    if (added.length === 0) return followed;
    for (const path of added) asIs.add(path);
    followed = follow(request, tried.candidate, asIs)!.followed;
  }
}

/**
 * Says how to stream a graph.
 *
 * @throws RnnError `UNSUPPORTED_OPERATOR` naming the node that needs the whole sequence and what to do
 *   instead; `INVALID_ARGUMENT` where nothing tells which axis is time
 */
export function analyseTime(request: TimeRequest, mode: ChunkMode): TimeAnalysis {
  const tried = chooseTime(request);
  if (!tried) {
    const found = mode === 'exact' ? dependenceOf(request) : undefined;
    if (!found) return NOTHING;
    throw new RnnError(
      'INVALID_ARGUMENT',
      'options.timeAxis',
      `nothing tells which axis of the inputs is time, and the model does not compute each step by itself ` +
        `along ${showTime(found.candidate)}: ${found.node}. A stream would carry nothing: say which axis ` +
        'is time, stream({ timeAxis: { input: axis } }), name the state that the model takes and gives, ' +
        "stream({ state: { output: 'input' } }), or accept it, stream({ chunks: 'independent' })",
    );
  }
  const followed = mode === 'exact' ? tried.followed : independent(request, tried);
  const [first] = followed.refusals;
  if (mode === 'exact' && first) refuse(first);
  const { carries, multiple } = followed;
  return { carries, multiple: mode === 'exact' ? multiple : 1, time: tried.candidate.time };
}

/**
 * Says which recurrent layers to carry in a graph that takes and gives its state itself. Everything else is
 * computed as it is on each chunk, which the model is made for.
 *
 * @param own indices of layers that begin from zeros or constants at each call
 * @throws RnnError `UNSUPPORTED_OPERATOR` for such a layer that needs the whole sequence;
 *   `INVALID_ARGUMENT` where nothing tells whether it runs along time
 */
export function analyseOwnLayers(request: TimeRequest, own: readonly number[]): TimeAnalysis {
  if (own.length === 0) return NOTHING;
  const tried = chooseTime(request);
  const carries = new Map<number, Carry>();
  const plain = tried ?? follow(request, { symbol: undefined, time: new Map() });
  for (const index of own) {
    const node = request.graph.nodes[index]!;
    const path = `graph.nodes[${index}]`;
    const layer = tried?.followed.layers.find((each) => each.path === path);
    if (tried && layer && layer.relation !== 'lost') {
      const carry = tried.followed.carries.get(index);
      if (carry?.kind === 'state') carries.set(index, carry);
      else if (layer.relation === 'along') {
        refuse(tried.followed.refusals.find((each) => each.path === path) ?? whole(path, node));
      }
    } else if (!plain || stepsOf(plain, path) < 2) {
      throw new RnnError(
        'INVALID_ARGUMENT',
        'options.carry',
        `nothing tells whether '${node.name}' at ${path} runs along time: name the layers to carry, ` +
          'stream({ state, carry: [...] }), or the axis of time, stream({ state, timeAxis })',
      );
    }
  }
  return { ...NOTHING, carries, time: tried?.candidate.time ?? NOTHING.time };
}

const whole = (path: string, { op, name }: Node): Omit<Refusal, 'margins'> => ({
  path,
  op,
  name,
  why: 'needs the whole sequence',
});

/** Steps that a layer runs over. */
function stepsOf({ chunks }: Tried, path: string): number {
  const found = chunks.first.list.find((item) => item.path === path);
  return found ? found.inputs[0]!.dims[recurrentAttributes(found.node).layout]! : 0;
}
