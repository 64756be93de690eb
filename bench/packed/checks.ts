// Checks answers on this adapter before anything is timed: our kernels against the float64 reference.
import { isRight, worstDifference } from '../answers.ts';
import { errorLine } from '../measure.ts';
import { ours } from '../node-engines.ts';
import { nameOf, shapeOf, workloadOf, type Shape } from '../shapes.ts';

/** One shape on one kernel. */
export interface Check {
  readonly shape: string;
  readonly kernel: 'step' | 'persistent' | 'chosen';
  readonly error: number | null;
  readonly failure?: string;
}

// Ones, primes, sizes next to powers of two; rows and units beyond a workgroup; both directions; stacks.
const NAMES =
  'h1-b1-t1 h5-b3-t7 h17-b2-t33-bi h32-b1-t64 h63-b5-t9 h64-b16-t16-l2-bi h100-b7-t11 h128-b1-t64 ' +
  'h128-b33-t5 h200-b4-t9-bi h255-b1-t17 h256-b16-t8 h257-b2-t5 h384-b3-t4 h512-b1-t8 h512-b64-t2 ' +
  'h1024-b2-t2 h64-b128-t4 h64-b1-t64-l3 h129-b5-t19-l4 h512-b2-t24-l2';

/** The shapes that are checked. */
export const CHECKED: readonly Shape[] = ['lstm', 'gru'].flatMap((cell) =>
  `${NAMES}${cell === 'gru' ? ' h96-b3-t12-before' : ''}`
    .split(' ')
    .map((name) => shapeOf(`${cell}-${name}`)),
);

/** Whether a check says that the answer is right. */
export const passed = ({ error }: Check): boolean => isRight(error);

/** Runs one shape on each kernel, twice: state must not leak from run to run. */
export async function check(device: GPUDevice, shape: Shape): Promise<Check[]> {
  const workload = workloadOf(shape, 7);
  const reference = await ours('reference', workload, { device: 'reference' });
  const truth = await reference.run();
  await reference.dispose();
  const checks: Check[] = [];
  for (const kernel of ['chosen', 'step', 'persistent'] as const) {
    const options = kernel !== 'chosen' && { recurrentKernel: kernel };
    try {
      const engine = await ours('webgpu-rnn', workload, { device, ...options });
      const worst = Math.max(
        worstDifference(await engine.run(), truth),
        worstDifference(await engine.run(), truth),
      );
      await engine.dispose();
      checks.push({ shape: nameOf(shape), kernel, error: Number.isFinite(worst) ? worst : null });
    } catch (error) {
      checks.push({ shape: nameOf(shape), kernel, error: null, failure: errorLine(error) });
    }
  }
  return checks;
}
