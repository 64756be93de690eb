// Errors on their way through postMessage, JSON and minifiers.
import { expect, test } from 'vitest';
import { RnnError } from '../src/index.ts';

const error = new RnnError('SHAPE_MISMATCH', 'feeds.X', 'got 2, expected 3', { cause: 'nothing' });

test.each([
  ['JSON', () => JSON.parse(JSON.stringify(error)) as unknown],
  ['postMessage', () => structuredClone(error.toJSON()) as unknown],
])('through %s and back', (_, sent) => {
  const received = RnnError.from(sent());
  expect(received).toBeInstanceOf(RnnError);
  expect(received).toMatchObject({ code: 'SHAPE_MISMATCH', path: 'feeds.X', name: 'RnnError' });
  expect(received.message).toBe('feeds.X: got 2, expected 3');
  expect(received.stack).toBe(error.stack);
  expect(RnnError.from(received.toJSON()).message).toBe(error.message);
});

test('an error through postMessage by MessageChannel', async () => {
  const { port1, port2 } = new MessageChannel();
  const arrived = new Promise((resolve) => {
    port2.addEventListener('message', ({ data }) => resolve(data));
    port2.start();
  });
  port1.postMessage(error.toJSON());
  expect(RnnError.from(await arrived).code).toBe('SHAPE_MISMATCH');
  port1.close();
});

test.each([
  ['an RnnError that has lost its class', structuredClone(error)],
  ['another error', new TypeError('no')],
  ['a text', 'no'],
  ['nothing', undefined],
  ['an unknown code', { name: 'RnnError', code: 'NO_SUCH', path: '', message: 'no' }],
])('%s becomes INTERNAL, with it as the cause', (_, other) => {
  const made = RnnError.from(other);
  expect(made).toBeInstanceOf(RnnError);
  expect(made.code).toBe('INTERNAL');
  expect(made.cause).toBe(other);
});

test('an RnnError stays the one it is', () => expect(RnnError.from(error)).toBe(error));

test('the name does not depend on what a minifier calls the class', () => {
  // Minifiers rename the binding, which is what gives a class its name.
  expect(Object.getOwnPropertyDescriptor(RnnError, 'name')).toMatchObject({ value: 'RnnError' });
  expect(Object.hasOwn(RnnError.prototype, 'name')).toBe(true);
  expect(error.stack).toMatch(/^RnnError: feeds\.X: got 2/);
  expect(String(error)).toBe('RnnError: feeds.X: got 2, expected 3');
});
