// What to measure: read from the form, written to the URL, and back.
import type { Settings } from './messages.ts';
import { OPPONENTS } from './messages.ts';

type Form = HTMLFormElement;
const NUMBERS = ['batch', 'steps', 'layers', 'seconds'] as const;

const inputs = (form: Form, name: string): HTMLInputElement[] => [
  ...form.querySelectorAll<HTMLInputElement>(`input[name=${name}]`),
];
const ticked = (form: Form, name: string): string[] =>
  inputs(form, name)
    .filter(({ checked }) => checked)
    .map(({ value }) => value);

/** What the form says. */
export function readForm(form: Form): Settings {
  const number = (name: string): number => inputs(form, name)[0]!.valueAsNumber;
  const opponents = ticked(form, 'opponents');
  return {
    cell: ticked(form, 'cell')[0] === 'gru' ? 'gru' : 'lstm',
    hidden: ticked(form, 'hidden').map(Number),
    batch: number('batch'),
    steps: number('steps'),
    layers: number('layers'),
    bidirectional: inputs(form, 'bidirectional')[0]!.checked,
    opponents: OPPONENTS.filter((name) => opponents.includes(name)),
    seconds: number('seconds'),
  };
}

/** Fills the form from a query. What the query leaves out, or has wrong, stays as it is. */
export function fillForm(form: Form, query: URLSearchParams): void {
  for (const name of ['hidden', 'opponents']) {
    const wanted = query.get(name)?.split(',');
    if (!wanted) continue;
    for (const input of inputs(form, name)) input.checked = wanted.includes(input.value);
  }
  for (const input of inputs(form, 'cell')) {
    if (query.get('cell') === input.value) input.checked = true;
  }
  for (const name of NUMBERS) {
    const value = query.get(name);
    const input = inputs(form, name)[0]!;
    const before = input.value;
    if (value === null) continue;
    input.value = value;
    if (!input.validity.valid) input.value = before;
  }
  const both = query.get('bidirectional');
  if (both !== null) inputs(form, 'bidirectional')[0]!.checked = both === '1';
}

/** The query that says the same; commas stay commas, for people read it. */
export function queryOf({ hidden, opponents, bidirectional, ...rest }: Settings): string {
  const query = new URLSearchParams({
    cell: rest.cell,
    hidden: hidden.join(','),
    batch: String(rest.batch),
    steps: String(rest.steps),
    layers: String(rest.layers),
    bidirectional: bidirectional ? '1' : '0',
    opponents: opponents.join(','),
    seconds: String(rest.seconds),
  });
  return `?${query.toString().replaceAll('%2C', ',')}`;
}
