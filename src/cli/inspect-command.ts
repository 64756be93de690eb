// `webgpu-rnn inspect`: a model as a table.
import type { ValueInfo } from '../graph.ts';
import type { InspectedCpu, InspectedLayer, InspectedPlan, Inspection } from '../inspect.ts';
import { bytesText, dimsText, grouped, short, table } from './table.ts';
import { UsageError } from './usage.ts';

/** The lines of an inspection. */
export function inspectionLines(found: Inspection): readonly string[] {
  const { plan, unsupported } = found;
  return [
    ...valueTable(found),
    '',
    ...layerTable(found),
    '',
    `${grouped(found.parameters)} parameters, ${bytesText(found.bytes)}`,
    ...(plan ? planLines(found, plan) : [unplannedLine(found)]),
    ...(unsupported.length > 0
      ? ['', 'not supported:', ...unsupported.map((item) => `  ${item.op} ${placeOf(item)}`)]
      : []),
  ];
}

/** The plan of an inspection. @throws UsageError where there is none, with the reason */
export function planOf(found: Inspection): InspectedPlan {
  if (!found.plan) throw new UsageError(unplannedLine(found));
  return found.plan;
}

/**
 * The WGSL of the kernels of a plan with this name; variants of it one after another.
 *
 * @throws UsageError with the names that there are
 */
export function shaderText({ shaders }: InspectedPlan, name: string): string {
  const found = shaders.filter((shader) => shader.name === name);
  if (found.length === 0) {
    const names = [...new Set(shaders.map((shader) => shader.name))];
    throw new UsageError(`--wgsl ${name}: expected one of ${names.join(', ')}`);
  }
  return found.map(({ source }) => source.trimEnd()).join('\n\n');
}

function valueTable({ inputs, outputs, plan }: Inspection): readonly string[] {
  const values = [
    ...inputs.map((info) => ({ ...info, kind: 'input', now: plan?.inputs[info.name] })),
    ...outputs.map((info) => ({ ...info, kind: 'output', now: plan?.outputs[info.name] })),
  ];
  return table([
    ['', 'name', 'type', 'declared', ...(plan ? ['planned for'] : [])],
    ...values.map(({ kind, name, type, dims, now }) => [
      kind,
      name,
      type,
      dimsText(dims),
      ...(plan ? [now ? dimsText(now) : ''] : []),
    ]),
  ]);
}

function layerTable({ layers, plan }: Inspection): readonly string[] {
  return table(
    [
      ['layer', 'name', 'parameters', ...(plan ? ['output', 'kernels', 'runs'] : [])],
      ...layers.map((layer) => [
        plan ? kindOf(layer) : '  '.repeat(depthOf(layer)) + kindOf(layer),
        short(layer.name),
        layer.parameters ? grouped(layer.parameters) : '',
        ...(plan ? [shapesText(layer), kernelsText(layer), grouped(layer.dispatches)] : []),
      ]),
    ],
    [2, 5],
  );
}

function planLines({ layers, hostInputs, cpu }: Inspection, plan: InspectedPlan): string[] {
  return [
    `${grouped(plan.dispatches)} dispatches, ${grouped(plan.flops)} operations, ` +
      `${bytesText(plan.scratchBytes)} of scratch, ${bytesText(plan.weightBytes)} of weights ` +
      'on the device',
    ...(cpu ? cpuLines(cpu) : []),
    ...(layers.some(({ dispatches }) => dispatches === 0)
      ? ['a layer that runs nothing is a view of its input, or part of a kernel after it']
      : []),
    ...(hostInputs.length > 0
      ? [`planned for the numbers of ${hostInputs.join(', ')}: others may run something else`]
      : []),
  ];
}

function cpuLines({ kernels, withoutKernel }: InspectedCpu): string[] {
  return [
    `on the CPU: ${grouped(kernels)} kernels` +
      (withoutKernel.length > 0 ? '; without a kernel, so in slow float64 code:' : ''),
    ...withoutKernel.map((item) => `  ${item.op} ${placeOf(item)}`),
  ];
}

/** Why there is no plan, and what to say so that there is one. */
function unplannedLine({ inputs, layers, hostInputs, unsupported, ...rest }: Inspection): string {
  const why = `no plan: ${rest.unplanned}`;
  if (unsupported.length > 0) return why;
  // The path of an error is that of a layer, or within it.
  const at = layers.findLast(({ path }) => rest.unplanned!.startsWith(path));
  if (!at) return `${why}; say them: ${hostInputs.map((name) => `--value ${name}=…`).join(' ')}`;
  const free = inputs.filter(({ dims }) => dims.some((dim) => typeof dim === 'string'));
  const said = (dims: ValueInfo['dims']): string =>
    dims.map((dim) => (typeof dim === 'string' ? '…' : dim)).join('x');
  const hint = free.map(({ name, dims }) => `--dims ${name}=${said(dims)}`).join(' ');
  const remedy = hint === '' ? '' : `\nfree sizes are 1 unless they are said: ${hint}`;
  return `no plan: ${at.op} '${at.name}', ${rest.unplanned}${remedy}`;
}

const placeOf = ({ name, path }: { readonly name: string; readonly path: string }): string =>
  `'${name}' at ${path}`;

/** How many branches it stands in. */
const depthOf = ({ path }: InspectedLayer): number => path.split('.nodes[').length - 2;

/** The first output, and how many others there are. */
function shapesText({ shapes: [first, ...rest] }: InspectedLayer): string {
  if (first === undefined) return '';
  return rest.length > 0 ? `${dimsText(first)} +${rest.length}` : dimsText(first);
}

/** `recurrent-project` of a recurrent layer is `project`. */
const kernelsText = ({ kernels }: InspectedLayer): string =>
  short(kernels.map((name) => name.replace(/^recurrent-/, '')).join(', '), 64);

/** `Recurrent` says little: which cell, how wide, in which direction. */
function kindOf({ op, attributes }: InspectedLayer): string {
  if (op !== 'Recurrent') return op;
  const { cell, hidden, direction } = attributes;
  const suffix = direction === 'forward' ? '' : ` ${String(direction)}`;
  return `${String(cell).toUpperCase()} ${String(hidden)}${suffix}`;
}
