// Which kernels the recurrent layers of a plan have, and why no others, as text.
import type { Plan, Selection } from './types.ts';

/**
 * Prints the selections of a plan: under each layer or stack the candidate that was selected, the others by
 * cost, and those that the device cannot run with the reason. Empty for a plan without recurrent layers.
 *
 * @example
 * ```text
 * recurrent kernels, costs in time steps of the adapter's best step kernel
 *   graph.nodes[0] Recurrent 'lstm_0'
 *     step-split-k: 80, selected
 *     step-plain: 256
 *     persistent-registers: 2 KB of workgroup memory, the device has 1 KB
 * ```
 */
export function formatSelections({ selections }: Plan): string {
  if (selections.length === 0) return '';
  return [
    `recurrent kernels, costs in time steps of the adapter's best step kernel`,
    ...selections.flatMap(selectionLines),
  ].join('\n');
}

function selectionLines({ labels, selected, candidates }: Selection): string[] {
  const known = candidates.map((candidate) => ({ ...candidate, why: candidate.refusal() }));
  const possible = known
    .filter(({ why }) => why === undefined)
    .toSorted(
      (a, b) => a.cost - b.cost || Number(b.name === selected) - Number(a.name === selected),
    );
  const refused = known.filter(({ why }) => why !== undefined);
  return [
    `  ${labels.join(' + ')}`,
    ...possible.map(({ name, cost }) => {
      const mark = name === selected ? ', selected' : '';
      return `    ${name}: ${Number(cost.toPrecision(3))}${mark}`;
    }),
    ...refused.map(({ name, why }) => `    ${name}: ${why}`),
  ];
}
