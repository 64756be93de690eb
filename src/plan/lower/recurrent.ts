// A recurrent layer as dispatches: state in, then for each chunk of time steps the input projection
// of all of them at once and the recurrence, then state out.
import type { Kernel } from '../../../shaders/kernel.ts';
import { gridOf } from '../../../shaders/kernel.ts';
import { PERSISTENT_STEPS, persistentKernel } from '../../../shaders/recurrent/persistent.ts';
import { projectKernel, projectSpan } from '../../../shaders/recurrent/project.ts';
import { paddedHidden, paddedOutput } from '../../../shaders/recurrent/spec.ts';
import type { RecurrentSpec } from '../../../shaders/recurrent/spec.ts';
import {
  gatherWeights,
  packState,
  STATE_LANES,
  unpackState,
} from '../../../shaders/recurrent/state.ts';
import { stepKernel, stepPhases } from '../../../shaders/recurrent/step.ts';
import { CELLS, findActivation } from '../../cells/index.ts';
import { directionsOf, recurrentAttributes } from '../../graph.ts';
import { isFloat } from '../../tensor.ts';
import { chooseProject, chooseRecurrent } from '../choose.ts';
import type { Lower, Lowering, PlanValue } from '../lowering.ts';
import { packFoldedBias, packInputBias, packProduct, packRun, productSize } from '../pack.ts';
import type { ProductLayout, Source } from '../pack.ts';
import type { BufferId, Dispatch } from '../types.ts';
import { MAX_LOOP_STEPS } from '../types.ts';

/** Bytes that the hoisted gates of one chunk of time steps may take: it bounds memory for any T. */
const CHUNK_BYTES = 16 * 1024 * 1024;

type Pack = (source: Source, out: Float32Array | Uint32Array) => void;

/** Input slots of a `Recurrent` node, see RECURRENT_INPUTS. */
const [X, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P, MASK, PROJECTION] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
];

function specOf({ node, inputs, wanted }: Lowering): RecurrentSpec {
  const a = recurrentAttributes(node);
  const cell = CELLS[a.cell];
  const variant = {
    coupled: a.coupled,
    resetAfter: a.resetAfter,
    peepholes: inputs[P] !== undefined,
  };
  const unfolded = cell.gates.filter((_, g) => !cell.foldsBias(g, variant));
  const each = cell.activations.length;
  const mask = inputs[MASK];
  return {
    gates: cell.gates,
    hasC: cell.hasC,
    variant,
    phases: cell.phases(variant),
    hidden: a.hidden,
    projected: inputs[PROJECTION] !== undefined,
    output: inputs[PROJECTION]?.dims[1] ?? a.hidden,
    direction: a.direction,
    activations: Array.from({ length: directionsOf(a) }, (_, d) =>
      a.activations.slice(d * each, (d + 1) * each).map((name, k) => ({
        name: findActivation(name)!,
        alpha: a.alphas[d * each + k]!,
        beta: a.betas[d * each + k]!,
      })),
    ),
    clip: a.clip,
    extra: [...(variant.peepholes ? ['p_i', 'p_o', 'p_f'] : []), ...unfolded.map((g) => `rb_${g}`)],
    hasLengths: inputs[LENGTHS] !== undefined,
    mask: mask && (isFloat(mask.type) ? 'f32' : 'i32'),
    maskedOutput: a.maskedOutput,
    writesY: wanted(0),
  };
}

/** Brings weights into a layout: once on the host for constants, by a dispatch for others. */
function packed(
  l: Lowering,
  value: PlanValue | undefined,
  layout: string,
  size: number,
  packs: readonly Pack[],
): BufferId {
  if (value === undefined) return l.weight(`zeros#${size}`, size, () => new Float32Array(size));
  if (value.constant) {
    return l.weight(`${value.name}#${layout}`, size, () => {
      const source = value.tensor?.data ?? value.host!.data;
      return packs
        .map((pack) => {
          const out = new Float32Array(size);
          pack(source as unknown as Source, out);
          return out;
        })
        .reduce((sum, part) => sum.map((v, i) => v + part[i]!));
    });
  }
  const elements = value.dims.reduce((n, dim) => n * dim, 1);
  const key = `map#${layout}#${value.dims.join('x')}#${size}`;
  const map = l.weight(key, size * packs.length, () => {
    const from = Uint32Array.from({ length: elements }, (_, i) => i + 1);
    const maps = new Uint32Array(size * packs.length);
    packs.forEach((pack, j) => pack(from, maps.subarray(j * size, (j + 1) * size)));
    return maps;
  });
  const out = l.scratch(size, layout);
  const kernel = gatherWeights(packs.length);
  l.dispatch(
    kernel,
    gridOf(size, STATE_LANES),
    { source: l.bufferOf(value), map, out },
    { n: size },
  );
  return out;
}

function product(l: Lowering, slot: number, layout: ProductLayout): BufferId {
  const key = `product:${layout.blocks.join(',')}:${layout.tile}`;
  return packed(l, l.inputs[slot], key, productSize(layout), [
    (source, out) => packProduct(source, layout, out),
  ]);
}

/** Vectors of `extra`: peepholes, then biases that cannot be folded, [D, names, H]. */
function extraVectors(l: Lowering, spec: RecurrentSpec, directions: number): BufferId | undefined {
  if (spec.extra.length === 0) return undefined;
  const { hidden, gates } = spec;
  const peepholes = l.inputs[P];
  if (peepholes !== undefined) {
    // [D, 3·H] in the order i, o, f is already the layout of `extra`.
    return packed(l, peepholes, 'peepholes', directions * 3 * hidden, [
      (source, out) =>
        packRun(source, { directions, stride: 3 * hidden, offset: 0, count: 3 * hidden }, out),
    ]);
  }
  const gate = gates.indexOf(spec.extra[0]!.slice('rb_'.length));
  const width = gates.length * hidden;
  const run = { directions, stride: 2 * width, offset: width + gate * hidden, count: hidden };
  return packed(l, l.inputs[B], `bias:${gate}`, directions * hidden, [
    (source, out) => packRun(source, run, out),
  ]);
}

/** True for an initial state that is certainly zero. */
function isZero(value: PlanValue | undefined): boolean {
  return value === undefined || (value.host?.data.every((v) => v === 0) ?? false);
}

/** Lowers a `Recurrent` node. */
export const lowerRecurrent: Lower = (l) => {
  const a = recurrentAttributes(l.node);
  const cell = CELLS[a.cell];
  const spec = specOf(l);
  const directions = directionsOf(a);
  const x = l.inputs[X]!;
  const [steps, rows] = a.layout === 0 ? [x.dims[0]!, x.dims[1]!] : [x.dims[1]!, x.dims[0]!];
  const inputs = x.dims[2]!;
  const { hidden, output } = spec;
  const columns = spec.gates.length * hidden;
  const [op, hp] = [paddedOutput(spec), paddedHidden(spec)];
  const choice = chooseRecurrent(spec, rows, steps, l.device, l.options.recurrentKernel);
  const project = chooseProject(rows * Math.min(steps, MAX_LOOP_STEPS), columns, l.device);
  const span = projectSpan(project);

  // Weights.
  const w = product(l, W, {
    directions,
    sourceRows: columns,
    blocks: [0],
    units: columns,
    tile: span,
    width: inputs,
  });
  const hasBias = l.inputs[B] !== undefined;
  const folds = (g: number): boolean => cell.foldsBias(g, spec.variant);
  const bias = hasBias
    ? packed(l, l.inputs[B], `bias:${spec.variant.resetAfter}`, directions * columns, [
        (source, out) => packInputBias(source, directions, columns, out),
        (source, out) => packFoldedBias(source, directions, columns, hidden, folds, out),
      ])
    : undefined;
  const unitsOf = choice.kernel === 'step' ? choice.tile.units : choice.tile.lanes;
  const phases = stepPhases(spec);
  const recurrent = phases.map((phase) => {
    const projection = phase === 'projection';
    const units = projection ? output : hidden;
    return product(l, projection ? PROJECTION : R, {
      directions,
      sourceRows: projection ? output : columns,
      blocks: projection ? [0] : phase.gates,
      units,
      tile: unitsOf,
      width: projection || phase.operand === 'u' ? hidden : output,
    });
  });
  const extra = extraVectors(l, spec, directions);

  // State.
  const hPart = directions * rows * op;
  const size = hPart + (spec.hasC ? directions * rows * hp : 0);
  let state = l.scratch(size, 'state');
  const parts = [
    { slot: INITIAL_H, out: 1, width: output, padded: op, offset: 0 },
    ...(spec.hasC ? [{ slot: INITIAL_C, out: 2, width: hidden, padded: hp, offset: hPart }] : []),
  ].map((part) => ({
    ...part,
    grid: gridOf(directions * rows * part.padded, STATE_LANES),
    uniforms: {
      rows,
      directions,
      width: part.width,
      padded: part.padded,
      offset: part.offset,
      batchFirst: a.layout,
    },
  }));
  // A layer that begins from zero needs no state brought in, unless there is no step to make one.
  const fromZero = steps > 0 && parts.every(({ slot }) => isZero(l.inputs[slot]));
  for (const { slot, grid, uniforms } of fromZero ? [] : parts) {
    if (isZero(l.inputs[slot])) l.dispatch(packState(false), grid, { state }, uniforms);
    else l.dispatch(packState(true), grid, { tensor_: l.read(slot), state }, uniforms);
  }

  // Time.
  const y = spec.writesY ? l.write(0) : undefined;
  const [xT, xB] = a.layout === 0 ? [rows * inputs, inputs] : [inputs, steps * inputs];
  const yD = a.layout === 0 ? rows * output : output;
  const yT = directions * output * (a.layout === 0 ? rows : 1);
  const yB = a.layout === 0 ? output : steps * directions * output;
  const [maskT, maskB] = a.layout === 0 ? [rows, 1] : [1, steps];
  const perStep = directions * rows * columns * 4;
  const most = Math.min(
    MAX_LOOP_STEPS,
    PERSISTENT_STEPS,
    Math.max(1, Math.floor(CHUNK_BYTES / perStep)),
  );
  const chunk = Math.min(steps, most > 1 ? most - (most % 2) : 1);
  const xw = l.scratch((chunk * perStep) / 4, 'gates');
  const conditions = {
    ...(spec.hasLengths && { lengths: l.read(LENGTHS) }),
    ...(spec.mask && { mask: l.read(MASK) }),
  };
  const projectGates = projectKernel(spec, inputs, project, hasBias);
  const persistent =
    choice.kernel === 'persistent' ? persistentKernel(spec, choice.tile) : undefined;
  const tile = choice.kernel === 'step' ? choice.tile : undefined;
  const stepKernels = tile ? phases.map((phase, i) => stepKernel(spec, phase, i, tile)) : [];
  let next = tile && steps > 0 ? l.scratch(size, 'next state') : undefined;
  const u =
    phases.length > 1 ? l.scratch(2 * directions * rows * hp, 'between products') : undefined;
  const available = { x: l.read(X), w, b: bias, xw, extra, y, u, uNext: u, ...conditions };

  /** Buffers and uniforms of a kernel by the names it declares. */
  const dispatch = (
    kernel: Kernel,
    grid: readonly [number, number, number],
    own: object,
    flops: number,
    values: Record<string, number>,
  ): Dispatch => {
    const all: Record<string, BufferId | undefined> = { ...available, ...own };
    return {
      kind: 'dispatch',
      label: l.path,
      kernel,
      workgroups: grid,
      buffers: Object.fromEntries(Object.keys(kernel.bindings).map((name) => [name, all[name]!])),
      uniforms: Object.fromEntries(
        Object.keys(kernel.uniforms).map((name) => [name, values[name]!]),
      ),
      flops,
    };
  };

  for (let start = 0; start < steps; start += chunk) {
    const turns = Math.min(chunk, steps - start);
    const isFirst = fromZero && start === 0;
    const values = {
      ...{ rows, steps, start, turns, maskT, maskB, yT, yB, yD, xT, xB },
      fromZero: Number(isFirst),
    };
    l.emit(
      dispatch(
        projectGates,
        [Math.ceil(columns / span), Math.ceil((turns * rows) / project.rows), directions],
        {},
        2 * turns * rows * directions * columns * inputs,
        values,
      ),
    );
    const flops = 2 * rows * directions * hidden * (columns + (spec.projected ? output : 0));
    if (persistent && choice.kernel === 'persistent') {
      const grid = [1, Math.ceil(rows / choice.tile.rows), directions] as const;
      l.emit(
        dispatch(
          persistent,
          grid,
          { r0: recurrent[0], r1: recurrent[1], state },
          turns * flops,
          values,
        ),
      );
      continue;
    }
    const turn = (from: BufferId, to: BufferId): Dispatch[] =>
      stepKernels.map((kernel, i) => {
        const units = phases[i] === 'projection' ? output : hidden;
        const grid = [
          Math.ceil(units / tile!.units),
          Math.ceil(rows / tile!.rows),
          directions,
        ] as const;
        return dispatch(
          kernel,
          grid,
          { r: recurrent[i], state: from, next: to },
          flops / phases.length,
          values,
        );
      });
    const first = Number(isFirst);
    if (isFirst) {
      const zeros = l.weight(`zeros#${size}`, size, () => new Float32Array(size));
      l.emit({ kind: 'loop', first: 0, steps: 1, even: turn(zeros, next!), odd: [] });
      [state, next] = [next!, state];
    }
    const [even, odd] = [turn(state, next!), turn(next!, state)];
    l.emit({ kind: 'loop', first, steps: turns - first, even, odd });
    // An odd number of turns leaves the state in the other buffer.
    if ((turns - first) % 2 === 1) [state, next] = [next!, state];
  }

  for (const { out, grid, uniforms } of parts) {
    if (l.wanted(out)) l.dispatch(unpackState, grid, { state, tensor_: l.write(out) }, uniforms);
  }
};
