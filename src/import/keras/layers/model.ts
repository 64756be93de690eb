// Goes through a model from its inputs to its outputs and translates each layer.
import { RnnError } from '../../../errors.ts';
import { GraphBuilder, type NamedOutput } from '../../../graph-builder.ts';
import { validateGraph, type Graph, type ValueInfo } from '../../../graph.ts';
import type { Budget } from '../../limits.ts';
import { invalid, layerConfig, plainClass, type Json, type LayerConfig } from './config.ts';
import type { Dialect } from './dialect.ts';
import { functionalInput, sequentialInput } from './inputs.ts';
import type { InnerCall, KerasTensor } from './layer.ts';
import { isRecurrent, LAYERS, supportedLayers } from './layers.ts';
import { isModel, readFunctional, readSequential } from './topology.ts';
import type { CallSpec, LayerSpec, Ref, Topology } from './topology.ts';
import type { Part, Weights } from './weights.ts';

/** A model as a file holds it. */
export interface KerasModel {
  /** `{ class_name, config }` of the model itself. */
  readonly model: LayerConfig;
  readonly weights: Weights;
  readonly dialect: Dialect;
  readonly budget: Budget;
}

/** One layer where it stands. */
interface Site {
  readonly layer: LayerConfig;
  /** With the names of the models around it. */
  readonly name: string;
  readonly weights: Weights;
  readonly inputs: readonly KerasTensor[];
  readonly mask?: KerasTensor | undefined;
  readonly options?: Json;
  readonly detached: boolean;
  /** True for the outermost model and its own layers. */
  readonly top: boolean;
  /** Models and wrappers around it. */
  readonly depth: number;
}

/** What is passed along while the layers of a model are translated. */
interface Translation extends Omit<KerasModel, 'model' | 'weights'> {
  readonly builder: GraphBuilder;
  readonly calls: Map<string, number>;
  /** The mask that TF.js still has in hand, see `Dialect.masksLinger`. */
  lingering: ValueInfo | undefined;
}

/**
 * Translates a Keras model.
 *
 * @throws RnnError with the path of the layer, `layers['lstm_1'].units`
 */
export function translateModel({ model, weights, dialect, budget }: KerasModel): Graph {
  const builder = new GraphBuilder();
  const translation: Translation = {
    dialect,
    budget,
    builder,
    calls: new Map(),
    lingering: undefined,
  };
  const { config } = model;
  let name = 'model';
  let outputs: NamedOutput[];
  if (plainClass(model.className) === 'Sequential') {
    name = config.text('name', name);
    const layers = readSequential(config);
    const input = sequentialInput(builder, layers, config);
    const last = layers.at(-1)!.name;
    const site = outermost(model, weights, [input]);
    outputs = [{ name: last, value: runSequential(translation, site, layers) }];
  } else if (isModel(model)) {
    const topology = readFunctional(config);
    name = topology.name;
    const inputs = topology.inputs.map((ref) => functionalInput(builder, topology, ref));
    const site = outermost(model, weights, inputs);
    const values = runFunctional(translation, site, topology);
    outputs = topology.outputs.map((ref, i) => ({ name: ref.layer, value: values[i]! }));
  } else {
    throw new RnnError(
      'UNSUPPORTED_OPERATOR',
      config.path,
      `model of class ${model.className}, expected Sequential, Functional or Model`,
    );
  }
  const graph = builder.finish(name, distinct(outputs, builder));
  validateGraph(graph);
  return graph;
}

function outermost(layer: LayerConfig, weights: Weights, inputs: readonly KerasTensor[]): Site {
  return { layer, name: '', weights, inputs, detached: false, top: true, depth: 0 };
}

/** Several outputs of one layer are distinguished as Keras does: lstm, lstm_1. */
function distinct(outputs: readonly NamedOutput[], builder: GraphBuilder): NamedOutput[] {
  const taken = new Set(builder.inputs.map((input) => input.name));
  const wanted = new Set(outputs.map((output) => output.name));
  return outputs.map(({ name: stem, value }) => {
    let name = stem;
    for (let n = 1; taken.has(name) || (n > 1 && wanted.has(name)); n++) name = `${stem}_${n}`;
    taken.add(name);
    return { name, value };
  });
}

/** Translates one call of one layer. */
function runLayer(translation: Translation, site: Site): readonly KerasTensor[] {
  const { layer, weights, inputs, depth, detached, name } = site;
  const { builder, budget, dialect } = translation;
  const { path } = layer.config;
  budget.check('maxDepth', depth, path, 'too many models and wrappers within one another');
  budget.spend('maxNodes', 1, path, 'too many calls of layers');
  if (isModel(layer)) return runModel(translation, site);
  const className = plainClass(layer.className);
  const translate = LAYERS.get(className);
  if (translate === undefined) {
    throw new RnnError(
      'UNSUPPORTED_OPERATOR',
      path,
      `layer '${name}' is of class ${layer.className}, expected one of ${supportedLayers()}` +
        (className === 'Lambda' ? '; a Lambda is Python code, which is never run' : ''),
    );
  }
  refuseTraining(layer, site.options);
  const count = translation.calls.get(name) ?? 0;
  translation.calls.set(name, count + 1);
  const inner = (within: LayerConfig, change: InnerCall): readonly KerasTensor[] =>
    runLayer(translation, {
      layer: within,
      name: `${name}/${within.config.text('name', 'layer')}`,
      weights: weights.part(change.part),
      inputs: change.inputs,
      detached: change.detached ?? detached,
      top: false,
      depth: depth + 1,
    });
  return translate({
    builder,
    dialect,
    className,
    config: layer.config,
    path,
    weights,
    name,
    stem: count === 0 ? name : `${name}/call_${count}`,
    inputs,
    mask: maskOf(translation, site),
    options: site.options ?? {},
    masked: site.mask !== undefined,
    detached,
    inner,
  });
}

/** A model may insist on the noise of training, as for estimates of doubt; it has none here. */
function refuseTraining({ className, config }: LayerConfig, options: Json = {}): void {
  const noisy =
    /Dropout|Noise|^BatchNormalization$/.test(plainClass(className)) ||
    ['dropout', 'recurrent_dropout'].some(
      (key) => config.raw(key) !== undefined && config.raw(key) !== 0,
    );
  if (options['training'] !== true || !noisy) return;
  throw new RnnError(
    'UNSUPPORTED_OPERATOR',
    `${config.path}.training`,
    `layer of class ${className} is called with training: true, expected a layer at inference`,
  );
}

/** The mask that a layer is called with. */
function maskOf(
  translation: Translation,
  { layer, inputs, mask, top }: Site,
): ValueInfo | undefined {
  if (mask) {
    if (mask.type === 'bool') return mask;
    const name = translation.builder.node('Cast', `${mask.name}/mask`, [mask.name], { to: 'bool' });
    return { ...mask, name, type: 'bool' };
  }
  if (!translation.dialect.masksLinger || !top) return inputs[0]?.mask;
  linger(translation, inputs);
  const held = translation.lingering;
  const [x] = inputs;
  // What lingers may belong to a sequence of another length. Only recurrent layers look at it.
  const recurrent = x?.dims.length === 3 && isRecurrent(plainClass(layer.className));
  if (recurrent && held && held !== x.mask && held.dims[1] !== x.dims[1]) {
    throw new RnnError(
      'UNSUPPORTED_OPERATOR',
      `${layer.config.path}.mask`,
      `TF.js would apply the mask of ${held.dims[1]} steps that an earlier layer made, the sequence ` +
        `has ${x.dims[1]}; expected the same`,
    );
  }
  return held;
}

function linger(translation: Translation, inputs: readonly KerasTensor[]): void {
  if (inputs.some((x) => x.mask)) translation.lingering = inputs[0]!.mask;
}

/** A model as a layer of another. */
function runModel(translation: Translation, site: Site): readonly KerasTensor[] {
  const run = (inputs: readonly KerasTensor[]): readonly KerasTensor[] => {
    const { config, className } = site.layer;
    const inside = { ...site, inputs, top: false };
    return plainClass(className) === 'Sequential'
      ? [runSequential(translation, inside, readSequential(config))]
      : runFunctional(translation, inside, readFunctional(config));
  };
  if (!translation.dialect.masksLinger || !site.top) return run(site.inputs);
  // TF.js hands one mask into a model and none out of it.
  const mask = maskOf(translation, site);
  const outputs = run(site.inputs.map((x, i) => ({ ...x, mask: i === 0 ? mask : undefined })));
  return outputs.map((y) => ({ ...y, mask: undefined }));
}

/** What the weights of a layer are asked for by. */
function partOf(layer: LayerSpec): Part {
  const { name, className, config } = layer;
  if (isModel(layer)) return { model: name };
  const inner = config.raw('layer');
  if (inner === undefined) return { layer: name, className };
  const wrapped = layerConfig(inner, `${config.path}.layer`).config.text('name', '');
  return { layer: name, className, wrapped };
}

/** A layer of a model, where the model stands. */
function siteOf(
  model: Site,
  layer: LayerSpec,
  inputs: readonly KerasTensor[],
  call?: CallSpec,
  mask?: KerasTensor,
): Site {
  const { name } = layer;
  return {
    ...model,
    layer,
    name: model.name === '' ? name : `${model.name}/${name}`,
    weights: model.weights.part(partOf(layer)),
    inputs,
    mask,
    options: call?.options ?? {},
    depth: model.depth + 1,
  };
}

const circle = ({ name, config }: LayerSpec): RnnError =>
  new RnnError(
    'INVALID_MODEL',
    config.path,
    `'${name}' reads what depends on its own output, expected layers without a circle`,
  );

function runSequential(
  translation: Translation,
  site: Site,
  layers: readonly LayerSpec[],
): KerasTensor {
  const [input] = site.inputs;
  if (input === undefined || site.inputs.length !== 1) {
    throw invalid(site.layer.config.path, `${site.inputs.length} inputs`, 'one');
  }
  return layers.reduce((x, layer) => {
    if (plainClass(layer.className) === 'InputLayer') return x;
    const outputs = runLayer(translation, siteOf(site, layer, [x]));
    if (outputs.length === 1) return outputs[0]!;
    throw invalid(layer.config.path, `${outputs.length} outputs`, 'one within a Sequential model');
  }, input);
}

/**
 * Visits the calls that the outputs need, in the order in which TF.js runs them: output after
 * output, depth first, the last input of a call before the others.
 */
function runFunctional(
  translation: Translation,
  site: Site,
  topology: Topology,
): readonly KerasTensor[] {
  const { path } = site.layer.config;
  const key = ({ layer, node }: Ref): string => `${node}:${layer}`;
  const made = new Map<string, readonly KerasTensor[]>();
  if (site.inputs.length !== topology.inputs.length) {
    throw invalid(path, `${site.inputs.length} inputs`, `${topology.inputs.length}`);
  }
  topology.inputs.forEach((ref, i) => made.set(key(ref), [site.inputs[i]!]));
  const callOf = (ref: Ref, from: string): readonly [LayerSpec, CallSpec] => {
    const layer = topology.layers.get(ref.layer);
    const call = layer?.calls[ref.node - layer.firstCall];
    if (layer && call) return [layer, call];
    throw invalid(
      from,
      [ref.layer, ref.node, ref.tensor],
      'the call of a layer that the model has',
    );
  };
  const taker =
    (from: string) =>
    (ref: Ref): KerasTensor => {
      const found = made.get(key(ref))?.[ref.tensor];
      if (found) return found;
      throw invalid(from, [ref.layer, ref.node, ref.tensor], 'an output that the layer has');
    };
  const ends = `${path}.output_layers`;
  const open = new Set<string>();
  const seen = new Set<string>();
  const stack = topology.outputs.toReversed().map((ref) => ({ ref, ready: false, from: ends }));
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { ref, ready, from } = top;
    const tensor = `${ref.tensor}:${key(ref)}`;
    if (seen.has(tensor) || topology.inputs.some((own) => key(own) === key(ref))) continue;
    const [layer, call] = callOf(ref, from);
    const needs = call.mask ? [...call.inputs, call.mask] : call.inputs;
    if (!ready) {
      if (open.has(tensor)) throw circle(layer);
      open.add(tensor);
      const asks = `${layer.config.path}.inbound_nodes`;
      stack.push(
        { ref, ready: true, from },
        ...needs.map((need) => ({ ref: need, ready: false, from: asks })),
      );
      continue;
    }
    seen.add(tensor);
    open.delete(tensor);
    const take = taker(`${layer.config.path}.inbound_nodes`);
    const inputs = call.inputs.map(take);
    // TF.js runs a layer once for each output that is used; all that changes is what lingers.
    if (made.has(key(ref))) {
      if (site.top) linger(translation, inputs);
      continue;
    }
    const mask = call.mask && take(call.mask);
    made.set(key(ref), runLayer(translation, siteOf(site, layer, inputs, call, mask)));
  }
  return topology.outputs.map(taker(ends));
}
