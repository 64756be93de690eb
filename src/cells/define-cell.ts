// Makes a cell of the caller's own from its declaration, checked: a mistake is named here, and not by a
// shader compiler.
import { RnnError } from '../errors.ts';
import { ACTIVATIONS } from './activations.ts';
import { phaseOf } from './cell.ts';
import type { Cell, CellParameter, CellPhase, CellReduction, StepInput, Vectors } from './cell.ts';

/** A phase of a step, see {@link CellDefinition}. */
export interface PhaseDefinition<Gate extends string = string> {
  /** Name of its WGSL function; `cell` by default. */
  readonly name?: string;
  /** Gates whose rows of R are multiplied; none where left out. */
  readonly product?: readonly Gate[];
  /** The vector that they multiply: the output state by default, or a value the phase before passes. */
  readonly of?: string;
  /** Gates whose W·x + b the function reads: those of the product by default, or all without one. */
  readonly inputs?: readonly Gate[];
  /** Values of each unit that the next phase reads. The last phase passes none. */
  readonly passes?: readonly string[];
  /** Sums over all units of a row, made before the function is called; not in a phase with a product. */
  readonly reductions?: readonly CellReduction[];
  /** Functions of the cell library that the WGSL calls; all of them by default. */
  readonly calls?: readonly string[];
  /** The arithmetic of one unit: a WGSL function, see {@link CellPhase.wgsl} for its arguments. */
  readonly wgsl: string;
}

/** A number per unit that is the recurrent bias of a gate, so that the layer takes it from B and not from P. */
export interface ParameterDefinition<
  Parameter extends string = string,
  Gate extends string = string,
> {
  /** What the step and the WGSL call it. */
  readonly name: Parameter;
  /** The gate whose recurrent bias it is. */
  readonly recurrentBias: Gate;
}

/** What {@link defineCell} takes. */
export interface CellDefinition<
  Gate extends string = string,
  State extends string = string,
  Parameter extends string = string,
> {
  /** What its layers are called, `cell` by default. */
  readonly name?: string;
  /** Row blocks of W, R and B, in this order. */
  readonly gates: readonly Gate[];
  /** Any number of states. The first is the output, and what R multiplies. */
  readonly states: readonly State[];
  /** Default activations by ONNX name, which the WGSL calls as `act0`, `act1` …; none by default. */
  readonly activations?: readonly string[];
  /** Numbers per unit besides the gates, in the order of the input P [D, K·H]; none by default. */
  readonly parameters?: readonly (Parameter | ParameterDefinition<Parameter, Gate>)[];
  /** Parts of a step: one, or more where a product or a reduction needs what all units made before. */
  readonly phases: readonly PhaseDefinition<Gate>[];
  /** The step of one batch row in float64: every state after it, [H] each. */
  readonly step: (
    input: Omit<StepInput, 'x' | 'state' | 'parameters'> & {
      readonly x: Readonly<Record<Gate, Float64Array>>;
      readonly state: Readonly<Record<State, Float64Array>>;
      readonly parameters: Readonly<Record<Parameter, Float64Array>>;
    },
  ) => Readonly<Record<State, Float64Array>>;
}

/** Functions that the WGSL of a phase may call. */
const LIBRARY = ['clipGate', 'sigmoid', 'safeTanh', 'softplus'];

/** Names that the kernels declare besides those of a cell. */
const TAKEN = new Set(
  (
    'Gates State Parameters Passed Sums Place params instance iteration main loadX loadState loadH ' +
    'loadParameters loadPassed loadInput loadOperand storeState storeH storePassed storeOutput storeY yAt timeOf isLive ' +
    'lengthOf isNan orNan maxNan minNan toGates toInputs reduceUnits sumOverWorkgroup sumParts sumOfSlices sumOfSubgroup partial ' +
    'hShared passedShared hVector passedVector'
  ).split(' '),
);

// https://www.w3.org/TR/WGSL/#keyword-summary and #reserved-words, as far as they are likely names.
const RESERVED = new Set(
  (
    'alias break case const const_assert continue continuing default diagnostic discard else enable ' +
    'false fn for if let loop override requires return struct switch true var while NULL Self abstract ' +
    'active as async await become cast catch class co_await common compile concept cond constexpr ' +
    'constructor debugger decltype def delete demote do dynamic_cast enum explicit export extends extern ' +
    'external fallthrough filter final finally friend from fxgroup get goto groupshared handle ' +
    'highp impl implements import inline instanceof interface layout lowp macro match mediump meta mod ' +
    'module move mut mutable namespace new nil noexcept noinline nointerpolation null of operator package ' +
    'packoffset pass patch pixelfragment precise precision premerge priv protected pub public readonly ' +
    'ref regardless register reinterpret_cast require resource restrict self set shared sizeof smooth snorm ' +
    'static std subroutine super target template this thread_local throw trait try type typedef typeid ' +
    'typename typeof union unless unorm unsafe unsized use using varying virtual volatile wgsl where with ' +
    'writeonly yield'
  ).split(' '),
);

const invalid = (path: string, got: unknown, expected: string): RnnError =>
  new RnnError('INVALID_ARGUMENT', path, `got ${String(got)}, expected ${expected}`);

/** Refuses names that are no identifiers of WGSL, or there twice. */
function checkNames(names: readonly unknown[], path: string, atLeast = 0): void {
  if (!Array.isArray(names) || names.length < atLeast) {
    throw invalid(path, names, `${atLeast} names or more`);
  }
  names.forEach((name, i) => {
    const isName = typeof name === 'string' && /^[a-z][a-z0-9_]*$/i.test(name);
    if (!isName || name.includes('__') || RESERVED.has(name)) {
      throw invalid(`${path}[${i}]`, name, 'a name that WGSL accepts for a variable');
    }
    if (names.indexOf(name) !== i)
      throw invalid(`${path}[${i}]`, `${name} again`, 'each name once');
  });
}

/**
 * Makes a recurrent cell of your own, which runs on every backend, in streams and snapshots too. Declare
 * its gates, states and parameters, and write a step twice: in float64 for the reference, and in WGSL,
 * one function a phase, for the GPU. Layers of it are made by `recurrent`.
 *
 * @throws RnnError `INVALID_ARGUMENT` with the path of the mistake, `cell.phases[0].product[1]`
 * @example
 * ```ts
 * // minGRU (https://arxiv.org/abs/2410.01201): the gates do not see h, so there is no product.
 * const minGru = defineCell({
 *   name: 'min_gru',
 *   gates: ['z', 'h'],
 *   states: ['h'],
 *   phases: [{
 *     calls: ['sigmoid'],
 *     wgsl: `fn cell(x: Gates, before: State) -> State {
 *       let z = sigmoid(x.z);
 *       return State((1.0 - z) * before.h + z * x.h);
 *     }`,
 *   }],
 *   step: ({ x, state }) => ({
 *     h: state.h.map((h, j) => {
 *       const z = 1 / (1 + Math.exp(-x.z[j]!));
 *       return (1 - z) * h + z * x.h[j]!;
 *     }),
 *   }),
 * });
 * const model = await loadModel(sequential([recurrent({ cell: minGru, W, B })]));
 * ```
 */
export function defineCell<
  const Gate extends string,
  const State extends string,
  const Parameter extends string = never,
>(definition: CellDefinition<Gate, State, Parameter>): Cell {
  const { name = 'cell', gates, states, activations = [], parameters = [], step } = definition;
  checkNames([name], 'cell.name');
  checkNames(gates, 'cell.gates', 1);
  checkNames(states, 'cell.states', 1);
  if (typeof step !== 'function') throw invalid('cell.step', typeof step, 'a function');
  activations.forEach((activation, i) => {
    if (!Object.hasOwn(ACTIVATIONS, activation)) {
      throw invalid(
        `cell.activations[${i}]`,
        activation,
        'the name of an activation, such as Tanh',
      );
    }
  });
  const declared = parameters.map((parameter): CellParameter =>
    typeof parameter === 'string' ? { name: parameter } : parameter,
  );
  checkNames(
    declared.map((parameter) => parameter.name),
    'cell.parameters',
  );
  const own = declared.filter(({ recurrentBias }) => recurrentBias === undefined);
  if (own.length > 0 && own.length < declared.length) {
    throw invalid('cell.parameters', 'both kinds', 'parameters from P only, or from B only');
  }
  declared.forEach(({ recurrentBias }, i) => {
    if (recurrentBias !== undefined && !gates.includes(recurrentBias as Gate)) {
      throw invalid(`cell.parameters[${i}].recurrentBias`, recurrentBias, gates.join(', '));
    }
  });
  const phases = definition.phases.map((phase, index, all) => {
    const checked = checkedPhase(definition, phase, index, activations.length);
    // The kernels read the vector of a product from the start of what is passed.
    const first = all[index + 1]?.of;
    const rest = checked.passes.filter((value) => value !== first);
    return { ...checked, passes: rest.length < checked.passes.length ? [first!, ...rest] : rest };
  });
  if (phases.length === 0) throw invalid('cell.phases', 'none', 'one or more');
  checkNames(
    phases.flatMap((phase) => [phase.name, ...phase.reductions.map((sum) => sum.name)]),
    'cell.phases',
  );
  return {
    name,
    gates,
    states,
    activations,
    parameters: () => declared,
    phases: () => phases,
    step: step as (input: StepInput) => Vectors,
  };
}

/** A phase of a definition with its defaults, held against the rest of the definition. */
function checkedPhase(
  { gates, states, phases }: CellDefinition,
  phase: PhaseDefinition,
  index: number,
  activations: number,
): CellPhase {
  const path = `cell.phases[${index}]`;
  const isLast = index === phases.length - 1;
  const { product = [], passes = [], reductions = [] } = phase;
  const acts = Array.from({ length: activations }, (_, k) => `act${k}`);
  const known = [...LIBRARY, ...acts];
  const oneOf = (values: readonly string[], choices: readonly string[], at: string): void =>
    values.forEach((value, i) => {
      if (!choices.includes(value)) throw invalid(`${at}[${i}]`, value, choices.join(', '));
    });
  const filled = phaseOf(gates, states[0]!, { name: 'cell', calls: known, ...phase });
  if (TAKEN.has(filled.name)) throw invalid(`${path}.name`, filled.name, 'a name of its own');
  oneOf(product, gates, `${path}.product`);
  oneOf(filled.inputs, gates, `${path}.inputs`);
  oneOf(filled.calls, known, `${path}.calls`);
  checkNames(passes, `${path}.passes`);
  const before = phases[index - 1]?.passes ?? [];
  oneOf([filled.of], [states[0]!, ...before], `${path}.of`);
  if (isLast !== (passes.length === 0)) {
    const expected = isLast ? 'none from the last phase' : 'one or more values';
    throw invalid(`${path}.passes`, passes.length, expected);
  }
  if (product.length > 0 && reductions.length > 0) {
    throw invalid(`${path}.reductions`, reductions.length, 'none in a phase with a product');
  }
  if (typeof phase.wgsl !== 'string') throw invalid(`${path}.wgsl`, typeof phase.wgsl, 'WGSL');
  return filled;
}
