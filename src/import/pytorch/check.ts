// Checks an architecture before anything is made of it: it may come from a JSON file.
import { RnnError } from '../../errors.ts';
import type { PyTorchArchitecture, PyTorchLayer } from './architecture.ts';
import { FUNCTIONS } from './functions.ts';

type Rule = readonly [test: (value: unknown) => boolean, expected: string];
type Rules = Readonly<Record<string, Rule>>;

/** The error for an architecture that cannot be. `path` is without the option's name. */
export function wrongArchitecture(path: string, message: string): RnnError {
  return new RnnError('INVALID_ARGUMENT', `options.architecture${path}`, message);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown, from: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= from;
const listOf =
  (test: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every(test);

const oneOf = (...values: readonly string[]): Rule => [
  (value) => values.includes(value as string),
  `one of ${values.map((value) => `'${value}'`).join(', ')}`,
];
const TEXT: Rule = [isText, 'a text'];
const BOOLEAN: Rule = [(value) => typeof value === 'boolean', 'true or false'];
const NUMBER: Rule = [(value) => Number.isFinite(value), 'a number'];
const POSITIVE: Rule = [(value) => isCount(value, 1), 'a whole number from 1 up'];
const FUNCTION: Rule = oneOf(...FUNCTIONS.keys());
const OBJECT: Rule = [isObject, 'an object'];

const MODULE: Rules = {
  name: TEXT,
  tensors: [
    (value) => isObject(value) && Object.values(value).every(isText),
    'names of tensors by their PyTorch names',
  ],
};
const RECURRENT: Rules = {
  ...MODULE,
  batchFirst: BOOLEAN,
  initialState: BOOLEAN,
  lengths: BOOLEAN,
  returnState: BOOLEAN,
  output: oneOf('sequence', 'last', 'hidden'),
  dropout: NUMBER,
};
const NORM: Rules = {
  ...MODULE,
  eps: [(value) => Number.isFinite(value) && (value as number) >= 0, 'a number from 0 up'],
  activation: FUNCTION,
};

const LAYERS: Readonly<Record<PyTorchLayer['type'], Rules>> = {
  rnn: { ...RECURRENT, nonlinearity: oneOf('tanh', 'relu') },
  lstm: RECURRENT,
  gru: RECURRENT,
  linear: { ...MODULE, activation: FUNCTION },
  embedding: MODULE,
  layerNorm: NORM,
  batchNorm1d: NORM,
  conv1d: {
    ...MODULE,
    stride: POSITIVE,
    padding: [
      (value) => isCount(value, 0) || value === 'same' || value === 'valid',
      "a whole number from 0 up, 'same' or 'valid'",
    ],
    dilation: POSITIVE,
    groups: POSITIVE,
    activation: FUNCTION,
  },
  activation: { activation: FUNCTION, alpha: NUMBER },
  permute: { dims: [listOf((value) => isCount(value, 0)), 'the axes in their new order'] },
  dropout: { p: NUMBER },
};
const REQUIRED: Readonly<Record<string, string>> = { activation: 'activation', permute: 'dims' };

const ARCHITECTURE: Rules = {
  layers: [(value) => Array.isArray(value) && value.length > 0, 'a list of layers'],
  stateDict: [(value) => isText(value) || listOf(isText)(value), 'a text or a list of texts'],
  prefix: TEXT,
  ignore: [listOf(isText), 'a list of texts'],
  batchFirst: BOOLEAN,
  nonlinearity: oneOf('tanh', 'relu'),
  initialState: BOOLEAN,
  lengths: BOOLEAN,
  input: OBJECT,
  names: OBJECT,
};
const INPUT: Rules = {
  type: oneOf('float32', 'int32', 'int64'),
  dims: [
    listOf((value) => (isText(value) && value !== '') || isCount(value, 0)),
    'a list of sizes, or names of free ones',
  ],
};
const NAME: Rule = [(value) => isText(value) && value !== '', 'a text that is not empty'];
const NAMES: Rules = { x: NAME, h0: NAME, c0: NAME, lengths: NAME, y: NAME, hn: NAME, cn: NAME };

function check(value: unknown, rules: Rules, path: string): void {
  if (!isObject(value)) throw wrongArchitecture(path, `got ${show(value)}, expected an object`);
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue;
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule === undefined) {
      const known = Object.keys(rules).join(', ');
      throw wrongArchitecture(`${path}.${key}`, `is unknown here, expected one of ${known}`);
    }
    if (!rule[0](field)) {
      throw wrongArchitecture(`${path}.${key}`, `got ${show(field)}, expected ${rule[1]}`);
    }
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 80)}'`;
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** @throws RnnError `INVALID_ARGUMENT` with a path such as `options.architecture.layers[1].name` */
export function checkArchitecture(value: PyTorchArchitecture): void {
  check(value, ARCHITECTURE, '');
  if (value.input) check(value.input, INPUT, '.input');
  if (value.names) check(value.names, NAMES, '.names');
  value.layers?.forEach((layer: unknown, i) => {
    const path = `.layers[${i}]`;
    if (!isObject(layer)) throw wrongArchitecture(path, `got ${show(layer)}, expected a layer`);
    const { type, ...fields } = layer;
    if (typeof type !== 'string' || !Object.hasOwn(LAYERS, type)) {
      const known = Object.keys(LAYERS).join(', ');
      throw wrongArchitecture(`${path}.type`, `got ${show(type)}, expected one of ${known}`);
    }
    check(fields, LAYERS[type as PyTorchLayer['type']], path);
    const required = REQUIRED[type];
    if (required !== undefined && fields[required] === undefined) {
      throw wrongArchitecture(`${path}.${required}`, `is missing, ${type} needs it`);
    }
  });
}
