import { describe, expect, test } from 'vitest';
import { complaint } from '../../scripts/oxlint-walls.mjs';

const expectAllowed = (file: string, specifier: string, typeOnly = false) =>
  expect(complaint(`/r/${file}`, '/r', specifier, typeOnly), `${file} → ${specifier}`).toBeNull();
const expectRefused = (file: string, specifier: string, typeOnly = false) =>
  expect(complaint(`/r/${file}`, '/r', specifier, typeOnly), `${file} → ${specifier}`).toMatch(
    /may|row/,
  );

describe('the walls between modules', () => {
  test('cells know only themselves', () => {
    expectAllowed('src/cells/lstm.ts', './cell.ts');
    expectRefused('src/cells/lstm.ts', '../graph.ts', true);
    expectRefused('src/cells/lstm.ts', '../../shaders/wgsl.ts');
  });

  test('the graph knows cells by type only', () => {
    expectAllowed('src/graph.ts', './cells/index.ts', true);
    expectRefused('src/graph.ts', './cells/index.ts');
    expectRefused('src/graph.ts', './plan/types.ts', true);
  });

  test.each(['shaders/matmul.ts', 'src/plan/select/select-kernel.ts', 'src/gpu/device.ts'])(
    'importers and layers never see %s',
    (target) => {
      expectRefused('src/import/onnx/message.ts', `../../../${target}`, true);
      expectRefused('src/layers.ts', `../${target}`, true);
    },
  );

  test('importers see the graph, one another and their one package', () => {
    expectAllowed('src/import/onnx/message.ts', '../../graph.ts');
    expectAllowed('src/import/onnx/message.ts', '../format.ts');
    expectAllowed('src/import/onnx/message.ts', '@bufbuild/protobuf/wire');
    expectRefused('src/import/keras/hdf5.ts', 'jsfive');
    expectRefused('src/import/onnx/message.ts', 'protobufjs');
    expectRefused('src/import/onnx/message.ts', 'node:fs');
  });

  test('operators and the reference know no kernels', () => {
    for (const file of ['src/ops/matmul.ts', 'src/reference.ts']) {
      expectRefused(file, `${file.includes('ops') ? '../../' : '../'}shaders/kernel.ts`, true);
      expectAllowed(file, file.includes('ops') ? '../graph.ts' : './graph.ts');
    }
  });

  test('shaders know kernels and cells', () => {
    expectAllowed('shaders/recurrent/step.ts', '../wgsl.ts');
    expectAllowed('shaders/recurrent/step.ts', '../../src/cells/index.ts');
    expectRefused('shaders/recurrent/step.ts', '../../src/graph.ts', true);
    expectRefused('shaders/recurrent/step.ts', '../../src/plan/types.ts', true);
    expectRefused('shaders/recurrent/step.ts', 'wgsl-preprocessor/wgsl-preprocessor.js');
    expectAllowed('shaders/wgsl.ts', 'wgsl-preprocessor/wgsl-preprocessor.js');
  });

  test('a plan makes no GPU call', () => {
    expectAllowed('src/plan/select/select-kernel.ts', '../../../shaders/recurrent/step.ts');
    expectRefused('src/plan/select/select-kernel.ts', '../../gpu/device.ts', true);
    expectRefused('src/plan/select/select-kernel.ts', '../../model.ts', true);
  });

  test('the WebGPU layer knows no model', () => {
    expectAllowed('src/gpu/pipelines.ts', '../errors.ts');
    expectAllowed('src/gpu/pipelines.ts', '../../shaders/kernel.ts', true);
    expectAllowed('src/gpu/program.ts', '../plan/types.ts');
    expectRefused('src/gpu/program.ts', '../plan/index.ts', true);
    expectRefused('src/gpu/pipelines.ts', '../graph.ts', true);
    expectRefused('src/gpu/pipelines.ts', '../../shaders/softmax.ts', true);
  });

  test('only the Node entry sees Dawn and Node', () => {
    expectAllowed('src/node.ts', 'webgpu');
    expectAllowed('src/node.ts', 'node:fs/promises');
    expectRefused('src/model.ts', 'webgpu');
    expectRefused('src/index.ts', 'fs');
    expectAllowed('src/model.ts', './gpu/device.ts');
  });

  test('demos and benches use the public name', () => {
    expectAllowed('demo/bench/main.ts', 'webgpu-rnn');
    expectAllowed('demo/bench/main.ts', '../shared.ts');
    expectRefused('demo/bench/main.ts', '../../src/index.ts', true);
    expectRefused('bench/run.ts', '../src/model.ts');
  });

  test('a module without a row is asked for one', () => {
    expectRefused('src/helpers.ts', './errors.ts');
  });
});
