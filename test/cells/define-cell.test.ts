// What a declaration of a cell may not say, and where the fault is.
import { afterAll, describe, expect, it } from 'vitest';
import { CELLS } from '../../src/cells/index.ts';
import { PLAIN_VARIANT } from '../../src/cells/index.ts';
import { defineCell, loadModel, recurrent, sequential } from '../../src/index.ts';
import type { CellDefinition, RnnError } from '../../src/index.ts';
import { getFullDevice } from '../setup/gpu.ts';
import { minGru } from './proof-cells.ts';

const device = await getFullDevice();
afterAll(() => device.destroy());

const GOOD: CellDefinition = {
  gates: ['a', 'b'],
  states: ['h', 'm'],
  activations: ['Tanh'],
  parameters: ['gain'],
  phases: [
    { name: 'first', product: ['a'], passes: ['u'], wgsl: '' },
    { name: 'second', product: ['b'], of: 'u', wgsl: '' },
  ],
  step: ({ state }) => state,
};
const [first, second] = GOOD.phases as [(typeof GOOD.phases)[0], (typeof GOOD.phases)[0]];

const faultOf = (change: object): RnnError | undefined => {
  try {
    defineCell({ ...GOOD, ...change } as CellDefinition);
    return undefined;
  } catch (error) {
    return error as RnnError;
  }
};

describe('defineCell', () => {
  it('fills in what a declaration leaves out', () => {
    const cell = defineCell(GOOD);
    expect(cell.name).toBe('cell');
    expect(cell.parameters(PLAIN_VARIANT)).toEqual([{ name: 'gain' }]);
    expect(cell.phases(PLAIN_VARIANT)[1]).toEqual({
      name: 'second',
      product: ['b'],
      of: 'u',
      inputs: ['b'],
      passes: [],
      reductions: [],
      calls: ['clipGate', 'sigmoid', 'safeTanh', 'softplus', 'act0'],
      wgsl: '',
    });
    expect(minGru.phases(PLAIN_VARIANT)[0]!.inputs).toEqual(['z', 'h']);
  });

  it('puts what the next phase multiplies first, where the kernels read it', () => {
    const passes = ['keep', 'u'];
    const cell = defineCell({ ...GOOD, phases: [{ ...first, passes }, second] });
    expect(cell.phases(PLAIN_VARIANT)[0]!.passes).toEqual(['u', 'keep']);
  });

  it.each([
    [{ gates: [] }, 'cell.gates'],
    [{ gates: ['a', 'a', 'b'] }, 'cell.gates[1]'],
    [{ gates: ['a', 'b', 'new'] }, 'cell.gates[2]'],
    [{ states: ['h', '2nd'] }, 'cell.states[1]'],
    [{ states: ['h', '__m'] }, 'cell.states[1]'],
    [{ name: 'for' }, 'cell.name[0]'],
    [{ activations: ['tanh?'] }, 'cell.activations[0]'],
    [{ parameters: ['ref'] }, 'cell.parameters[0]'],
    [{ parameters: [{ name: 'r', recurrentBias: 'x' }] }, 'cell.parameters[0].recurrentBias'],
    [{ parameters: ['p', { name: 'r', recurrentBias: 'a' }] }, 'cell.parameters'],
    [{ step: undefined }, 'cell.step'],
    [{ phases: [] }, 'cell.phases'],
    [{ phases: [{ ...first, product: ['x'] }, second] }, 'cell.phases[0].product[0]'],
    [{ phases: [{ ...first, inputs: ['x'] }, second] }, 'cell.phases[0].inputs[0]'],
    [{ phases: [{ ...first, calls: ['erf'] }, second] }, 'cell.phases[0].calls[0]'],
    [{ phases: [{ ...first, passes: [] }, second] }, 'cell.phases[0].passes'],
    [{ phases: [first, { ...second, passes: ['v'] }] }, 'cell.phases[1].passes'],
    [{ phases: [first, { ...second, of: 'm' }] }, 'cell.phases[1].of[0]'],
    [{ phases: [{ ...first, name: 'main' }, second] }, 'cell.phases[0].name'],
    [{ phases: [first, { ...second, name: 'first' }] }, 'cell.phases[1]'],
    [{ phases: [{ ...first, wgsl: 7 }, second] }, 'cell.phases[0].wgsl'],
    [
      { phases: [first, { ...second, reductions: [{ name: 'sum', wgsl: '' }] }] },
      'cell.phases[1].reductions',
    ],
  ])('refuses %o at %s', (change, path) => {
    expect(faultOf(change)).toMatchObject({ code: 'INVALID_ARGUMENT', path });
  });

  it('would take every cell of the formats', () => {
    for (const cell of Object.values(CELLS)) {
      for (const resetAfter of [false, true]) {
        const variant = { ...PLAIN_VARIANT, resetAfter, peepholes: !resetAfter };
        const parameters = cell.parameters(variant) as CellDefinition['parameters'];
        const definition = { ...cell, parameters, phases: cell.phases(variant) };
        expect(() => defineCell(definition as CellDefinition)).not.toThrow();
      }
    }
  });

  it('a layer of it wants just the weights that the cell declares', async () => {
    const W = [[1], [1]];
    const build = (options: object) => () =>
      sequential([recurrent({ cell: minGru, W, ...options })]);
    expect(build({})).not.toThrow();
    expect(build({ R: W })).toThrow('layers[0].R');
    expect(build({ P: [1] })).toThrow('layers[0].P');
    const cell = defineCell(GOOD);
    expect(() => sequential([recurrent({ cell, W })])).toThrow('layers[0].R');
    expect(() => sequential([recurrent({ cell, W, R: W })])).toThrow('layers[0].P');
    expect(() => sequential([recurrent({ cell, W, R: W, P: [1, 2] })])).toThrow('layers[0].P');
  });

  it('a step that does not compile says the line', async () => {
    const phases = [{ wgsl: 'fn cell(x: Gates, before: State) -> State { return nothing; }' }];
    const cell = defineCell({ gates: ['a'], states: ['h'], phases, step: ({ state }) => state });
    const model = await loadModel(sequential([recurrent({ cell, W: [[1]] })]), { device });
    const X = { type: 'float32', dims: [1, 1, 1], data: new Float32Array(1) } as const;
    await expect(model.run({ X })).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringContaining("unresolved value 'nothing'"),
    });
    model.dispose();
  });
});
