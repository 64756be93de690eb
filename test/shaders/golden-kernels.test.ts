// Kernels as files: what a device compiles, for people to read and for reviews to compare. Where a change
// is meant, `vitest run -u` writes them anew. And what holds for every kernel of the plans that are kept.
import { describe, expect, it } from 'vitest';
import { WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';
import { formatWgsl } from '../../shaders/format-wgsl.ts';
import type { Kernel } from '../../shaders/kernel.ts';
import { kernelsOf } from '../../src/plan/types.ts';
import { PLAN_CASES, planOf } from '../plan/plan-cases.ts';

const kernels = PLAN_CASES.flatMap((item) =>
  [...kernelsOf(planOf(item)).values()].map((kernel) => ({ case: item.name, kernel })),
);

const KEPT: readonly (readonly [planCase: string, kernel: string])[] = [
  ['lstm-256-dense', 'recurrent-project'],
  ['lstm-256-dense', 'recurrent-step-0'],
  ['lstm-256-batch-subgroups', 'recurrent-step-0'],
  ['rnn-32-persistent', 'recurrent-persistent'],
  ['gru-reset-before', 'recurrent-step-0'],
  ['gru-reset-before', 'recurrent-step-1'],
  ['lstm-projection-peepholes-clip-mask', 'recurrent-step-0'],
  ['lstm-projection-peepholes-clip-mask', 'recurrent-step-1'],
  ['lstm-bidirectional-lengths', 'recurrent-persistent'],
  ['lstm-stack-wavefront', 'recurrent-persistent'],
  ['lstm-bidirectional-builder-int8', 'recurrent-project'],
  ['lstm-stream-step-f16', 'recurrent-step-0'],
  ['swiftshader-batch', 'recurrent-step-0'],
  ['llvmpipe-batch-persistent', 'recurrent-persistent'],
  ['lstm-256-dense', 'matmul'],
  ['lstm-256-dense', 'softmax'],
];

describe('printed kernels', () => {
  it.each(KEPT)('%s %s', async (planCase, name) => {
    const found = kernels.find((item) => item.case === planCase && item.kernel.name === name);
    const source = formatWgsl(found!.kernel.source);
    await expect(source).toMatchFileSnapshot(`golden/${planCase}-${name}.wgsl`);
  });
});

/** Names of the functions that `main` calls, and of those that these call. */
function reachable(source: string): { all: Set<string>; called: Set<string>; unbound: string[] } {
  const reflected = new WgslReflect(source);
  const byName = new Map(reflected.functions.map((item) => [item.name, item]));
  const called = new Set<string>();
  const visit = (name: string): void => {
    if (called.has(name) || !byName.has(name)) return;
    called.add(name);
    for (const { name: callee } of byName.get(name)!.calls) visit(callee);
  };
  visit('main');
  const used = new Set(reflected.entry.compute[0]!.resources.map(({ name }) => name));
  const declared = [...reflected.storage, ...reflected.uniforms].map(({ name }) => name);
  return {
    all: new Set(byName.keys()),
    called,
    unbound: declared.filter((name) => !used.has(name)),
  };
}

describe('every kernel', () => {
  const recurrent = kernels.filter(({ kernel }) => kernel.name.startsWith('recurrent-'));

  it.each(recurrent)(
    '$kernel.name of $case prints what it calls and binds what it reads',
    (item) => {
      const { kernel }: { kernel: Kernel } = item;
      const { all, called, unbound } = reachable(kernel.source);
      expect([...all].filter((name) => !called.has(name))).toEqual([]);
      expect(unbound).toEqual([]);
      const unread = Object.keys(kernel.uniforms).filter(
        (name) => !new RegExp(`params\\.${name}\\b`).test(kernel.source),
      );
      expect(unread).toEqual([]);
    },
  );
});
