// Reads how layers hang together: Sequential and functional models of Keras 2, Keras 3 and TF.js.
import { RnnError } from '../../../errors.ts';
import { Config, invalid, isObject, layerConfig, plainClass } from './config.ts';
import type { Json, LayerConfig } from './config.ts';

/** An output of one call of a layer. */
export interface Ref {
  readonly layer: string;
  /** Which call of the layer. */
  readonly node: number;
  readonly tensor: number;
}

/** One call of a layer: what it is called with. */
export interface CallSpec {
  readonly inputs: readonly Ref[];
  readonly mask: Ref | undefined;
  /** What it is called with besides values. */
  readonly options: Json;
}

/** A layer of a model. */
export interface LayerSpec extends LayerConfig {
  readonly name: string;
  readonly calls: readonly CallSpec[];
  /** Number of its first call: a model counts its own making as call 0. */
  readonly firstCall: number;
}

/** A model whose layers refer to one another. */
export interface Topology {
  readonly name: string;
  readonly layers: ReadonlyMap<string, LayerSpec>;
  readonly inputs: readonly Ref[];
  readonly outputs: readonly Ref[];
}

const MODEL_CLASSES: ReadonlySet<string> = new Set(['Sequential', 'Model', 'Functional']);

/** True for a layer that is a model of its own. */
export const isModel = ({ className }: LayerConfig): boolean =>
  MODEL_CLASSES.has(plainClass(className));

const MAX_DEPTH = 8; // references lie at depth 4

/**
 * Every ref in a piece of JSON, in order. Keras 2 and TF.js write `['dense', 0, 0, {…}]`, Keras 3
 * `{ class_name: '__keras_tensor__', config: { keras_history: ['dense', 0, 0] } }`.
 */
export function collectRefs(value: unknown, path: string, depth = 0): Ref[] {
  if (depth > MAX_DEPTH) throw invalid(path, value, 'references to layers');
  if (Array.isArray(value)) {
    const [layer, node, index] = value as unknown[];
    if (typeof layer === 'string') {
      if (Number.isSafeInteger(node) && Number.isSafeInteger(index)) {
        return [{ layer, node: node as number, tensor: index as number }];
      }
      throw invalid(path, value, '[layer, node, tensor]');
    }
    return value.flatMap((item, i) => collectRefs(item, `${path}[${i}]`, depth + 1));
  }
  if (!isObject(value)) return [];
  if (value['class_name'] === '__keras_tensor__') {
    return collectRefs(new Config(value['config'], path).list('keras_history'), path, depth + 1);
  }
  return Object.entries(value).flatMap(([key, item]) =>
    collectRefs(item, `${path}.${key}`, depth + 1),
  );
}

/** One entry of `inbound_nodes`. */
function readCall(value: unknown, path: string): CallSpec {
  if (Array.isArray(value)) {
    // Keras 2: a list of refs, or one ref by itself; keyword arguments ride on each.
    const refs = (typeof value[0] === 'string' ? [value] : value) as unknown[];
    const inputs = refs.flatMap((ref, i) => collectRefs(ref, `${path}[${i}]`));
    return withKeywords(
      inputs,
      refs.map((ref) => (Array.isArray(ref) ? (ref[3] as unknown) : {})),
      path,
    );
  }
  const { args, kwargs } = isObject(value) ? value : {};
  return withKeywords(collectRefs(args, `${path}.args`), [kwargs], `${path}.kwargs`);
}

function withKeywords(
  inputs: readonly Ref[],
  keywords: readonly unknown[],
  path: string,
): CallSpec {
  const found = {
    mask: [] as Ref[],
    initial_state: [] as Ref[],
    sequences: [] as Ref[],
    inputs: [] as Ref[],
  };
  for (const options of keywords) {
    if (!isObject(options)) continue;
    for (const [key, value] of Object.entries(options)) {
      const refs = collectRefs(value, `${path}.${key}`);
      if (refs.length === 0) continue;
      if (!Object.hasOwn(found, key)) {
        throw new RnnError(
          'UNSUPPORTED_OPERATOR',
          `${path}.${key}`,
          `a layer called with '${key}' from another layer, expected initial_state or mask`,
        );
      }
      found[key as keyof typeof found] = refs;
    }
  }
  const all = [...found.sequences, ...found.inputs, ...inputs, ...found.initial_state];
  const options = Object.fromEntries(keywords.filter(isObject).flatMap(Object.entries)) as Json;
  return { inputs: all, mask: found.mask[0], options };
}

/** Reads a functional model. */
export function readFunctional(config: Config): Topology {
  const layers = new Map<string, LayerSpec>();
  const refs: Ref[] = [];
  config.list('layers').forEach((raw, i) => {
    const outer = new Config(raw, `${config.path}.layers[${i}]`);
    const inner = outer.raw('config');
    const name = outer.text('name', isObject(inner) ? String(inner['name']) : undefined);
    const path = `${config.path}.layers['${name}']`;
    if (layers.has(name)) throw invalid(outer.path, name, 'a name that no layer before has');
    const inbound = outer.raw('inbound_nodes') ?? [];
    if (!Array.isArray(inbound)) throw invalid(`${path}.inbound_nodes`, inbound, 'a list');
    const calls = inbound.map((call, k) => readCall(call, `${path}.inbound_nodes[${k}]`));
    refs.push(...calls.flatMap((call) => [...call.inputs, ...(call.mask ? [call.mask] : [])]));
    layers.set(name, { ...layerConfig(raw, path), name, calls, firstCall: 0 });
  });
  const inputs = collectRefs(config.raw('input_layers'), `${config.path}.input_layers`);
  const outputs = collectRefs(config.raw('output_layers'), `${config.path}.output_layers`);
  // A model within is call 0 of itself, except where Keras 3 writes a Sequential.
  for (const layer of layers.values()) {
    if (!isModel(layer)) continue;
    const used = [...refs, ...outputs].filter((ref) => ref.layer === layer.name);
    const firstCall = used.some((ref) => ref.node === 0) ? 0 : 1;
    layers.set(layer.name, { ...layer, firstCall });
  }
  return { name: config.text('name', 'model'), layers, inputs, outputs };
}

/** The layers of a Sequential model in order, without those that only declare its input. */
export function readSequential(config: Config): LayerSpec[] {
  const names = new Set<string>();
  return config.list('layers').map((raw, i) => {
    const { className, config: inner } = layerConfig(raw, `${config.path}.layers[${i}]`);
    const name = inner.text('name', `${className.toLowerCase()}_${i}`);
    if (names.has(name)) throw invalid(inner.path, name, 'a name that no layer before has');
    names.add(name);
    return {
      ...layerConfig(raw, `${config.path}.layers['${name}']`),
      name,
      calls: [],
      firstCall: 0,
    };
  });
}

/** The layers of a model in the order of its config. */
export function layersOf({ className, config }: LayerConfig): readonly LayerSpec[] {
  return plainClass(className) === 'Sequential'
    ? readSequential(config)
    : [...readFunctional(config).layers.values()];
}
