// Writes what an inspection and a trial found into the page. Decides nothing.
import type { InspectedShader, Inspection } from 'webgpu-rnn';
import { byId, setText } from '../shared/dom.ts';
import { highlighted } from './highlight.ts';
import type { Trial } from './trial.ts';

const element = (id: string): HTMLElement => byId(id, HTMLElement);
const grouped = (value: number): string => value.toLocaleString('en');
const dimsText = (dims: readonly (number | string)[]): string => `[${dims.join(', ')}]`;

/** Bytes in the unit that reads best. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const [size, unit] = bytes < 1e6 ? [1e3, 'kB'] : [1e6, 'MB'];
  return `${(bytes / size).toPrecision(3)} ${unit}`;
}

/** Shows what the page is about to do, or what went wrong. */
export function showNotice(
  tone: 'plain' | 'good' | 'warning' | 'error',
  title: string,
  next = '',
): void {
  element('notice').dataset['tone'] = tone;
  setText(element('notice-title'), title);
  setText(element('notice-next'), next);
}

function pairs(list: HTMLElement, entries: readonly (readonly [string, string])[]): void {
  list.replaceChildren(
    ...entries.map(([term, words]) => {
      const [pair, dt, dd] = ['div', 'dt', 'dd'].map((name) => document.createElement(name));
      dt!.textContent = term;
      dd!.textContent = words;
      pair!.append(dt!, dd!);
      return pair!;
    }),
  );
}

/** Rows of cells, the first a heading of its row. */
function rows(id: string, lines: readonly (readonly string[])[]): void {
  const body = byId(id, HTMLTableSectionElement);
  body.replaceChildren();
  for (const [head, ...cells] of lines) {
    const row = body.insertRow();
    const th = document.createElement('th');
    th.scope = 'row';
    th.textContent = head ?? '';
    row.append(th);
    for (const text of cells) row.insertCell().textContent = text;
  }
}

/** Shows an inspection: its figures, values and layers. */
export function showInspection(file: string, bytes: number, found: Inspection): void {
  const { plan, cpu, layers, parameters } = found;
  element('found').hidden = false;
  setText(
    element('file-title'),
    found.name && found.name !== file ? `${file}: ${found.name}` : file,
  );
  pairs(element('figures'), [
    ['File', bytesText(bytes)],
    ['Parameters', `${grouped(parameters)} (${bytesText(found.bytes)})`],
    ['Layers', grouped(layers.length)],
    ['Dispatches of one run', plan ? grouped(plan.dispatches) : '–'],
    ['Operations of one run', plan ? grouped(plan.flops) : '–'],
    ['Buffers within a run', plan ? bytesText(plan.scratchBytes) : '–'],
    ['Weights on the device', plan ? bytesText(plan.weightBytes) : '–'],
    ['On the CPU', cpuText(cpu)],
  ]);
  rows('values', [
    ...found.inputs.map((info) => ['input', info.name, info.type, dimsText(info.dims), dimsText(plan?.inputs[info.name] ?? [])]), // prettier-ignore
    ...found.outputs.map((info) => ['output', info.name, info.type, dimsText(info.dims), dimsText(plan?.outputs[info.name] ?? [])]), // prettier-ignore
  ]);
  rows(
    'layers',
    layers.map((layer) => [
      kindOf(layer),
      layer.name,
      layer.shapes.map(dimsText).join(' '),
      layer.parameters > 0 ? grouped(layer.parameters) : '',
      layer.kernels.join(', '),
      layer.dispatches > 0 ? grouped(layer.dispatches) : '',
    ]),
  );
  setText(element('plan'), plan?.text ?? found.unplanned ?? '');
}

function cpuText(cpu: Inspection['cpu']): string {
  if (!cpu) return '–';
  const slow = [...new Set(cpu.withoutKernel.map(({ op }) => op))];
  const words = `${grouped(cpu.kernels)} kernels in ${grouped(cpu.calls)} calls`;
  return slow.length === 0 ? words : `${words}; ${slow.join(', ')} without a kernel`;
}

/** `Recurrent` says little: which cell, how wide, in which direction. */
function kindOf({ op, attributes }: Inspection['layers'][number]): string {
  if (op !== 'Recurrent') return op;
  const { cell, hidden, direction } = attributes;
  const suffix = direction === 'forward' ? '' : ` ${String(direction)}`;
  return `${String(cell).toUpperCase()} ${String(hidden)}${suffix}`;
}

/** Lists the kernels; variants of one are numbered. */
export function showKernelNames(shaders: readonly InspectedShader[]): void {
  const select = byId('kernel', HTMLSelectElement);
  const seen = new Map<string, number>();
  select.replaceChildren(
    ...shaders.map(({ name, source }, k) => {
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      const lines = source.trimEnd().split('\n').length;
      const title = count > 1 ? `${name} (${count})` : name;
      return new Option(`${title}, ${lines} lines`, String(k));
    }),
  );
  element('kernels').hidden = shaders.length === 0;
}

/** Shows the WGSL of a kernel. */
export function showKernel(source: string): void {
  element('wgsl').replaceChildren(...highlighted(source));
}

/** Shows what a trial found. */
export function showTrial({ backend, reason, loadMs, firstMs, medianMs, outputs }: Trial): void {
  const ms = (value: number): string => `${value.toPrecision(3)} ms`;
  element('trial').hidden = false;
  pairs(element('trial-figures'), [
    ['Backend', backend],
    ['Chosen because', reason],
    ['Load', ms(loadMs)],
    ['First run', ms(firstMs)],
    ['Median of the next 10', ms(medianMs)],
  ]);
  rows(
    'trial-outputs',
    outputs.map(({ name, type, dims, first, error }) => [
      name,
      type,
      dimsText(dims),
      first.join(', '),
      error === undefined ? 'whole numbers' : error.toExponential(1).replace('-', '−'),
    ]),
  );
}

/** Hides what was found of another model. */
export function clear(): void {
  element('found').hidden = true;
  element('trial').hidden = true;
}
