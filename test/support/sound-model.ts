// Small recurrent models of sound, as files, and what they make of it.
import { runReference } from '../../src/reference.ts';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { tensor } from '../../src/tensor.ts';
import { writeOnnx } from './onnx-writer.ts';
import { randomOf } from './random.ts';

/** An LSTM of `hop` units over blocks of `hop` samples: `X` [T, 1, hop] → `Y` [T, 1, 1, hop]. */
export function soundModel(hop: number): Uint8Array {
  const random = randomOf(5);
  return writeOnnx({
    inputs: [{ name: 'X', type: 'float32', dims: ['T', 1, hop] }],
    outputs: [{ name: 'Y', type: 'float32', dims: ['T', 1, 1, hop] }],
    initializers: {
      W: tensor(random.floats(4 * hop * hop, 0.3), [1, 4 * hop, hop]),
      R: tensor(random.floats(4 * hop * hop, 0.3), [1, 4 * hop, hop]),
    },
    nodes: [
      {
        op: 'LSTM',
        name: 'lstm',
        inputs: ['X', 'W', 'R'],
        outputs: ['Y'],
        attributes: { hidden_size: hop },
      },
    ],
  });
}

/** Gives half of its input: `M` [1, count] → `G` [1, count], the factor 0.5, after an LSTM that does not count. */
export function halvingModel(count: number): Uint8Array {
  return writeOnnx({
    inputs: [{ name: 'M', type: 'float32', dims: [1, count] }],
    outputs: [{ name: 'G', type: 'float32', dims: [1, count] }],
    initializers: {
      zero: tensor(Float32Array.of(0), []),
      half: tensor(Float32Array.of(0.5), []),
    },
    nodes: [
      { op: 'Mul', name: 'mul', inputs: ['M', 'zero'], outputs: ['none'] },
      { op: 'Add', name: 'add', inputs: ['none', 'half'], outputs: ['G'] },
    ],
  });
}

/** What the model of {@link soundModel} makes of whole blocks, by the float64 reference. */
export function soundThroughReference(hop: number, sound: Float32Array): Float32Array {
  const blocks = Math.floor(sound.length / hop);
  const X = tensor(sound.slice(0, blocks * hop), [blocks, 1, hop]);
  return Float32Array.from(runReference(importOnnx(soundModel(hop)), { X }).get('Y')!.data);
}
