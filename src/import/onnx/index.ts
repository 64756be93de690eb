// ONNX files → Graph. Reads operator sets 7 to 27 and writes opset 22, in which everything behind
// this folder thinks. https://onnx.ai/onnx/repo-docs/IR.html
import { RnnError } from '../../errors.ts';
import { validateGraph, type Graph } from '../../graph.ts';
import { UniqueNames } from '../../unique-names.ts';
import { staysInFolder } from '../companion-name.ts';
import { Budget, importLimits, type ImportLimits } from '../limits.ts';
import { convertGraph, dimNames, valueNames } from './convert.ts';
import { readModel, type GraphProto, type ModelProto, type NodeProto } from './model.ts';

/** How an ONNX file is read. */
export interface OnnxOptions {
  readonly limits?: Partial<ImportLimits> | undefined;
  /** Files with weights that the model refers to, by the names that it calls them. */
  readonly external?: ReadonlyMap<string, Uint8Array> | undefined;
  /**
   * Whether nobody else needs the bytes, so that weights may move within them to where they can be
   * used in place; otherwise those that are not aligned are copied.
   */
  readonly owned?: boolean | undefined;
}

// 7 brought the broadcasting that everything since assumes. 23 to 27 only added operators, and element types to
// those that this package has.
const [OLDEST, NEWEST] = [7, 27];

/**
 * Reads an ONNX file. Operators are not looked up: whether the engine has them is for the caller.
 *
 * @param bytes the file; aligned weights are used in place, so leave it unchanged while the graph lives
 * @throws RnnError `INVALID_MODEL` for anything that is no sound ONNX file, `LIMIT_EXCEEDED` beyond
 *   the limits, `UNSUPPORTED_OPERATOR` for operators outside of the standard domain
 */
export function importOnnx(bytes: Uint8Array, options: OnnxOptions = {}): Graph {
  const { model, graph: proto, budget } = open(bytes, options);
  const opset = opsetOf(model);
  refuseForeign(proto, model);
  const graph = convertGraph(proto, {
    opset,
    external: options.external ?? new Map(),
    mayMove: options.owned ?? false,
    budget,
    values: new UniqueNames(valueNames(proto)),
    dims: new UniqueNames(dimNames(proto)),
  });
  if (graph.outputs.length === 0) {
    throw new RnnError('INVALID_MODEL', 'graph.outputs', 'the model has no outputs');
  }
  const seen = new Set<string>();
  graph.outputs.forEach(({ name }, i) => {
    if (seen.has(name))
      throw new RnnError('INVALID_MODEL', `graph.outputs[${i}]`, `'${name}' again`);
    seen.add(name);
  });
  validateGraph(graph);
  return graph;
}

/**
 * Names of the files with weights that an ONNX file refers to, so that a loader can fetch them.
 *
 * @throws RnnError as {@link importOnnx} does, and for a name that leads out of the model's folder
 */
export function externalFiles(bytes: Uint8Array, options: OnnxOptions = {}): readonly string[] {
  const { graph } = open(bytes, options);
  const found = new Set<string>();
  const visit = ({ initializers, nodes }: GraphProto): void => {
    const inNodes = nodes.flatMap(({ attributes }) => attributes);
    for (const tensor of [...initializers, ...inNodes.flatMap(({ t }) => t ?? [])]) {
      const location = tensor.external.get('location');
      if (!tensor.isExternal || location === undefined) continue;
      if (!staysInFolder(location)) {
        const what = `location, got '${location}', expected a relative name that stays in its folder`;
        throw new RnnError('INVALID_MODEL', `${tensor.path}.external_data`, what);
      }
      found.add(location);
    }
    for (const { g } of inNodes) if (g) visit(g);
  };
  visit(graph);
  return [...found];
}

function open(bytes: Uint8Array, { limits, external }: OnnxOptions) {
  const files = [bytes, ...(external?.values() ?? [])];
  const total = files.reduce((sum, file) => sum + file.length, 0);
  const budget = new Budget(importLimits(limits), total);
  budget.spend('maxBytes', total, 'model', 'the files are too large');
  const model = readModel(bytes, budget);
  if (model.graph === undefined) {
    const what = 'the file has no graph, expected an ONNX model';
    throw new RnnError('INVALID_MODEL', 'model.graph', what);
  }
  return { model, graph: model.graph, budget };
}

function opsetOf({ opsets }: ModelProto): number {
  const opset = Number(opsets.get('') ?? NaN);
  if (opset >= OLDEST && opset <= NEWEST) return opset;
  const got = Number.isNaN(opset) ? 'none' : opset;
  const what = `operator set, got ${got}, expected ${OLDEST} to ${NEWEST}`;
  throw new RnnError('INVALID_MODEL', 'model.opset_import', what);
}

const isStandard = (domain: string): boolean => domain === '' || domain === 'ai.onnx';

/** What ONNX Runtime's quantize_dynamic and quantize_static make of recurrent models. */
export const MICROSOFT: ReadonlySet<string> = new Set([
  'DequantizeLinear',
  'DynamicQuantizeLSTM',
  'DynamicQuantizeMatMul',
  'MatMulIntegerToFloat',
  'QuantizeLinear',
]);

const isKnown = ({ domain, op }: NodeProto): boolean =>
  isStandard(domain) || (domain === 'com.microsoft' && MICROSOFT.has(op));

/** Refuses operators of other domains, all at once, and functions that redefine standard ones. */
function refuseForeign(proto: GraphProto, { functions }: ModelProto): void {
  const redefined = functions.find((name) => isStandard(name.slice(0, name.lastIndexOf(':'))));
  if (redefined !== undefined) {
    const what = `got '${redefined}', expected no function in the standard domain`;
    throw new RnnError('INVALID_MODEL', 'model.functions', what);
  }
  const found = new Map<string, NodeProto>();
  const visit = ({ nodes }: GraphProto): void => {
    for (const node of nodes) {
      const name = `${node.domain}:${node.op}`;
      if (!isKnown(node) && !found.has(name)) found.set(name, node);
      for (const { g } of node.attributes) if (g) visit(g);
    }
  };
  visit(proto);
  const [first] = found.values();
  if (first === undefined) return;
  const list = [...found].map(([op, { name, path }]) =>
    name === '' ? `${op} at ${path}` : `${op} '${name}' at ${path}`,
  );
  const what =
    `operators outside of the standard domain are not supported, got ${list.join(', ')}; ` +
    `of com.microsoft there are ${[...MICROSOFT].join(', ')}`;
  throw new RnnError('UNSUPPORTED_OPERATOR', first.path, what);
}
