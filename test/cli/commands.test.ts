// The commands as a terminal sees them: what they print and write, and how they end.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { readNpy, writeNpy } from '../../src/cli/npy.ts';
import { Progress } from '../../src/cli/progress.ts';
import { readWav, writeWav } from '../../src/cli/wav.ts';
import { loadModel, tensor, type Tensor } from '../../src/node.ts';
import { expectClose } from '../support/close.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { writeSafetensors } from '../import/safetensors-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'webgpu-rnn-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

const random = randomOf(4);
const weights = (...dims: number[]) => ({
  dims,
  data: random.floats(
    dims.reduce((n, dim) => n * dim, 1),
    0.5,
  ),
});
writeFileSync(
  at('gru.safetensors'),
  writeSafetensors({
    weight_ih_l0: weights(12, 3),
    weight_hh_l0: weights(12, 4),
    bias_ih_l0: weights(12),
    bias_hh_l0: weights(12),
  }),
);
// One number in, one out: sound.
writeFileSync(
  at('filter.safetensors'),
  writeSafetensors({
    'rnn.weight_ih_l0': weights(12, 1),
    'rnn.weight_hh_l0': weights(12, 4),
    'rnn.bias_ih_l0': weights(12),
    'rnn.bias_hh_l0': weights(12),
    'fc.weight': weights(1, 4),
  }),
);

async function command(...argv: string[]) {
  const [out, errors]: [string[], string[]] = [[], []];
  const code = await main(
    argv,
    { write: (text) => out.push(text) },
    { write: (text) => errors.push(text) },
  );
  return { code, out: out.join(''), errors: errors.join('') };
}
const npyOf = (name: string): Tensor => readNpy(readFileSync(at(name)), name);
const floats = (value: Tensor | undefined): Float32Array => value!.data as Float32Array;

test('--version', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(await command('--version')).toEqual({ code: 0, out: `${version}\n`, errors: '' });
});

describe('inspect', () => {
  test('--plan prints every buffer and dispatch, --wgsl the shader of a kernel', async () => {
    const dims = ['--dims', 'x=5x2x3'];
    const plan = await command('inspect', at('gru.safetensors'), ...dims, '--plan');
    expect(plan.code).toBe(0);
    expect(plan.out).toMatch(/^buffers\n {2}%0 .*inputs\.x\n/);
    expect(plan.out).toContain('\n  recurrent-project [');
    expect(plan.out).toMatch(/\n {4}persistent-registers: [\d.]+, selected\n/);
    const shader = await command(
      'inspect',
      at('gru.safetensors'),
      ...dims,
      '--wgsl',
      'recurrent-project',
    );
    expect(shader.code).toBe(0);
    expect(shader.out).toContain('fn main(');
    const unknown = await command('inspect', at('gru.safetensors'), ...dims, '--wgsl', 'nothing');
    expect(unknown.code).toBe(2);
    expect(unknown.errors).toMatch(/--wgsl nothing: expected one of .*recurrent-project/);
    const both = await command('inspect', at('gru.safetensors'), '--plan', '--json');
    expect(both.code).toBe(2);
  });

  test('prints tables', async () => {
    const { code, out, errors } = await command(
      'inspect',
      at('gru.safetensors'),
      '--dims',
      'x=7x2x3',
    );
    expect([code, errors]).toEqual([0, '']);
    expect(out).toMatch(/input +x +float32 +\[T, B, 3\] +\[7, 2, 3\]\n/);
    expect(out).toMatch(/output +hn +float32 +\[1, B, 4\] +\[1, 2, 4\]\n/);
    expect(out).toMatch(
      /GRU 4 +gru +108 +\[7, 1, 2, 4\] \+1 +project, persistent, unpack-state +\d+\n/,
    );
    expect(out).toContain('108 parameters, 432 B\n');
    expect(out).toMatch(/\d+ dispatches, .* operations, .* of scratch/);
  });

  test('ends with 1 for what cannot run, and says why', async () => {
    const value = (name: string) => ({ name, type: 'float32', dims: [2] }) as const;
    const nodes = [{ op: 'NonMaxSuppression', inputs: ['x'], outputs: ['y'] }];
    writeFileSync(
      at('odd.onnx'),
      writeOnnx({ nodes, inputs: [value('x')], outputs: [value('y')] }),
    );
    const { code, out } = await command('inspect', at('odd.onnx'));
    expect(code).toBe(1);
    expect(out).toMatch(/not supported:\n {2}NonMaxSuppression/);
  });

  test('prints JSON', async () => {
    const { code, out } = await command('inspect', at('gru.safetensors'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ parameters: 108, plan: { inputs: { x: [1, 1, 3] } } });
  });

  test('plans for weights that are stored in less', async () => {
    const bytesOf = async (...args: string[]): Promise<number> => {
      const { out } = await command('inspect', at('gru.safetensors'), '--json', ...args);
      return (JSON.parse(out) as { plan: { weightBytes: number } }).plan.weightBytes;
    };
    const plain = await bytesOf();
    expect(await bytesOf('--weights', 'f16')).toBeLessThan(plain);
    expect(await bytesOf('--weights', 'int8')).toBeLessThan(plain);
  });

  test('takes an architecture from a file', async () => {
    writeFileSync(at('arch.json'), JSON.stringify({ batchFirst: true, names: { x: 'in' } }));
    const { out } = await command(
      'inspect',
      at('gru.safetensors'),
      '--architecture',
      at('arch.json'),
    );
    expect(out).toContain('[B, T, 3]');
    expect(out).toMatch(/input +in /);
  });

  test('says which flag holds an architecture, and whose JSON is broken', async () => {
    writeFileSync(at('matrix.safetensors'), writeSafetensors({ w: weights(2, 2) }));
    const open = await command('inspect', at('matrix.safetensors'));
    expect(open.code).toBe(1);
    expect(open.errors).toContain(
      '(INVALID_ARGUMENT)\noptions.architecture is what --architecture',
    );
    writeFileSync(at('broken.json'), '{');
    const broken = await command(
      'inspect',
      at('gru.safetensors'),
      '--architecture',
      at('broken.json'),
    );
    expect(broken.code).toBe(1);
    expect(broken.errors).toContain('broken.json: is no JSON: ');
  });
});

describe('run', () => {
  const x = tensor(random.floats(7 * 3), [7, 1, 3]);
  writeFileSync(at('x.npy'), writeNpy(x));
  const run = (...rest: string[]) =>
    command('run', at('gru.safetensors'), '--device', 'reference', ...rest);

  test('reads and writes .npy, as loadModel does it', async () => {
    const { code, out, errors } = await run('--input', `x=${at('x.npy')}`, '--output', at('once'));
    expect([code, errors]).toEqual([0, '']);
    expect(out).toMatch(/y\.npy {2}float32 \[7, 1, 4\]\n[^]*hn\.npy[^]* ms on reference/);
    const model = await loadModel(at('gru.safetensors'), { device: 'reference' });
    const { y, hn } = await model.run({ x });
    expect(npyOf('once/y.npy')).toEqual(y);
    expect(npyOf('once/hn.npy')).toEqual(hn);
  });

  test('prints the numbers where no folder is said', async () => {
    const { code, out, errors } = await run('--input', `x=${at('x.npy')}`);
    expect([code, errors]).toEqual([0, '']);
    const model = await loadModel(at('gru.safetensors'), { device: 'reference' });
    const { hn } = await model.run({ x });
    const numbers = /^hn {2}float32 \[1, 1, 4\]\n {2}(.*)\n/m.exec(out)!.slice(1);
    const got = numbers.flatMap((line) => line.split(' ').map(Number));
    expectClose(Float32Array.from(got), floats(hn), { atol: 1e-5 });
    model.dispose();
  });

  test('a stream of any step gives what one run gives; the name of a single input may go', async () => {
    for (const steps of ['1', '3', '10']) {
      const { code, errors } = await run(
        '--input',
        at('x.npy'),
        '--output',
        at(`by${steps}`),
        '--stream',
        steps,
      );
      expect([code, errors]).toEqual([0, '']);
      for (const name of ['y', 'hn']) {
        const [got, want] = [npyOf(`by${steps}/${name}.npy`), npyOf(`once/${name}.npy`)];
        expect(got.dims).toEqual(want.dims);
        expectClose(floats(got), floats(want), { atol: 1e-6, label: `${name} by ${steps}` });
      }
    }
  });

  test('a file with an axis more has a step on its first axis', async () => {
    writeFileSync(at('frames.npy'), writeNpy({ ...x, dims: [7, 1, 1, 3] }));
    const { code } = await run(
      '--input',
      `x=${at('frames.npy')}`,
      '--output',
      at('frames'),
      '--stream',
      '1',
    );
    expect(code).toBe(0);
    const y = npyOf('frames/y.npy');
    expect(y.dims).toEqual([7, 1, 1, 4]);
    expectClose(floats(y), floats(npyOf('once/y.npy')), { atol: 1e-6 });
  });

  test('JSON in nested lists, and JSON out that can be read again', async () => {
    const rows = Array.from({ length: 7 }, (_, t) => [[...x.data.subarray(t * 3, t * 3 + 3)]]);
    writeFileSync(at('x.json'), JSON.stringify(rows));
    await run('--input', `x=${at('x.json')}`, '--output', at('json'), '--as', 'json');
    const y = JSON.parse(readFileSync(at('json/y.json'), 'utf8')) as {
      type: string;
      dims: number[];
      data: number[];
    };
    expect([y.type, y.dims]).toEqual(['float32', [7, 1, 4]]);
    expectClose(y.data, floats(npyOf('once/y.npy')), { atol: 1e-6 });
    const again = await run(
      '--input',
      `x=${at('x.json')}`,
      '--dims',
      'x=1x7x3',
      '--output',
      at('other'),
    );
    expect(again.code).toBe(0);
    expect(npyOf('other/y.npy').dims).toEqual([1, 7, 4]);
  });

  test('sound in and out, in the shape that the model declares', async () => {
    const samples = random.floats(40, 0.9);
    writeFileSync(at('in.wav'), writeWav(samples, 8000));
    writeFileSync(at('filter.json'), JSON.stringify({ batchFirst: true }));
    const { code, errors } = await command(
      'run',
      at('filter.safetensors'),
      '--architecture',
      at('filter.json'),
      '--device',
      'reference',
      '--input',
      at('in.wav'),
      '--as',
      'wav',
      '--output',
      at('sound'),
    );
    expect([code, errors]).toEqual([0, '']);
    const sound = readWav(readFileSync(at('sound/y.wav')), 'y.wav');
    expect([sound.rate, sound.channels, sound.samples.length]).toEqual([8000, 1, 40]);
    const model = await loadModel(at('filter.safetensors'), {
      device: 'reference',
      architecture: { batchFirst: true },
    });
    const heard = readWav(readFileSync(at('in.wav')), 'in.wav').samples;
    const { y } = await model.run({ x: tensor(heard, [1, 40, 1]) });
    expectClose(sound.samples, floats(y), { atol: 1 / 2 ** 15 });
  });
});

describe('a wrong command', () => {
  const model = at('gru.safetensors');
  const needed = ['run', model, '--output', at('never'), '--device', 'reference'];
  test.each([
    [['fly'], 2, "unknown command 'fly'"],
    [['inspect'], 2, 'expected the FILE'],
    [['inspect', model, 'more'], 2, 'unexpected more'],
    [['inspect', model, '--bogus'], 2, '--bogus'],
    [['inspect', model, '--dims', 'x'], 2, 'expected NAME='],
    [['inspect', model, '--dims', 'x=1,2'], 2, 'expected 16x1x40'],
    [['inspect', model, '--dims', 'z=1'], 1, 'options.dims.z'],
    [['inspect', model, '--weights', 'int4'], 1, 'options.weights'],
    [['inspect', at('none.onnx')], 1, 'FETCH_FAILED'],
    [['run', model, '--as', 'json'], 2, '--output'],
    [[...needed, '--as', 'mp3'], 2, '--as mp3'],
    [['run', model, '--output', 'x', '--device', 'tpu'], 2, '--device tpu'],
    [[...needed, '--stream', '0'], 2, '--stream 0'],
    [[...needed], 1, 'feeds.x'],
    [[...needed, '--input', 'z=1'], 2, 'expected NAME=FILE with x'],
    [[...needed, '--input', 'x=y.png'], 2, '.npy, .wav or .json'],
    [[...needed, '--input', `x=${at('none.npy')}`], 1, 'none.npy'],
    [[...needed, '--input', 'x=1'], 2, 'say --dims'],
  ] as const)('%j', async (argv, code, part) => {
    const result = await command(...argv);
    expect(result.code).toBe(code);
    expect(result.errors).toContain(part);
    expect(result.errors.startsWith('webgpu-rnn: ')).toBe(true);
  });

  test('--help, and nothing at all', async () => {
    expect(await command('--help')).toMatchObject({ code: 0, errors: '' });
    expect((await command('run', '--help')).out).toContain('--input NAME=FILE');
    expect((await command()).code).toBe(2);
  });
});

describe('files', () => {
  test('.npy of every type, and of no axes', () => {
    const values: Tensor[] = [
      tensor(Float32Array.of(1.5, -2), [2, 1]),
      tensor(Float64Array.of(0.1), []),
      tensor(BigInt64Array.of(-1n, 2n ** 60n), [2]),
      tensor(BigUint64Array.of(2n ** 64n - 1n), [1]),
      tensor(Int32Array.of(-7), [1]),
      tensor(Uint8Array.of(0, 1), [2], 'bool'),
      tensor(new Int16Array(0), [0, 3]),
    ];
    for (const value of values) expect(readNpy(writeNpy(value), 'v.npy')).toEqual(value);
    const bytes = writeNpy(values[0]!);
    expect((bytes.length - 8) % 64).toBe(0);
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => readNpy(bytes.subarray(0, cut), 'v.npy')).toThrow('v.npy: ');
    }
  });

  test('.wav of each format, several channels one after the other', () => {
    const wav = (code: number, bits: number, channels: number, data: Uint8Array): Uint8Array => {
      const sound = writeWav(new Float32Array(0), 44_100);
      const bytes = new Uint8Array(44 + data.length);
      bytes.set(sound);
      bytes.set(data, 44);
      const view = new DataView(bytes.buffer);
      view.setUint16(20, code, true);
      view.setUint16(22, channels, true);
      view.setUint16(34, bits, true);
      view.setUint32(40, data.length, true);
      return bytes;
    };
    const read = (...args: Parameters<typeof wav>): number[] => [
      ...readWav(wav(...args), 'v.wav').samples,
    ];
    const of = (view: ArrayBufferView): Uint8Array =>
      new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    expect(read(1, 8, 1, Uint8Array.of(0, 128, 192))).toEqual([-1, 0, 0.5]);
    expect(read(1, 16, 2, of(Int16Array.of(16384, -16384, 0, 8192)))).toEqual([0.5, 0, -0.5, 0.25]);
    expect(read(1, 24, 1, Uint8Array.of(0, 0, 0x40, 0, 0, 0xc0))).toEqual([0.5, -0.5]);
    expect(read(1, 32, 1, of(Int32Array.of(2 ** 30)))).toEqual([0.5]);
    expect(read(3, 32, 1, of(Float32Array.of(0.25)))).toEqual([0.25]);
    expect(() => read(7, 8, 1, new Uint8Array(2))).toThrow('format 7 of 8 bits');
    expect(() => readWav(new Uint8Array(20), 'v.wav')).toThrow('is no .wav file');
  });
});

test('the bar shows itself on a terminal only, after a while, and goes away', () => {
  vi.useFakeTimers();
  try {
    const drawn: string[] = [];
    const draw = (isTTY: boolean): void => {
      const progress = new Progress({ write: (text) => drawn.push(text), isTTY }, 100, 'steps');
      for (let i = 1; i <= 100; i++) {
        vi.advanceTimersByTime(20);
        progress.at(i);
      }
      progress.end();
    };
    draw(false);
    expect(drawn).toEqual([]);
    draw(true);
    expect(drawn[0]).toMatch(/^\r█+░+ +25% 25\/100 steps$/);
    expect(drawn.length).toBeLessThan(20);
    expect(drawn.at(-1)).toBe('\r\u001b[K');
  } finally {
    vi.useRealTimers();
  }
});
