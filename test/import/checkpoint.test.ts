// Files of torch.save: what PyTorch wrote comes out as PyTorch reads it, and nothing in a pickle is called that is
// not on the list.
import { describe, expect, it, test } from 'vitest';
import { loadModel } from '../../src/index.ts';
import type { PyTorchArchitecture } from '../../src/index.ts';
import { readCheckpoint } from '../../src/import/pytorch/checkpoint.ts';
import { readSafetensors } from '../../src/import/safetensors.ts';
import { importModel } from '../../src/import/index.ts';
import { expectClose } from '../support/close.ts';
import {
  archiveOf,
  checkpoint,
  global,
  int,
  pickle,
  tensorOf,
  text,
  withTensor,
  type PicklePart,
} from './checkpoint-files.ts';

const read = (bytes: Uint8Array, stateDict?: PyTorchArchitecture['stateDict']) =>
  readCheckpoint(bytes, 'f', { stateDict });

describe('files that PyTorch wrote', () => {
  it.each([
    ['net.pt', 'net'],
    ['net-legacy.pth', 'net'],
    ['net-protocol4.pt', 'net'],
    ['strided.pt', 'strided'],
    ['strided-legacy.pth', 'strided'],
    ['training.pt', 'training'],
  ])('%s has the tensors that PyTorch reads', async (file, dense) => {
    const expected = readSafetensors(checkpoint(`${dense}.safetensors`));
    expect(expected.size).toBeGreaterThan(3);
    expect(await read(checkpoint(file))).toEqual(expected);
  });

  it.each(['net.pt', 'net-legacy.pth'])('%s gives the numbers of PyTorch', async (file) => {
    const io = readSafetensors(checkpoint('net.io.safetensors'));
    const expected = io.get('0.out.y')!;
    const model = await loadModel(checkpoint(file), { device: 'js' });
    const { y } = await model.run({ x: io.get('0.in.x')! });
    expect(y!.dims).toEqual(expected.dims);
    // Sums of at most 8 products of order one in float32.
    expectClose(y!.data, expected.data as Float32Array, { atol: 1e-6 });
    model.dispose();
  });

  it('dense tensors are views of the file', async () => {
    const file = checkpoint('net.pt');
    const tensors = await read(file);
    for (const { data } of tensors.values()) expect(data.buffer).toBe(file.buffer);
  });

  it('of several state_dicts one is asked for, at any depth', async () => {
    const file = checkpoint('averaged.pt');
    await expect(read(file)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'options.architecture.stateDict',
      message: expect.stringMatching(/'ema', 'raw'/),
    });
    expect((await read(file, 'ema')).size).toBe(4);
    expect((await read(file, ['model', 'net'])).size).toBe(4);
    await expect(read(file, ['model', 'nets'])).rejects.toThrow(/no 'nets' there, got 'net'/);
    await expect(read(file, 'model')).rejects.toThrow(/got a dict in f, expected/);
    const architecture = { stateDict: 'raw' };
    const graph = await importModel(new Map([['m.pt', file]]), { architecture });
    expect(graph.inputs).toMatchObject([{ name: 'x', dims: ['T', 'B', 3] }]);
  });

  it('a state_dict under one key is found, and its optimizer is not', async () => {
    const tensors = await read(checkpoint('training.pt'));
    expect([...tensors.keys()]).toContain('weight_hh_l0');
    expect((await read(checkpoint('training.pt'), 'model_state_dict')).size).toBe(tensors.size);
  });

  test('the option is refused for safetensors', async () => {
    const files = new Map([['m.safetensors', checkpoint('net.safetensors')]]);
    const architecture = { stateDict: 'net' };
    await expect(importModel(files, { architecture })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'options.architecture.stateDict',
    });
  });

  it.each([
    ['module.pt', /"torch\.nn\.modules\.rnn\.GRU", which is not called/],
    ['script.pt', /a TorchScript archive/],
  ])('%s is refused', async (file, says) => {
    await expect(read(checkpoint(file))).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      message: expect.stringMatching(says),
    });
  });
});

describe('tensors by hand', () => {
  it('uint16 of version 3, whose storage has bytes', async () => {
    const file = withTensor(
      { version: 'v3', type: 'UntypedStorage', count: 4, dims: [2] },
      Uint8Array.of(1, 0, 0, 255),
    );
    expect((await read(file)).get('w')).toEqual({
      type: 'uint16',
      dims: [2],
      data: Uint16Array.of(1, 0xff00),
    });
  });

  it('an OrderedDict of pairs, as Python 2 wrote it', async () => {
    const pair = Buffer.concat([
      Buffer.from(']('),
      Buffer.of(0x55, 1, 0x77),
      tensorOf(),
      Buffer.from('e'),
    ]);
    const file = archiveOf(pickle(global('collections', 'OrderedDict'), ']', pair, 'a', 0x85, 'R'));
    expect([...(await read(file)).keys()]).toEqual(['w']);
  });

  it.each<[string, Parameters<typeof withTensor>[0]]>([
    ['beyond the end', { dims: [5] }],
    ['from an offset', { offset: 1 }],
    ['by a stride', { dims: [2, 2], strides: [3, 1] }],
    ['by a stride that rounds', { dims: [2], strides: [2 ** 30] }],
  ])('reach %s of their storage and are refused', async (_, options) => {
    await expect(read(withTensor(options))).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      path: 'f.w',
      message: expect.stringMatching(/reaches beyond its storage/),
    });
  });

  it.each<[string, Parameters<typeof withTensor>[0], RegExp]>([
    ['a storage of another size', { count: 5 }, /a storage of 16 bytes, expected 20/],
    ['another number of strides', { dims: [2, 2] }, /other strides than sizes/],
    ['a negative size', { dims: [-1] }, /damaged pickle/],
    ['complex numbers', { type: 'ComplexFloatStorage' }, /"torch\.ComplexFloatStorage"/],
    ['a bool that is neither', { type: 'BoolStorage', count: 16 }, /expected 0 or 1/],
  ])('with %s are refused', async (_, options, says) => {
    await expect(read(withTensor(options))).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      message: expect.stringMatching(says),
    });
  });

  it('that repeat four numbers to many bytes are refused before they are allocated', async () => {
    const huge = withTensor({ dims: [2 ** 14, 2 ** 14], strides: [0, 0] });
    await expect(read(huge)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const endless = withTensor({ dims: [2 ** 30, 2 ** 30], strides: [0, 0] });
    await expect(read(endless)).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringMatching(/maxElements/),
    });
  });
});

describe('pickles that could run code', () => {
  const call = (...parts: readonly PicklePart[]) => archiveOf(pickle(...parts));

  it.each([
    ['os.system', call(global('os', 'system'), text('true'), 0x85, 'R')],
    ['builtins.eval', call(global('builtins', 'eval'), text('1'), 0x85, 'R')],
    ['posix.system', call(0x8c, 5, 'posix', 0x8c, 6, 'system', 0x93)],
    ['torch.load', call(global('torch', 'load'))],
    ['torch.constructor', call(global('torch', 'constructor'))],
    ['__proto__.x', call(global('__proto__', 'x'))],
    ['torch.nn.FloatStorage', call(global('torch.nn', 'FloatStorage'))],
  ])('%s is refused by its name', async (name, file) => {
    await expect(read(file)).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      path: 'f:m/data.pkl',
      message: expect.stringContaining(`the Python global "${name}"`),
    });
  });

  it.each([
    ['INST', call('(', 'ios\nsystem\n'), /opcode 0x69/],
    ['OBJ', call('(', global('torch', 'Size'), 'o'), /opcode 0x6f/],
    ['NEWOBJ', call(global('torch', 'Size'), ')', 0x81), /opcode 0x81/],
    ['EXT1', call(0x82, 1), /opcode 0x82/],
    [
      'a call of a class that makes nothing',
      call(global('torch', 'FloatStorage'), ')R'),
      /a call of/,
    ],
    ['a call of a text', call(text('os.system'), ')R'), /a call of something that is no function/],
    ['attributes of a tensor', call(tensorOf(), '}b'), /attributes of no dict/],
    ['a reference to no storage', call(text('x'), 'Q'), /a reference to no storage/],
    ['an empty stack', call('0'), /its stack is empty/],
    ['no mark', call('t'), /a mark is missing/],
    ['an empty memo', call('h', 3), /nothing was kept at 3/],
    ['a newer protocol', call(0x80, 6), /protocol, got 6/],
    ['no end', archiveOf(Buffer.of(0x80, 2, 0x4e)), /it ends early/],
    ['a text without an end', call('X\xff\xff'), /it ends early/],
    ['a name without an end', archiveOf(Buffer.from('cos')), /a line has no end/],
  ])('%s is refused', async (_, file, says) => {
    await expect(read(file)).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      message: expect.stringMatching(says),
    });
  });

  it('a dict with itself in it is no state_dict, and is looked at once', async () => {
    const file = call('}', 'q', 0, text('w'), 'h', 0, 's');
    await expect(read(file)).rejects.toThrow(/no value in f is a dict of tensors by name, got 'w'/);
  });

  it('values are counted', async () => {
    const file = call('('.repeat(1000));
    const reading = readCheckpoint(file, 'f', { limits: { maxEntries: 999 } });
    await expect(reading).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it.each([
    ['one tensor', call(tensorOf()), /f holds a tensor, expected a dict/],
    ['a number', call(int(3)), /f holds a number/],
    ['an empty dict', call('}'), /no value in f .*, got none/],
    [
      'a tensor and more',
      call('}', text('w'), tensorOf(), 's', text('n'), int(1), 's'),
      /'n' is a number/,
    ],
  ])('%s is no state_dict', async (_, file, says) => {
    await expect(read(file)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'options.architecture.stateDict',
      message: expect.stringMatching(says),
    });
  });

  it('big-endian numbers and missing storages are refused', async () => {
    const data = pickle('}', text('w'), tensorOf(), 's');
    await expect(read(archiveOf(data, undefined, { byteorder: 'big' }))).rejects.toThrow(
      /big-endian/,
    );
    expect((await read(archiveOf(data, undefined, { byteorder: 'little' }))).size).toBe(1);
    const other = Buffer.from(archiveOf(data).map((byte) => byte));
    const renamed = Buffer.from(
      other.toString('latin1').replaceAll('m/data/0', 'm/data/1'),
      'latin1',
    );
    await expect(read(renamed)).rejects.toMatchObject({ path: 'f:m/data/0' });
  });
});
