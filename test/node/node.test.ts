// The package for Node: what importing it sets up, and the switch for servers.
import { afterEach, expect, test, vi } from 'vitest';
import { environment } from '../../src/environment.ts';
import { loadModel, lstm, sequential, setSleepWhileWaiting, tensor } from '../../src/node.ts';

afterEach(() => {
  setSleepWhileWaiting(true);
  vi.restoreAllMocks();
});

const pendingFor = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('the main thread sleeps while a device works', async () => {
  const wait = vi.spyOn(Atomics, 'wait');
  // The work is pending until the thread has slept, however slow the machine is.
  let done = (): void => undefined;
  environment.restWhile!(new Promise<void>((resolve) => (done = resolve)));
  await vi.waitFor(() => expect(wait).toHaveBeenCalled(), 60_000);
  done();
});

test('setSleepWhileWaiting(false) keeps it awake', async () => {
  setSleepWhileWaiting(false);
  const wait = vi.spyOn(Atomics, 'wait');
  const work = pendingFor(20);
  environment.restWhile!(work);
  await work;
  const [H, I] = [4, 3];
  const layer = lstm({
    W: tensor(new Float32Array(4 * H * I), [1, 4 * H, I]),
    R: tensor(new Float32Array(4 * H * H), [1, 4 * H, H]),
  });
  const model = await loadModel(sequential([layer]), { device: 'webgpu' });
  await model.run({ X: tensor(new Float32Array(5 * I), [5, 1, I]) });
  model.dispose();
  expect(wait).not.toHaveBeenCalled();
});
