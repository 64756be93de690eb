// Trained PyTorch models in a browser, from files that a server has.
import { expect, test } from 'vitest';
import { expectLikePyTorch, type PyTorchCase } from '../golden/pytorch-cases.ts';

const FOLDER = new URL('../golden/pytorch/', import.meta.url);

async function read(name: string): Promise<Uint8Array> {
  const response = await fetch(new URL(name, FOLDER));
  expect(response.ok, name).toBe(true);
  return new Uint8Array(await response.arrayBuffer());
}

test.each(['trained_memory_gru', 'trained_tags_lstm', 'trained_text_lstm'])('%s', async (name) => {
  const { cases } = JSON.parse(new TextDecoder().decode(await read('index.json'))) as {
    cases: readonly PyTorchCase[];
  };
  const golden = cases.find((one) => one.name === name)!;
  for (const format of ['safetensors', 'onnx'] as const) {
    await expectLikePyTorch(golden, format, read, { device: 'webgpu' });
  }
});
