// docs/operators.md, made from the tables that the engine itself reads: `npm run docs:operators`.
import { CONTROL_FLOW, FAMILIES } from '../src/ops/index.ts';
import { MICROSOFT } from '../src/import/onnx/index.ts';
import { KNOWN } from '../src/import/onnx/known-attributes.ts';
import { isQuantized } from '../src/import/onnx/quantized.ts';
import { isRecurrent } from '../src/import/onnx/recurrent.ts';
import { LAYERS } from '../src/import/keras/layers/layers.ts';
import { LOWERING_FAMILIES } from '../src/plan/lower/index.ts';
import { CPU_LOWERINGS } from '../src/wasm/lower/index.ts';

const HEAD = `# Operators

What files may contain. This page is made by \`npm run docs:operators\` from the tables that the engine reads; a test fails
where it is not up to date. Options of an operator that are not offered are refused when a model is loaded, with the
path of the node.
`;

const ONNX = `
## ONNX

Operator sets 7 to 25: those of older sets are read as the newer ones. *CPU* is SIMD in WebAssembly and the same in
plain JavaScript; where it says *float64*, the code of the reference computes the node on the host. *GPU* is WebGPU.

| operator | attributes | GPU | CPU |
|---|---|---|---|
`;

const MEANINGS = `
- **kernel**: one or more kernels of its own, or an expression in the kernel of a neighbour.
- **others**: the node becomes a row of other operators, when the file is read or when its shapes are known.
- **unrolled**: control flow, decided by shapes, constants and integer inputs; sequences are lists of values.
- **shape**: known before anything runs.

Of the domain \`com.microsoft\`, which ONNX Runtime's quantisation writes: ${[...MICROSOFT].toSorted().join(', ')}.
DynamicQuantizeLSTM multiplies its 8-bit weights with inputs and states in float32, which ONNX Runtime rounds to 8 bits.
`;

const KERAS = `
## Keras and TF.js

Layers by class, in Sequential and functional models, also within one another:

`;

const shapeOnly = new Set<string>(
  FAMILIES.flatMap(({ name, shapeOnly: only }) => (only ? [name] : [])),
);
const composed = new Set(
  CONTROL_FLOW.flatMap(({ name, resultType }) => (resultType ? [name] : [])),
);
const unrolled = new Set(CONTROL_FLOW.map(({ name }) => name));

/** How a node of an operator is computed on a GPU and on a CPU; undefined for one that is refused. */
function backendsOf(op: string): readonly [gpu: string, cpu: string] | undefined {
  if (isRecurrent(op) || op === 'DynamicQuantizeLSTM') return ['kernel', 'kernel'];
  if (composed.has(op) || isQuantized(op) || op === 'Upsample') return ['others', 'others'];
  if (unrolled.has(op)) return ['unrolled', 'unrolled'];
  if (shapeOnly.has(op) || op === 'Constant') return ['shape', 'shape'];
  const name = op === 'Scatter' ? 'ScatterElements' : op;
  if (!(name in LOWERING_FAMILIES)) return undefined;
  return ['kernel', CPU_LOWERINGS.has(name) ? 'kernel' : 'float64'];
}

/** The text of docs/operators.md. */
export function operatorsDocument(): string {
  const rows = Object.entries(KNOWN)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([op, attributes]) => {
      const backends = backendsOf(op);
      if (!backends) return [];
      // What only operator sets before 7 had is refused.
      const current = attributes.replace(/^axis broadcast$|\bbroadcast\b/, '');
      const names = current.split(' ').filter(Boolean).toSorted();
      const list = [...new Set(names)].map((name) => `\`${name}\``).join(', ');
      return [`| ${op} | ${list} | ${backends.join(' | ')} |`];
    });
  const layers = [...LAYERS.keys(), 'InputLayer'].toSorted().join(', ');
  return `${HEAD}${ONNX}${rows.join('\n')}\n${MEANINGS}${KERAS}${layers}.\n`;
}
