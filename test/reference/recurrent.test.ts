// What ONNX Runtime cannot be asked: layouts, masks, projections, and how the features combine.
// Each is held against a plainer layer that must give the same numbers.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CELLS, type CellName } from '../../src/cells/index.ts';
import type { Graph, RecurrentAttributes } from '../../src/graph.ts';
import type { HostValue } from '../../src/ops/index.ts';
import { runReference } from '../../src/reference.ts';
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { evaluateCase } from '../support/operator-case.ts';
import { exampleOf, expectForAll, oneOf } from '../support/property.ts';
import { recurrentCases, type RecurrentCase } from '../support/random-recurrent.ts';
import { SEED } from '../support/settings.ts';

const cells = Object.keys(CELLS) as CellName[];
const EXACT = { atol: 1e-12 };

const run = ({ graph, feeds }: Pick<RecurrentCase, 'graph' | 'feeds'>): Map<string, HostValue> =>
  runReference(graph, feeds);

/** Numbers in another order of the axes. */
function transposed({ dims, data }: Tensor | HostValue, perm: readonly number[]): HostValue {
  const input = tensor(Float64Array.from(data as Float32Array), dims);
  return evaluateCase({ op: 'Transpose', inputs: [input], attributes: { perm } })[0]!;
}

/** The same layer under other attributes, inputs or feeds. */
function altered(
  { graph, feeds, config, label }: RecurrentCase,
  change: {
    readonly attributes?: Partial<RecurrentAttributes>;
    readonly inputs?: Readonly<Record<number, string>>;
    readonly feeds?: Readonly<Record<string, Tensor>>;
    readonly constants?: Readonly<Record<string, Tensor>>;
  },
): RecurrentCase {
  const [node] = graph.nodes;
  const inputs = node!.inputs.map((name, slot) => change.inputs?.[slot] ?? name);
  const all = { ...feeds, ...change.feeds };
  const kept = Object.fromEntries(Object.entries(all).filter(([name]) => inputs.includes(name)));
  const next: Graph = {
    ...graph,
    inputs: Object.entries(kept).map(([name, { type, dims }]) => ({ name, type, dims })),
    constants: new Map([...graph.constants, ...Object.entries(change.constants ?? {})]),
    nodes: [{ ...node!, inputs, attributes: { ...node!.attributes, ...change.attributes } }],
  };
  return { graph: next, feeds: kept, config, label };
}

describe.each(cells)(`%s, seed ${SEED}`, (cell) => {
  const lstm = cell === 'lstm';
  const all = [true, true, lstm] as const;

  it('layout 1 is layout 0 with batch and time exchanged', () =>
    expectForAll(recurrentCases({ cell, layout: 0, outputs: all }), 30, (plain) => {
      const feeds: Record<string, Tensor> = {};
      for (const [name, value] of Object.entries(plain.feeds)) {
        const { type, dims } = value;
        const turned = transposed(value, [[], [0], [1, 0], [1, 0, 2]][dims.length]!);
        feeds[name] = dims.length < 2 ? value : tensor([...turned.data], turned.dims, type);
      }
      const results = run(altered(plain, { attributes: { layout: 1 }, feeds }));
      for (const [name, want] of run(plain)) {
        const got = transposed(results.get(name)!, name === 'Y' ? [1, 2, 0, 3] : [1, 0, 2]);
        expect(got.dims).toEqual(want.dims);
        expectClose(got.data, want.data, { ...EXACT, label: plain.label });
      }
    }));

  it('a mask that ends early is a length', () => {
    const [T, B] = [5, 4];
    const fixed = { cell, T, B, layout: 0, mask: undefined, maskedOutput: 'zero' } as const;
    const layers = recurrentCases({ ...fixed, packed: true, outputs: all });
    return expectForAll(layers, 30, (plain) => {
      const { lengths } = plain.config;
      const mask = Array.from({ length: T * B }, (_, k) =>
        Number(Math.floor(k / B) < lengths![k % B]!),
      );
      const feeds = { mask: tensor(Uint8Array.from(mask), [T, B], 'bool') };
      const masked = run(altered(plain, { inputs: { 4: '', 8: 'mask' }, feeds }));
      for (const [name, want] of run(plain)) {
        expectClose(masked.get(name)!.data, want.data, { ...EXACT, label: plain.label });
      }
    });
  });

  it.each(['zero', 'repeat'] as const)(
    'steps under a mask might as well not be there: %s',
    (maskedOutput) => {
      const T = 6;
      const fixed = { cell, T, B: 1, layout: 0, lengths: undefined, maskedOutput } as const;
      const layers = recurrentCases({ ...fixed, masked: true, outputs: all });
      return expectForAll(layers, 30, (masked) => {
        const { I, hidden, projected, direction, mask } = masked.config;
        const kept = [...mask!.keys()].filter((t) => mask![t] === 1);
        const x = masked.feeds['X']!.data as Float32Array;
        const shorter = kept.flatMap((t) => [...x.subarray(t * I, (t + 1) * I)]);
        const dense = run(
          altered(masked, {
            inputs: { 8: '' },
            feeds: { X: tensor(shorter, [kept.length, 1, I]) },
          }),
        );
        const results = run(masked);
        const D = direction === 'bidirectional' ? 2 : 1;
        const O = projected || hidden;
        for (let d = 0; d < D; d++) {
          const reversed = direction === 'reverse' || d === 1;
          let last = new Float64Array(O);
          for (let k = 0; k < T; k++) {
            const t = reversed ? T - 1 - k : k;
            const at = kept.indexOf(t);
            const Y = dense.get('Y')!.data;
            if (at >= 0) last = Y.slice((at * D + d) * O, (at * D + d + 1) * O);
            const want = at >= 0 || maskedOutput === 'repeat' ? last : new Float64Array(O);
            const got = results.get('Y')!.data.subarray((t * D + d) * O, (t * D + d + 1) * O);
            expectClose(got, want, { ...EXACT, label: `${masked.label}: step ${t}` });
          }
        }
        for (const name of lstm ? ['Y_h', 'Y_c'] : ['Y_h']) {
          expectClose(results.get(name)!.data, dense.get(name)!.data, {
            ...EXACT,
            label: masked.label,
          });
        }
      });
    },
  );

  it('a step counts when both mask and length say so', () => {
    const [T, B] = [5, 3];
    const fixed = { cell, T, B, layout: 0, packed: true, masked: true } as const;
    const layers = recurrentCases({ ...fixed, maskedOutput: 'zero', outputs: all });
    return expectForAll(layers, 10, (both) => {
      const { mask, lengths } = both.config;
      const narrowed = mask!.map((value, k) => (Math.floor(k / B) < lengths![k % B]! ? value : 0));
      const feeds = { mask: tensor(Uint8Array.from(narrowed), [T, B], 'bool') };
      const one = run(altered(both, { inputs: { 4: '' }, feeds }));
      for (const [name, want] of run(both)) expectClose(one.get(name)!.data, want.data, EXACT);
    });
  });

  it('past its length a row is zero even where masked steps repeat', () => {
    const fixed = { cell, T: 3, B: 1, layout: 0, direction: 'forward', hidden: 2 } as const;
    const { graph, feeds } = exampleOf(
      recurrentCases({
        ...fixed,
        projected: 0,
        activations: CELLS[cell].activations,
        lengths: [1],
        mask: [1, 0, 0],
        maskedOutput: 'repeat',
        outputs: all,
      }),
    );
    const Y = runReference(graph, feeds).get('Y')!.data;
    expect(Y.slice(0, 2)).not.toEqual(new Float64Array(2));
    expect(Y.slice(2)).toEqual(new Float64Array(4));
  });

  it('rows of a batch do not mix', () =>
    expectForAll(
      fc.tuple(recurrentCases({ cell, B: 3, layout: 1, outputs: all }), fc.nat(2)),
      20,
      ([whole, b]) => {
        const feeds: Record<string, Tensor> = {};
        for (const [name, { type, dims, data }] of Object.entries(whole.feeds)) {
          const size = sizeOf(dims) / 3;
          feeds[name] = tensor(
            (data as Float32Array).slice(b * size, (b + 1) * size),
            [1, ...dims.slice(1)],
            type as 'float32',
          );
        }
        const alone = run(altered(whole, { feeds }));
        for (const [name, { data }] of run(whole)) {
          const size = data.length / 3;
          expectClose(alone.get(name)!.data, data.slice(b * size, (b + 1) * size), EXACT);
        }
      },
    ));

  it('T steps equal one run', () => {
    const T = 4;
    const fixed = { direction: 'forward', layout: 0, lengths: undefined, mask: undefined } as const;
    const states = { initialH: true, initialC: lstm, outputs: all };
    return expectForAll(recurrentCases({ cell, ...fixed, ...states, T }), 20, (whole) => {
      const { B, I } = whole.config;
      const x = whole.feeds['X']!.data as Float32Array;
      let state = { ...whole.feeds };
      const Y: number[] = [];
      for (let t = 0; t < T; t++) {
        const X = tensor(x.slice(t * B * I, (t + 1) * B * I), [1, B, I]);
        const results = run(altered(whole, { feeds: { ...state, X } }));
        Y.push(...results.get('Y')!.data);
        const next = (name: string): Tensor => {
          const { dims, data } = results.get(name)!;
          return tensor(Float32Array.from(data), dims);
        };
        state = { ...state, initialH: next('Y_h'), ...(lstm && { initialC: next('Y_c') }) };
      }
      // The state passes through float32 between the steps.
      expectClose(Y, run(whole).get('Y')!.data, { atol: 1e-5, label: whole.label });
    });
  });

  it('no steps: Y is empty and the state is the initial one', () => {
    const empty = exampleOf(
      recurrentCases({
        cell,
        T: 0,
        layout: 0,
        lengths: undefined,
        mask: undefined,
        initialH: true,
        initialC: lstm,
        outputs: all,
      }),
    );
    const results = run(empty);
    expect(results.get('Y')!.dims[0]).toBe(0);
    expectClose(results.get('Y_h')!.data, empty.feeds['initialH']!.data as Float32Array, EXACT);
    if (lstm)
      expectClose(results.get('Y_c')!.data, empty.feeds['initialC']!.data as Float32Array, EXACT);
  });

  it('float64 all the way: no rounding between the steps', () => {
    const config = { cell, direction: 'forward', hidden: 1, layout: 0, T: 2, B: 1, I: 1 } as const;
    const { graph, feeds } = exampleOf(
      recurrentCases({
        ...config,
        projected: 0,
        activations: CELLS[cell].activations,
        outputs: all,
        mask: undefined,
        lengths: undefined,
      }),
    );
    const { data } = runReference(graph, feeds).get('Y')!;
    expect(data.some((value) => value !== Math.fround(value))).toBe(true);
  });
});

describe('projection', () => {
  it('is the plain layer with R · projection for R', () => {
    const H = 5;
    const layers = oneOf(['forward', 'reverse'] as const).chain((direction) =>
      fc.integer({ min: 1, max: H }).chain((projected) =>
        recurrentCases({
          cell: 'lstm',
          hidden: H,
          projected,
          initialH: false,
          outputs: [true, true, true],
          direction,
        }),
      ),
    );
    return expectForAll(layers, 20, (layer) => {
      const { projected } = layer.config;
      const [R, P] = [layer.graph.constants.get('R')!, layer.graph.constants.get('projection')!];
      const float64 = (value: Tensor): Tensor =>
        tensor(Float64Array.from(value.data as Float32Array), value.dims);
      const merged = evaluateCase({ op: 'MatMul', inputs: [float64(R), float64(P)] })[0]!;
      // Rounded to float32, as weights are.
      const plain = run(
        altered(layer, {
          inputs: { 9: '' },
          constants: { R: tensor(Float32Array.from(merged.data), merged.dims) },
        }),
      );
      const h = plain.get('Y')!.data;
      const Y = Array.from({ length: h.length / H }, (_, row) =>
        Array.from({ length: projected }, (__, o) => {
          const weights = (P.data as Float32Array).subarray(o * H, (o + 1) * H);
          return weights.reduce((sum, w, j) => sum + w * h[row * H + j]!, 0);
        }),
      ).flat();
      const results = run(layer);
      expectClose(results.get('Y')!.data, Y, { atol: 1e-5, label: layer.label });
      expectClose(results.get('Y_c')!.data, plain.get('Y_c')!.data, {
        atol: 1e-5,
        label: layer.label,
      });
    });
  });
});
