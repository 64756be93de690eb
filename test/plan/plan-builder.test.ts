// A plan that lacks something is refused while it is made: on a device the fault would be a wrong number.
import { describe, expect, it } from 'vitest';
import { defineKernel } from '../../shaders/kernel.ts';
import { RnnError } from '../../src/errors.ts';
import { assignSlots } from '../../src/plan/arena.ts';
import { DEFAULT_PROFILE } from '../../src/plan/select/device-profile.ts';
import { PlanBuilder } from '../../src/plan/plan-builder.ts';
import type { Dispatch } from '../../src/plan/types.ts';

const kernel = defineKernel({
  name: 'scale',
  bindings: { x: 'read f32', y: 'write f32' },
  uniforms: { count: 'u32', factor: 'f32' },
  body: '@compute @workgroup_size(64) fn main() {}',
});

/** A builder with two buffers, and a dispatch that is complete but for `change`. */
function emit(change: Partial<Dispatch>, inLoop = false): void {
  const builder = new PlanBuilder(DEFAULT_PROFILE);
  const [x, y] = [builder.scratch(4, 'x'), builder.scratch(4, 'y')];
  const dispatch: Dispatch = {
    kind: 'dispatch',
    label: 'graph.nodes[0]',
    kernel,
    workgroups: [1, 1, 1],
    buffers: { x, y },
    uniforms: { count: 4, factor: 2 },
    flops: 4,
    ...change,
  };
  builder.emit(inLoop ? { kind: 'loop', first: 0, steps: 2, even: [], odd: [dispatch] } : dispatch);
}

describe('a dispatch', () => {
  it('that is complete is taken', () => {
    expect(() => emit({})).not.toThrow();
  });

  it.each([
    ['lacks a buffer', { buffers: { x: 0 } }, "no buffer is bound to 'y'"],
    ['names a buffer that is not there', { buffers: { x: 0, y: 7 } }, "no buffer is bound to 'y'"],
    ['lacks a uniform', { uniforms: { count: 4 } }, "uniform 'factor', got undefined"],
    ['has a uniform that is no number', { uniforms: { count: 4, factor: Number.NaN } }, 'got NaN'],
    [
      'has a broken grid',
      { workgroups: [1, Number.NaN, 1] as const },
      'workgroups, got [1, NaN, 1]',
    ],
  ])('that %s is refused with its node, in a loop as well', (_, change, message) => {
    for (const inLoop of [false, true]) {
      let thrown: unknown;
      try {
        emit(change as Partial<Dispatch>, inLoop);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(RnnError);
      expect(thrown).toMatchObject({ code: 'INTERNAL', path: 'graph.nodes[0]' });
      expect(String(thrown)).toContain(message);
    }
  });
});

/** A builder with two states of one number each, and the content of buffers after its copies have run. */
function withStates() {
  const builder = new PlanBuilder(DEFAULT_PROFILE);
  const state = (name: string): number => {
    const value = { name, type: 'float32', dims: [1], constant: false } as const;
    builder.input(value, true);
    return builder.valueOf(value).buffer!;
  };
  const [a, b] = [state('a'), state('b')];
  const run = (outputs: readonly number[]) => {
    const named = outputs.map((buffer) => {
      return { name: `y${buffer}`, type: 'float32' as const, dims: [1], buffer };
    });
    const plan = builder.finish(named, assignSlots);
    const memory = new Map([
      [a, 'a before'],
      [b, 'b before'],
    ]);
    for (const command of plan.commands) {
      if (command.kind === 'copy') memory.set(command.to, memory.get(command.from)!);
    }
    const results = plan.outputs.map((output) => 'buffer' in output && memory.get(output.buffer));
    return { states: [memory.get(a), memory.get(b)], results };
  };
  return { builder, a, b, run };
}

describe('states at the end of a plan', () => {
  it('that are exchanged both have the number that the other had', () => {
    const { builder, a, b, run } = withStates();
    builder.feedback(a, b, 4);
    builder.feedback(b, a, 4);
    expect(run([]).states).toEqual(['b before', 'a before']);
  });

  it('that are outputs too are given as they were before the copies', () => {
    const { builder, a, b, run } = withStates();
    builder.feedback(a, b, 4);
    expect(run([a, b])).toEqual({
      states: ['a before', 'a before'],
      results: ['a before', 'b before'],
    });
  });
});
