// WGSL of a cell: its functions, the structs of their arguments and results, and the functions that load and
// store these structs. It is generated because WGSL cannot index the members of a struct; the kernels that call
// it are `.wgsl` files.
import type { CellPhase } from '../../src/cells/index.ts';
import { ACTIVATIONS, type Activation } from '../../src/cells/index.ts';
import { mathFunctions } from '../math.ts';
import type { BindingType } from '../kernel.ts';
import type { Part } from '../part.ts';
import { expand, literal } from '../wgsl.ts';
import workgroupSum from './workgroup-sum.wgsl?raw';
import { instancesOf, paddedHidden, paddedOutput } from './spec.ts';
import type { RecurrentSpec } from './spec.ts';

const lines = (...parts: readonly string[]): string =>
  parts.filter((part) => part.trim() !== '').join('\n');

const struct = (name: string, members: readonly string[]): string =>
  members.length === 0 ? '' : `struct ${name} { ${members.map((m) => `${m}: f32`).join(', ')} }`;

/** A hidden unit of a batch row at a time step, counted in the recurrence and within the chunk. */
const PLACE = 'struct Place { row: u32, unit: u32, step: u32, chunkStep: u32 }';

/** The members of a struct that only some phases fill, each once. */
const union = (lists: readonly (readonly string[])[]): readonly string[] => [
  ...new Set(lists.flat()),
];
const passedNames = ({ phases }: RecurrentSpec): readonly string[] =>
  union(phases.map(({ passes }) => passes));

/** The structs of a cell and the functions of some of its phases, with those that they call. */
export function cellPart(spec: RecurrentSpec, phases: readonly CellPhase[]): Part {
  const { coupled, resetAfter, peepholes } = spec.variant;
  const flags = { COUPLED: coupled, RESET_AFTER: resetAfter, PEEPHOLES: peepholes };
  const sums = phases.flatMap(({ reductions }) => reductions.map(({ name }) => name));
  const text = phases.flatMap(({ wgsl, reductions }) => [
    ...reductions.map((reduction) => reduction.wgsl),
    wgsl,
  ]);
  return {
    wgsl: lines(
      PLACE,
      phases.length > 0 ? struct('Gates', spec.gates) : '',
      phases.length > 0 ? struct('State', spec.states) : '',
      struct('Parameters', spec.parameters),
      struct('Passed', passedNames(spec)),
      struct('Sums', sums),
      activationFunctions(spec, new Set(phases.flatMap(({ calls }) => calls))),
      ...text.map((each) => expand(each, { flags })),
    ),
  };
}

/** WGSL: `clipGate(x)`, `act0(x)` … for `instance`, and the functions of math.wgsl. */
function activationFunctions({ clip, activations }: RecurrentSpec, calls: Set<string>): string {
  const used = new Set(calls);
  const acts = activations[0]!.map((_, k): string => {
    if (!calls.has(`act${k}`)) return '';
    const [forward, backward] = activations.map((uses) => {
      const { name, alpha, beta } = uses[k]!;
      const { calls: needed = [], ...activation }: Activation = ACTIVATIONS[name];
      for (const call of needed) used.add(call);
      const or = (value: number, fallback = 0): string =>
        literal(Number.isNaN(value) ? fallback : value);
      return activation.wgsl('x', or(alpha, activation.alpha), or(beta, activation.beta));
    });
    const differs = backward !== undefined && backward !== forward;
    const other = differs ? `if (instance == 1u) { return ${backward}; } ` : '';
    return `fn act${k}(x: f32) -> f32 { ${other}return ${forward}; }`;
  });
  const limited = `orNan(clamp(x, -${literal(clip)}, ${literal(clip)}), x)`;
  const clipped = clip > 0 ? limited : 'x';
  if (clip > 0 && calls.has('clipGate')) used.add('orNan');
  const clipGate = `fn clipGate(x: f32) -> f32 { return ${clipped}; }`;
  return lines(mathFunctions(used), calls.has('clipGate') ? clipGate : '', ...acts);
}

/** `loadX`: W·x + b of the gates that a phase reads, from `xw` [D, chunkSteps, B, G·H]. */
export function projectedInputPart(
  { gates, hidden }: RecurrentSpec,
  read: readonly string[],
): Part {
  if (read.length === 0) return {};
  const values = gates.map((gate, g) => (read.includes(gate) ? `xw[at + ${g * hidden}u]` : '0.0'));
  return {
    wgsl: `fn loadX(place: Place) -> Gates {
  let line = (instance * params.chunkSteps + place.chunkStep) * params.rows + place.row;
  let at = line * ${gates.length * hidden}u + place.unit;
  return Gates(${values.join(', ')});
}`,
    bindings: { xw: 'read f32' },
    uniforms: { chunkSteps: 'u32' },
  };
}

/** `NAME`: sums of some gates as a struct, zero for the other gates, plus the bias `b` [D, G·H]. */
export function gatesFunction(
  { gates, hidden }: RecurrentSpec,
  name: string,
  summed: readonly string[],
  hasBias = false,
): string {
  const bias = (gate: string): string => ` + b[at + ${gates.indexOf(gate) * hidden}u]`;
  const values = gates.map((gate) =>
    summed.includes(gate) ? `sums[${summed.indexOf(gate)}]${hasBias ? bias(gate) : ''}` : '0.0',
  );
  const at = hasBias ? `\n  let at = instance * ${gates.length * hidden}u + unit;` : '';
  const unit = hasBias ? ', unit: u32' : '';
  return `fn ${name}(sums: array<f32, ${summed.length}>${unit}) -> Gates {${at}
  return Gates(${values.join(', ')});
}`;
}

/** `loadParameters`: the numbers of a unit, from `parameters` [D, names, H]. */
export function parametersPart({ parameters, hidden }: RecurrentSpec, reads: boolean): Part {
  if (!reads || parameters.length === 0) return { flags: { PARAMETERS: false } };
  const values = parameters.map((_, k) => `parameters[at + ${k * hidden}u]`);
  return {
    flags: { PARAMETERS: true },
    wgsl: `fn loadParameters(unit: u32) -> Parameters {
  let at = instance * ${parameters.length * hidden}u + unit;
  return Parameters(${values.join(', ')});
}`,
    bindings: { parameters: 'read f32' },
  };
}

/** How the states lie in memory: in one buffer for all of them, or in a pair of buffers for each. */
export type StateLayout = 'packed' | 'separate';

/** Which functions on states a kernel calls. */
export interface StateUse {
  readonly layout: StateLayout;
  /** Calls `loadState`, `storeState` of all states; with a projection `storeState` leaves h out. */
  readonly load: boolean;
  readonly store: boolean;
  /** Calls `loadH`, `storeH`. */
  readonly loadH: boolean;
  readonly storeH: boolean;
  /** The kernel reads and writes one buffer `state`, element by element; else `state` and `next`. */
  readonly inPlace?: boolean;
}

/**
 * The states before and after a step. Packed: `state` and `next`, h [D, B, O padded] and then each
 * other state [D, B, H padded]. Separate: `NAMEBefore` and `NAMEAfter`. h is bound as
 * vec4f, because the products read it as vec4f.
 */
export function statePart(spec: RecurrentSpec, use: StateUse): Part {
  const { states, projected } = spec;
  const { layout, inPlace = false } = use;
  const packed = layout === 'packed';
  const load = states.map((name, k) => {
    const buffer = packed ? 'state' : `${name}Before`;
    const isVector = !inPlace && (packed || k === 0);
    return isVector ? `${buffer}[at${k} >> 2u][at${k} & 3u]` : `${buffer}[at${k}]`;
  });
  const targets = states.map((name) => (packed ? (inPlace ? 'state' : 'next') : `${name}After`));
  const stores = states.map((name, k) => `${targets[k]}[at${k}] = value.${name};`);
  // A projected h has O elements. Units beyond them load the last one, which nothing reads.
  const clamped = projected ? 'min(place.unit, OUTPUT - 1u)' : 'place.unit';
  const before = stateOffsets(spec, layout, clamped);
  const after = stateOffsets(spec, layout, 'place.unit');
  const first = projected ? 1 : 0; // with a projection h is stored by the projection
  const functions = [
    use.load &&
      `fn loadState(place: Place) -> State {${before.join('')}
  return State(${load.join(', ')});
}`,
    use.store &&
      states.length > first &&
      `fn storeState(place: Place, value: State) {${after
        .filter((_, k) => k !== 1 || first === 0)
        .join('')}
  ${stores.slice(first).join('\n  ')}
}`,
    use.loadH &&
      `fn loadH(place: Place) -> f32 {${before[0]}${before[1]}
  return ${load[0]};
}`,
    use.storeH &&
      `fn storeH(place: Place, value: f32) {${after[0]}${after[1]}
  ${targets[0]}[at0] = value;
}`,
  ];
  const stored = states.filter((_, k) =>
    k === 0 ? use.storeH || (use.store && !projected) : use.store,
  );
  const read = states.filter((_, k) => use.load || (use.loadH && k === 0));
  return {
    wgsl: functions.filter((text) => text !== false).join('\n'),
    bindings: stateBindings(spec, layout, inPlace, read, stored),
    constants: {
      H_STRIDE: paddedOutput(spec),
      ...((states.length > 1 || projected) && { HIDDEN_STRIDE: paddedHidden(spec) }),
      ...(projected && { OUTPUT: spec.output }),
    },
    flags: { STORES_STATE: use.store && stored.length > 0 },
    names: { OUTPUT_STATE: states[0]! },
  };
}

function stateBindings(
  { states }: RecurrentSpec,
  layout: StateLayout,
  inPlace: boolean,
  read: readonly string[],
  stored: readonly string[],
): Record<string, BindingType | false> {
  if (inPlace) return { state: 'write f32' };
  if (layout === 'packed') {
    return {
      state: read.length > 0 && 'read vec4f',
      next: stored.length > 0 && 'write f32',
    };
  }
  const before = read.map((name): [string, BindingType] => [
    `${name}Before`,
    name === states[0] ? 'read vec4f' : 'read f32',
  ]);
  const after = stored.map((name): [string, BindingType] => [`${name}After`, 'write f32']);
  return Object.fromEntries([...before, ...after]);
}

/** WGSL: the row of a place among the rows of all instances, and then the offset of each state. */
function stateOffsets(spec: RecurrentSpec, layout: StateLayout, hUnit: string): readonly string[] {
  const [op, hp, instances] = [paddedOutput(spec), paddedHidden(spec), instancesOf(spec)];
  const offsets = spec.states.map((_, k) => {
    if (k === 0) return `\n  let at0 = line * H_STRIDE + ${hUnit};`;
    const before = instances * (op + (k - 1) * hp);
    const part = layout === 'packed' ? `params.rows * ${before}u + ` : '';
    return `\n  let at${k} = ${part}line * HIDDEN_STRIDE + place.unit;`;
  });
  return ['\n  let line = instance * params.rows + place.row;', ...offsets];
}

/**
 * `loadPassed` and `storePassed`: the values of each unit that the phase before has passed, and those
 * that this one passes, [names, D, B, H padded].
 *
 * @param projected whether this phase passes the output of the cell to the projection
 */
export function passPart(
  spec: RecurrentSpec,
  before: readonly string[],
  after: readonly string[],
  projected: boolean,
): Part {
  const size = instancesOf(spec) * paddedHidden(spec);
  const at = (k: number): string => (k === 0 ? 'at' : `at + params.rows * ${k * size}u`);
  const values = passedNames(spec).map((name) => {
    const k = before.indexOf(name);
    return k < 0 ? '0.0' : `passed[(${at(k)}) >> 2u][(${at(k)}) & 3u]`;
  });
  const stores = after.map((name, k) => `passing[${at(k)}] = value.${name};`);
  const head = 'let at = (instance * params.rows + place.row) * HIDDEN_STRIDE + place.unit;';
  const load = `fn loadPassed(place: Place) -> Passed {
  ${head}
  return Passed(${values.join(', ')});
}`;
  const store = `fn storePassed(place: Place, value: Passed) {
  ${head}
  ${stores.join('\n  ')}
}`;
  return {
    wgsl: lines(before.length > 0 ? load : '', after.length > 0 ? store : ''),
    bindings: {
      passed: before.length > 0 && 'read vec4f',
      passing: (after.length > 0 || projected) && 'write f32',
    },
    flags: { READS_PASSED: before.length > 0, PASSES: after.length > 0, PROJECTED: projected },
    constants:
      before.length > 0 || after.length > 0 || projected
        ? { HIDDEN_STRIDE: paddedHidden(spec) }
        : {},
  };
}

/** `reduceUnits`: the sums over units that a phase declares, made by the whole workgroup. */
export function reductionPart(
  spec: RecurrentSpec,
  phase: CellPhase | undefined,
  reads: Part,
  invocations: number,
): Part {
  if (!phase || phase.reductions.length === 0) return { flags: { REDUCES: false } };
  const { flags = {} } = reads;
  const args = [
    ...(phase.inputs.length > 0 ? ['loadX(place)'] : []),
    ...(flags['READS_PASSED'] ? ['loadPassed(place)'] : []),
    'sums',
  ];
  const each = phase.reductions.map(
    ({ name }) => `
  part = 0.0;
  for (var unit = thread; unit < HIDDEN; unit += INVOCATIONS) {
    let place = Place(row, unit, step, chunkStep);
    part += ${name}(${args.join(', ')});
  }
  sums.${name} = sumOverWorkgroup(part, thread);`,
  );
  return {
    flags: { REDUCES: true },
    constants: {
      HIDDEN: spec.hidden,
      INVOCATIONS: invocations,
      ROUNDS: Math.ceil(Math.log2(invocations)),
    },
    wgsl: `${workgroupSum}
fn reduceUnits(row: u32, step: u32, chunkStep: u32, thread: u32) -> Sums {
  var sums: Sums;
  var part: f32;${each.join('')}
  return sums;
}`,
  };
}
