// Kernels that move elements and never look at them: any 4-byte type goes through as u32.
import { type Kernel, defineKernel } from './kernel.ts';
import { perItem, walk, walkUniforms } from './walk.ts';
import { wgsl } from './wgsl.ts';

/** out[outStart + index · t] = data[dataStart + index · s] for every index of a shape of ≤ `rank` axes. */
export const copyKernel = (rank: number): Kernel =>
  defineKernel<string, string>({
    name: 'copy',
    bindings: { data: 'read u32', out: 'write u32' },
    uniforms: {
      count: 'u32',
      dataStart: 'u32',
      outStart: 'u32',
      ...walkUniforms(rank, ['s', 't']),
    },
    body: perItem(`${walk('i', rank, ['s', 't'])}
out[params.outStart + t] = data[params.dataStart + s];`),
  });

/** What a padded place holds. */
export type PadMode = 'constant' | 'edge' | 'reflect' | 'wrap';

const PLACE: Readonly<Record<PadMode, string>> = {
  constant: 'p',
  edge: 'clamp(p, 0, size - 1)',
  reflect: 'mirror(p, size)',
  wrap: 'modulo(p, size)',
};

const FOLDS = wgsl`
fn modulo(p: i32, n: i32) -> i32 { return ((p % n) + n) % n; }
fn mirror(p: i32, size: i32) -> i32 {
  let period = 2 * max(size - 1, 1);
  let at = modulo(p, period);
  return min(min(at, period - at), size - 1);
}`;

/** out[index] = data[index - before], places outside `from` by `mode`; `value` [1] holds the constant. */
export function padKernel(rank: number, mode: PadMode): Kernel {
  const axes = Array.from({ length: rank }, (_, k) => k);
  const uniforms: Record<string, 'u32' | 'i32'> = { count: 'u32' };
  for (const k of axes) {
    Object.assign(uniforms, {
      [`out${k}`]: 'u32',
      [`size${k}`]: 'i32',
      [`before${k}`]: 'i32',
      [`s${k}`]: 'u32',
    });
  }
  const constant = mode === 'constant';
  return defineKernel<string, string>({
    name: `pad-${mode}`,
    bindings: {
      data: 'read u32',
      ...(constant && { value: 'read u32' as const }),
      out: 'write u32',
    },
    uniforms,
    body: perItem(
      wgsl`
var rest = i;
var s = 0u;
var inside = true;
${axes
  .toReversed()
  .map(
    (k) => `{
  let size = params.size${k};
  let p = i32(rest % params.out${k}) - params.before${k};
  rest /= params.out${k};
  inside = inside && p >= 0 && p < size;
  s += u32(${PLACE[mode]}) * params.s${k};
}`,
  )
  .join('\n')}
#if ${constant}
if (!inside) { out[i] = value[0]; return; }
#endif
out[i] = data[s];`,
      FOLDS,
    ),
  });
}
