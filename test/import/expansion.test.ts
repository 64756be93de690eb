// What is small on the disk does not become large in memory, whatever its format: refused by what the
// file declares, before anything of that size is allocated.
import { describe, expect, it } from 'vitest';
import { importModel } from '../../src/import/index.ts';
import { Budget, importLimits, type ImportLimits } from '../../src/import/limits.ts';
import { tensor } from '../../src/tensor.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { archive, legacy, NAMED } from './keras-broken-files.ts';
import { writeH5, writeZip } from './keras-writer.ts';
import { writeSafetensors } from './safetensors-files.ts';

const failure = (
  files: Readonly<Record<string, Uint8Array>>,
  limits: Partial<ImportLimits> = {},
): Promise<unknown> =>
  importModel(new Map(Object.entries(files)), { limits }).then(
    () => 'no error',
    (error: unknown) => error,
  );

/** No floor, and fewer bytes than the files themselves have. */
const TIGHT = { expansionFloor: 0, maxExpansion: 0.001 };
/** What honest float32 weights come to, with what stands around them. */
const AMPLE = { expansionFloor: 0, maxExpansion: 8 };

const text = (content: object): Uint8Array => new TextEncoder().encode(JSON.stringify(content));

describe('the default', () => {
  it('allows 64 MiB, or 16 times the files', () => {
    const small = new Budget(importLimits({}), 1000);
    small.expand(2 ** 26, 'a');
    expect(() => small.expand(1, 'b')).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', path: 'b' }),
    );
    const large = new Budget(importLimits({}), 10_000_000);
    large.expand(160_000_000, 'a');
    expect(() => large.decode(1, 'b')).toThrow(/from files of 10000000 bytes, at most 160000000/);
  });

  it('refuses a .keras file of 300 KB that unpacks to 300 MB', async () => {
    const bytes = new Uint8Array(300_000).fill(0x55);
    const entries = [
      { name: 'config.json', bytes: '{}' },
      { name: 'model.weights.h5', bytes, deflate: false },
    ];
    const zip = writeZip(entries);
    // Both headers of the second entry: deflated, and 300 MB once unpacked.
    const view = new DataView(zip.buffer);
    const at = Buffer.from(zip).lastIndexOf('PK\x01\x02');
    view.setUint16(at + 10, 8, true);
    view.setUint32(at + 24, 300_000_000, true);
    expect(await failure({ 'm.keras': zip })).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      path: 'm.keras:model.weights.h5',
      message: expect.stringMatching(
        /got 30000\d{4} from files of 300\d{3} bytes, at most 67108864/,
      ),
    });
  });

  it('refuses a manifest that lists one shard a thousand times', async () => {
    const paths = Array.from({ length: 1000 }, () => 'w.bin');
    const weights = [{ name: 'a/kernel', shape: [1], dtype: 'float32' }];
    const json = text({
      modelTopology: { class_name: 'Sequential', config: [] },
      weightsManifest: [{ paths, weights }],
    });
    const files = { 'model.json': json, 'w.bin': new Uint8Array(100_000) };
    expect(await failure(files)).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      path: 'weightsManifest[0].paths',
    });
  });
});

describe('each format counts', () => {
  // A one takes a byte in the file, and eight once decoded.
  const onnx = writeOnnx(
    {
      nodes: [{ op: 'Identity', inputs: ['w'], outputs: ['y'] }],
      inputs: [],
      outputs: [{ name: 'y', type: 'int64' }],
      initializers: {
        w: tensor(
          BigInt64Array.from({ length: 500 }, () => 1n),
          [500],
        ),
      },
    },
    { rawData: false },
  );

  const quantized = text({
    modelTopology: {
      class_name: 'Sequential',
      config: {
        name: 'm',
        layers: [
          {
            class_name: 'Dense',
            config: { name: 'd', units: 40, use_bias: false, batch_input_shape: [null, 50] },
          },
        ],
      },
    },
    weightsManifest: [
      {
        paths: ['w.bin'],
        weights: [
          {
            name: 'd/kernel',
            shape: [50, 40],
            dtype: 'float32',
            quantization: { dtype: 'uint8', scale: 1, min: 0 },
          },
        ],
      },
    ],
  });

  const CASES: readonly (readonly [string, () => Promise<Record<string, Uint8Array>>])[] = [
    ['ONNX', async () => ({ 'm.onnx': onnx })],
    ['TF.js', async () => ({ 'model.json': quantized, 'w.bin': new Uint8Array(2000) })],
    ['.keras', async () => ({ 'm.keras': await archive({}) })],
    ['.h5', async () => ({ 'm.h5': await writeH5(legacy(NAMED)) })],
    [
      'safetensors',
      async () => ({
        'm.safetensors': writeSafetensors({
          weight_ih_l0: { dims: [16, 3], data: new Float32Array(16 * 3) },
          weight_hh_l0: { dims: [16, 4], data: new Float32Array(16 * 4) },
        }),
      }),
    ],
  ];

  it.each(CASES)('%s', async (_, make) => {
    const files = await make();
    expect(await failure(files, TIGHT)).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringContaining('limits.maxExpansion'),
    });
    expect(await failure(files, AMPLE)).toBe('no error');
  });

  it('what grows on decoding counts as what it becomes', async () => {
    const files = { 'model.json': quantized, 'w.bin': new Uint8Array(2000) };
    const size = quantized.length + 2000;
    const limits = { expansionFloor: 0, maxExpansion: 7999 / size };
    expect(await failure(files, limits)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await failure(files, { ...limits, expansionFloor: 8000 })).toBe('no error');
  });
});
