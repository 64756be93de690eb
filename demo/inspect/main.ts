// The inspector: joins files, the library's `inspect`, a trial run and the document.
import modelUrl from '@ricky0123/vad-web/dist/silero_vad_v5.onnx?url';
import { inspect, type Inspection, type LoadOptions, RnnError, saveModel } from 'webgpu-rnn';
import { byId, setText } from '../shared/dom.ts';
import { startTheme } from '../shared/theme.ts';
import { fetchSample, type Given, readFiles } from './files.ts';
import { stackOfLstms } from './sample.ts';
import { snippetOf } from './snippet.ts';
import { tryModel } from './trial.ts';
import * as view from './view.ts';

const picker = byId('files', HTMLInputElement);
const architecture = byId('architecture', HTMLTextAreaElement);
const device = byId('device', HTMLSelectElement);
const shapes = byId('shapes', HTMLElement);
const runButton = byId('run', HTMLButtonElement);

let given: Given | undefined;
let found: Inspection | undefined;
let latest = 0; // the latest question; answers to earlier ones are dropped

/** What the visitor wrote into the fields of an input: sizes, or numbers that decide what runs. */
function fieldsOf(kind: 'dims' | 'values'): Record<string, number[]> {
  const fields = shapes.querySelectorAll<HTMLInputElement>(`input[data-kind=${kind}]`);
  return Object.fromEntries(
    [...fields]
      .filter(({ value }) => value.trim() !== '')
      .map(({ dataset, value }) => [dataset['name']!, value.split(/[\s,×x]+/).filter(Boolean).map(Number)]), // prettier-ignore
  );
}

function architectureOption(): Pick<LoadOptions, 'architecture'> {
  if (architecture.value.trim() === '') return {};
  return {
    architecture: JSON.parse(architecture.value) as NonNullable<LoadOptions['architecture']>,
  };
}

/** One field an input for its shape; one more where its numbers decide what runs. */
function showFields({ inputs, plan, hostInputs }: Inspection): void {
  const begun = given?.values ?? {};
  const fields = inputs.flatMap(({ name, dims }) => {
    const shape = plan?.inputs[name] ?? dims.map((dim) => (typeof dim === 'string' ? 1 : dim));
    const shapeField = fieldOf(
      'dims',
      name,
      `${name}: shape of [${dims.join(', ')}]`,
      shape.join(', '),
    );
    const isHost = hostInputs.includes(name);
    return [
      shapeField,
      ...(isHost
        ? [fieldOf('values', name, `${name}: numbers`, (begun[name] ?? []).join(', '))]
        : []),
    ];
  });
  shapes.replaceChildren(...fields);
}

function fieldOf(kind: string, name: string, title: string, value: string): HTMLElement {
  const label = document.createElement('label');
  const input = document.createElement('input');
  input.type = 'text';
  input.inputMode = 'numeric';
  input.value = value;
  input.dataset['kind'] = kind;
  input.dataset['name'] = name;
  input.addEventListener('change', () => void look(false));
  label.append(title, input);
  return label;
}

function explain(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const isRnn = error instanceof RnnError;
  const needsArchitecture = isRnn && error.path.startsWith('options.architecture');
  if (needsArchitecture) byId('architecture-box', HTMLDetailsElement).open = true;
  const next = needsArchitecture
    ? 'A state_dict holds weights only: describe its layers in the field below.'
    : isRnn
      ? `${error.code} at ${error.path}`
      : '';
  view.showNotice('error', message, next);
}

/** Inspects the model. `isNew` also shows the fields of its inputs. */
async function look(isNew: boolean): Promise<void> {
  if (!given) return;
  const request = ++latest;
  const { name, source, bytes } = given;
  view.showNotice('plain', `Reading ${name} …`);
  try {
    const asIs = { dims: given.dims ?? {}, values: given.values ?? {} };
    const said = isNew ? asIs : { dims: fieldsOf('dims'), values: fieldsOf('values') };
    const options = { ...architectureOption(), ...said };
    const inspection = await inspect(source, options);
    if (request !== latest) return;
    found = inspection;
    if (isNew) showFields(inspection);
    view.showInspection(name, bytes, inspection);
    const shaders = inspection.plan?.shaders ?? [];
    view.showKernelNames(shaders);
    if (shaders[0]) view.showKernel(shaders[0].source);
    setText(
      byId('snippet', HTMLElement),
      snippetOf(name, inspection, inspection.plan?.inputs ?? {}),
    );
    runButton.disabled = inspection.plan === undefined;
    tell(inspection);
  } catch (error) {
    if (request !== latest) return;
    if (isNew) view.clear();
    explain(error);
  }
}

/** Whether the model can run, and if not why. */
function tell({ unsupported, unplanned, layers, plan }: Inspection): void {
  if (unsupported.length > 0) {
    const names = [...new Set(unsupported.map(({ op }) => op))].join(', ');
    view.showNotice(
      'error',
      `Not supported: ${names}`,
      unsupported.map(({ path }) => path).join(', '),
    );
  } else if (!plan) {
    view.showNotice(
      'warning',
      `No plan: ${unplanned}`,
      'Change the shapes or give the numbers below.',
    );
  } else {
    view.showNotice(
      'good',
      'This model runs.',
      `${layers.length} layers; its plan and kernels are below.`,
    );
  }
}

async function take(load: () => Promise<Given>): Promise<void> {
  try {
    view.clear();
    runButton.disabled = true;
    given = await load();
    await look(true);
  } catch (error) {
    explain(error);
  }
}

async function run(): Promise<void> {
  if (!given || !found?.plan) return;
  const { inputs, plan } = found;
  const planned = inputs.map(({ name, type }) => ({ name, type, dims: plan.inputs[name]! }));
  runButton.disabled = true;
  view.showNotice(
    'plain',
    'Running with random numbers …',
    'The float64 reference runs too, which is slow.',
  );
  try {
    const chosen = device.value as NonNullable<LoadOptions['device']>;
    const options = { device: chosen, ...architectureOption() };
    view.showTrial(await tryModel(given, planned, fieldsOf('values'), options));
    view.showNotice('good', 'It ran.', 'Figures are below the shapes.');
  } catch (error) {
    explain(error);
  } finally {
    runButton.disabled = false;
  }
}

picker.addEventListener('change', () => {
  const files = [...(picker.files ?? [])];
  if (files.length > 0) void take(() => readFiles(files));
});
byId('sample-silero', HTMLButtonElement).addEventListener('click', () => {
  void take(async () => ({
    ...(await fetchSample('silero_vad_v5.onnx', modelUrl)),
    dims: { input: [1, 576] }, // 64 old samples, 512 new
    values: { sr: [16_000] },
  }));
});
byId('sample-lstm', HTMLButtonElement).addEventListener('click', () => {
  void take(async () => {
    const source = saveModel(stackOfLstms());
    const dims = { X: [1, 16, 40] };
    return { name: 'lstm.safetensors', source, bytes: source.length, dims };
  });
});
architecture.addEventListener('change', () => void look(true));
runButton.addEventListener('click', () => void run());
byId('kernel', HTMLSelectElement).addEventListener('change', ({ target }) => {
  const shader = found?.plan?.shaders[Number((target as HTMLSelectElement).value)];
  if (shader) view.showKernel(shader.source);
});
byId('copy', HTMLButtonElement).addEventListener('click', () => {
  const text = byId('snippet', HTMLElement).textContent;
  navigator.clipboard.writeText(text).then(
    () => view.showNotice('good', 'Copied.'),
    () => view.showNotice('warning', 'The browser refused to copy; select the text instead.'),
  );
});
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length > 0) void take(() => readFiles(files));
});
startTheme(byId('theme', HTMLSelectElement), () => {});
