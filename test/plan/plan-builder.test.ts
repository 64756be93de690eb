// A plan that lacks something is refused while it is made: on a device the fault would be a wrong number.
import { describe, expect, it } from 'vitest';
import { defineKernel } from '../../shaders/kernel.ts';
import { RnnError } from '../../src/errors.ts';
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
