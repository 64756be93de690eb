// `webgpu-rnn inspect`: a model as a table.
import type { InspectedLayer, Inspection } from '../inspect.ts';
import { bytesText, dimsText, grouped, short, table } from './table.ts';

/** The lines of an inspection. */
export function inspectionLines(found: Inspection): readonly string[] {
  const { inputs, outputs, plan, layers } = found;
  const values = [
    ...inputs.map((info) => ({ ...info, kind: 'input', now: plan?.inputs[info.name] })),
    ...outputs.map((info) => ({ ...info, kind: 'output', now: plan?.outputs[info.name] })),
  ];
  return [
    ...table([
      ['', 'name', 'type', 'declared', ...(plan ? ['planned for'] : [])],
      ...values.map(({ kind, name, type, dims, now }) => [
        kind,
        name,
        type,
        dimsText(dims),
        ...(plan ? [now ? dimsText(now) : ''] : []),
      ]),
    ]),
    '',
    ...table(
      [
        ['layer', 'name', 'parameters', ...(plan ? ['output', 'kernels', 'runs'] : [])],
        ...layers.map((layer) => [
          kindOf(layer),
          short(layer.name),
          layer.parameters ? grouped(layer.parameters) : '',
          ...(plan
            ? [
                layer.shapes[0] ? dimsText(layer.shapes[0]) : '',
                short(layer.kernels.join(', '), 60),
                layer.dispatches ? grouped(layer.dispatches) : '',
              ]
            : []),
        ]),
      ],
      [2, 5],
    ),
    '',
    `${grouped(found.parameters)} parameters, ${bytesText(found.bytes)}`,
    ...(plan
      ? [
          `${grouped(plan.dispatches)} dispatches, ${grouped(plan.flops)} operations, ` +
            `${bytesText(plan.scratchBytes)} of scratch, ${bytesText(plan.weightBytes)} of weights ` +
            'on the device',
        ]
      : [`no plan: ${found.unplanned}`]),
    ...(found.hostInputs.length > 0
      ? [`numbers that decide what runs: ${found.hostInputs.join(', ')} (--value NAME=…)`]
      : []),
    ...found.unsupported.map(({ op, name, path }) => `not supported: ${op} '${name}' at ${path}`),
  ];
}

/** `Recurrent` says little: which cell, how wide, which way. */
function kindOf({ op, attributes }: InspectedLayer): string {
  if (op !== 'Recurrent') return op;
  const { cell, hidden, direction } = attributes;
  return `${String(cell)} ${String(hidden)}${direction === 'forward' ? '' : ` ${String(direction)}`}`;
}
