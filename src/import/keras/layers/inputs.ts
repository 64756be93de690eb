// What a model is fed: names, types and shapes, read from whichever layer declares them.
import { RnnError } from '../../../errors.ts';
import type { Dim, GraphBuilder } from '../../../graph-builder.ts';
import type { ValueInfo } from '../../../graph.ts';
import type { DataType } from '../../../tensor.ts';
import {
  invalid,
  isObject,
  layerConfig,
  plainClass,
  type Config,
  type LayerConfig,
} from './config.ts';
import { isModel, readFunctional, readSequential } from './topology.ts';
import type { LayerSpec, Ref, Topology } from './topology.ts';

/** Shape and type that a layer declares for what it is fed. */
interface Declared {
  readonly dims: readonly unknown[];
  readonly type: DataType;
  readonly path: string;
}

/**
 * Declares the input of a Sequential model. It is called as Keras calls it: after the InputLayer,
 * or `dense_input` after a first layer named `dense`.
 */
export function sequentialInput(
  builder: GraphBuilder,
  layers: readonly LayerSpec[],
  config: Config,
): ValueInfo {
  const [first, second] = layers;
  if (first === undefined) throw invalid(`${config.path}.layers`, [], 'at least one layer');
  const declared = declaredBy(first);
  if (declared === undefined) {
    throw invalid(`${first.config.path}.batch_input_shape`, undefined, 'the shape of the input');
  }
  if (plainClass(first.className) !== 'InputLayer') {
    return declare(builder, `${first.name}_input`, declared, [first]);
  }
  return declare(builder, first.name, declared, second ? [second] : []);
}

/** Declares one input of a functional model, named after its InputLayer. */
export function functionalInput(builder: GraphBuilder, topology: Topology, ref: Ref): ValueInfo {
  const layer = topology.layers.get(ref.layer);
  const isInput = layer && plainClass(layer.className) === 'InputLayer';
  const declared = isInput ? declaredBy(layer) : undefined;
  if (layer === undefined || declared === undefined) {
    throw invalid('input_layers', ref.layer, 'the name of an InputLayer with a shape');
  }
  const consumers = [...topology.layers.values()].filter(({ calls }) =>
    calls.some((call) => call.inputs.some((input) => input.layer === ref.layer)),
  );
  return declare(builder, layer.name, declared, consumers);
}

function declare(
  builder: GraphBuilder,
  name: string,
  { dims, type, path }: Declared,
  consumers: readonly LayerConfig[],
): ValueInfo {
  const sizes = dims.map((dim, axis): Dim => {
    if (dim === null || dim === undefined) {
      return axis === 0 ? 'batch' : axis === 1 ? `${name}_time` : `${name}_axis${axis}`;
    }
    if (Number.isSafeInteger(dim) && (dim as number) >= 1) return dim as number;
    throw invalid(`${path}[${axis}]`, dim, 'a size or null');
  });
  // Keras calls the ids of an Embedding float32 and truncates them; they are integers all the same.
  const ids =
    consumers.length > 0 &&
    consumers.every(({ className }) => plainClass(className) === 'Embedding');
  return builder.input({ name, type: ids ? 'int32' : type, dims: sizes });
}

function declaredBy(layer: LayerConfig): Declared | undefined {
  const { className, config } = layer;
  const { path } = config;
  if (isModel(layer)) return declaredWithin(layer);
  for (const key of ['batch_input_shape', 'batch_shape']) {
    if (config.raw(key) === undefined) continue;
    return { dims: config.list(key), type: typeOf(config), path: `${path}.${key}` };
  }
  const inner = config.raw('layer');
  if (inner !== undefined) return declaredBy(layerConfig(inner, `${path}.layer`));
  if (plainClass(className) === 'Dense' && config.raw('input_dim') !== undefined) {
    return { dims: [null, config.count('input_dim')], type: 'float32', path: `${path}.input_dim` };
  }
  if (plainClass(className) !== 'Embedding') return undefined;
  const steps = config.raw('input_length') ?? null;
  const dims = [null, ...(Array.isArray(steps) ? (steps as unknown[]) : [steps])];
  return { dims, type: 'int32', path: `${path}.input_length` };
}

/** A Sequential model that begins with a model takes its input from there. */
function declaredWithin({ className, config }: LayerConfig): Declared | undefined {
  let first: LayerConfig | undefined;
  if (plainClass(className) === 'Sequential') [first] = readSequential(config);
  else {
    const { layers, inputs } = readFunctional(config);
    first = layers.get(inputs[0]?.layer ?? '');
  }
  return first && declaredBy(first);
}

function typeOf(config: Config): DataType {
  const raw = config.raw('dtype');
  // Keras 3 writes a policy; whatever is computed in half precision is fed in single.
  const dtype = isObject(raw) ? 'float32' : config.text('dtype', 'float32');
  if (/^u?int(8|16|32|64)$/.test(dtype)) return 'int32';
  if (dtype === 'bool') return 'bool';
  if (/^(b?float|mixed)/.test(dtype)) return 'float32';
  throw new RnnError(
    'UNSUPPORTED_OPERATOR',
    `${config.path}.dtype`,
    `inputs of type ${dtype}, expected float32, int32 or bool`,
  );
}
