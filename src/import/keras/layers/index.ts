// Layer configs of Keras and TF.js turned into a graph. Whoever reads a file gives the config and
// says where the weights are; this knows no file format.
export { Config, invalid, isObject, layerConfig, parseJson, plainClass, show } from './config.ts';
export type { Json, LayerConfig } from './config.ts';
export { dialectOf, KERAS2, KERAS3, TFJS, type Dialect } from './dialect.ts';
export { translateModel, type KerasModel } from './model.ts';
export { isModel, layersOf, type LayerSpec } from './topology.ts';
export type { Part, Weights } from './weights.ts';
