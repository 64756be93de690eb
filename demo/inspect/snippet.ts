// TypeScript to copy: how an app loads and runs the model that is looked at.
import type { Inspection } from 'webgpu-rnn';

const ARRAYS: Readonly<Record<string, string>> = {
  float32: 'Float32Array',
  float64: 'Float64Array',
  int8: 'Int8Array',
  uint8: 'Uint8Array',
  int16: 'Int16Array',
  uint16: 'Uint16Array',
  int32: 'Int32Array',
  uint32: 'Uint32Array',
  int64: 'BigInt64Array',
  uint64: 'BigUint64Array',
};

const isName = (text: string): boolean => /^[A-Za-z_$][\w$]*$/.test(text);
const quoted = (text: string): string => `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;

/** An array literal or constructor that holds a tensor of this type and size. */
function arrayOf(type: string, dims: readonly number[]): string {
  const size = dims.reduce((product, dim) => product * dim, 1);
  const array = ARRAYS[type];
  return array ? `new ${array}(${size})` : `new Array(${size}).fill(0)`;
}

/** A program that runs the model once, for the shapes of the plan. */
export function snippetOf(
  file: string,
  found: Inspection,
  dims: Readonly<Record<string, readonly number[]>>,
): string {
  const feeds = found.inputs.map(({ name, type }) => {
    const shape = dims[name] ?? [];
    const key = isName(name) ? name : quoted(name);
    const kind = ARRAYS[type] ? '' : `, '${type}'`;
    return `  ${key}: tensor(${arrayOf(type, shape)}, [${shape.join(', ')}]${kind}),`;
  });
  const first = found.outputs[0]?.name ?? 'Y';
  const result = isName(first) ? `results.${first}` : `results[${quoted(first)}]`;
  return [
    `import { loadModel, tensor } from 'webgpu-rnn';`,
    '',
    `const model = await loadModel(${quoted(file)});`,
    'const results = await model.run({',
    ...feeds,
    '});',
    `console.log(${result}.dims, ${result}.data);`,
  ].join('\n');
}
