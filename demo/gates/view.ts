// Writes the equations, the tables and the messages of the page. Decides nothing.
import { byId, setText } from '../shared/dom.ts';
import { equationsOf, flowOf, LANES, number, valuesOf } from './equations.ts';
import { drawLines } from './lines.ts';
import { type Episode, type RecurrentWeights, type Report, UNITS } from './networks.ts';
import { CELLS, type CellName, type TaskName } from './tasks.ts';
import { say, type WordKey } from './words.ts';

const element = (id: string): HTMLElement => byId(id, HTMLElement);
const body = (id: string): HTMLTableSectionElement => byId(id, HTMLTableSectionElement);
const percent = (fraction: number): string => `${(100 * fraction).toFixed(0)} %`;

/** Smallest norm that the plot of gradients distinguishes. */
const FAINTEST = 1e-8;

/** Shows the answer of the network, or what is wrong with the sequence. */
export function showAnswer(tone: 'plain' | 'good' | 'warning' | 'error', words: string): void {
  element('notice').dataset['tone'] = tone;
  setText(element('answer'), words);
}

function headed(row: HTMLTableRowElement, text: string): HTMLTableCellElement {
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = text;
  row.append(head);
  return head;
}

/** Shows the equations of a step with the numbers of a unit, and the values of all units. */
export function showStep(
  episode: Episode,
  weights: RecurrentWeights,
  step: number,
  unit: number,
): void {
  const equations = body('equations');
  equations.replaceChildren();
  for (const { symbol, formula, numbers, value, meaning } of equationsOf(
    episode,
    weights,
    step,
    unit,
  )) {
    const row = equations.insertRow();
    const head = headed(row, '');
    const text = document.createElement('span');
    text.className = 'formula';
    text.textContent = `${symbol} = ${formula}`;
    const note = document.createElement('span');
    note.className = 'meaning';
    note.textContent = say(meaning);
    head.append(text, note);
    row.insertCell().textContent = numbers;
    row.insertCell().textContent = number(value);
  }
  showUnits(episode, step, unit);
  const { kept, written, shown } = flowOf(episode, step);
  const shares = { kept: percent(kept ?? 0), written: percent(written ?? 0) };
  const words =
    kept === undefined
      ? say('flowRnn')
      : shown === undefined
        ? say('flowGru', shares)
        : say('flowLstm', { ...shares, shown: percent(shown) });
  setText(element('flow'), words);
}

function showUnits(episode: Episode, step: number, unit: number): void {
  const lanes = LANES[episode.cell];
  const head = byId('all-head', HTMLTableRowElement);
  head.replaceChildren();
  for (const text of [say('unit'), ...lanes.map(({ symbol }) => symbol)]) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.textContent = text;
    head.append(cell);
  }
  const rows = body('all');
  rows.replaceChildren();
  for (let k = 0; k < UNITS; k++) {
    const row = rows.insertRow();
    if (k === unit) row.setAttribute('aria-current', 'true');
    headed(row, String(k + 1));
    for (const lane of lanes) {
      row.insertCell().textContent = number(valuesOf(episode, lane)[step * UNITS + k]!);
    }
  }
}

/** Draws the norms of the gradients of every cell. */
export function drawGradients(norms: Readonly<Record<CellName, Float64Array>>): void {
  drawLines(
    element('gradients'),
    CELLS.map((cell) => ({ values: norms[cell], className: `line-${cell}` })),
    {
      range: [FAINTEST, 10],
      logarithmic: true,
      ticks: [
        [1, '1'],
        [1e-2, '0.01'],
        [1e-4, '10⁻⁴'],
        [1e-6, '10⁻⁶'],
      ],
    },
  );
}

/** Says the norms at a step. */
export function showGradients(norms: Readonly<Record<CellName, Float64Array>>, step: number): void {
  const values = CELLS.map((cell) => [cell, shortly(norms[cell][step]!)] as const);
  const words = say('gradientsNow', { step: step + 1, ...Object.fromEntries(values) });
  setText(element('gradients-now'), words);
}

const shortly = (value: number): string =>
  value >= 0.01 ? value.toPrecision(2) : value.toExponential(0).replace('-', '−');

const NOTES: Readonly<Record<TaskName, WordKey>> = {
  recall: 'figuresRecall',
  count: 'figuresCount',
  signal: 'figuresSignal',
};

/** Shows what the training script found of a task. */
export function showFigures(report: Report, task: TaskName): void {
  const { figures } = report.tasks[task];
  setText(element('figures-note'), say(NOTES[task]));
  const rows = body('figures');
  rows.replaceChildren();
  for (const name of Object.keys(figures.lstm)) {
    const row = rows.insertRow();
    headed(row, task === 'signal' ? say(name as WordKey) : name);
    for (const cell of CELLS) row.insertCell().textContent = String(figures[cell][name]);
  }
}

/** Shows where the network ran. */
export function showBackend(backend: string, because: string, deviation: number): void {
  setText(element('backend'), backend);
  setText(element('because'), because);
  setText(element('deviation'), deviation.toExponential(1).replace('-', '−'));
}
