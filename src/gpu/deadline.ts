// An end to waits that a platform may never answer.
import { RnnError } from '../errors.ts';

/**
 * `work`, or `TIMEOUT` when it takes longer. The work goes on unobserved.
 *
 * @param ms milliseconds; Infinity waits for as long as it takes
 * @param what is waited for, for the message
 */
export async function within<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  if (ms === Number.POSITIVE_INFINITY) return work;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    // Timers are 32-bit: a longer one would end at once.
    const delay = Math.min(ms, 0x7fffffff);
    const error = (): RnnError =>
      new RnnError('TIMEOUT', 'device', `${what} took more than ${ms} ms (options.timeout)`);
    timer = setTimeout(() => reject(error()), delay);
  });
  work.catch(() => undefined); // it may fail after its deadline
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
