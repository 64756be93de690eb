// Waiting for a device in Node: the main thread rests where that takes long, and only then.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { restWhile } from '../src/rest.ts';

const rest = vi.spyOn(Atomics, 'wait');
afterEach(() => rest.mockClear());

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('restWhile', () => {
  test('rests while work takes long, lets others go on, and ends with the work', async () => {
    let turns = 0;
    const count = setInterval(() => turns++, 2);
    const work = after(60);
    restWhile(work);
    await work;
    clearInterval(count);
    expect(rest.mock.calls.length).toBeGreaterThan(20);
    expect(turns).toBeGreaterThan(5);
    await nextTurn();
    rest.mockClear();
    await after(20);
    expect(rest).not.toHaveBeenCalled();
  });

  test('does not rest over what is quickly done, again and again', async () => {
    for (let i = 0; i < 50; i++) {
      const work = nextTurn();
      restWhile(work);
      await work;
    }
    expect(rest.mock.calls.length).toBeLessThan(5); // a pause of the machine may look like long work
  });

  test('goes on while any of several is pending, and work that fails ends as well', async () => {
    const failing = after(5).then(() => Promise.reject(new Error('lost')));
    const works = [failing, after(30)];
    for (const work of works) restWhile(work);
    await expect(failing).rejects.toThrow('lost');
    rest.mockClear();
    await works[1];
    expect(rest).toHaveBeenCalled();
    await nextTurn();
    rest.mockClear();
    await after(10);
    expect(rest).not.toHaveBeenCalled();
  });
});
