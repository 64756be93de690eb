// Files that lie about their structure are refused, with the path of the lie.
import { describe, expect, it } from 'vitest';
import type { RnnErrorCode } from '../../src/errors.ts';
import { importOnnx } from '../../src/import/onnx/index.ts';
import {
  attribute,
  bytes,
  encode,
  float,
  initializer,
  input,
  int,
  message,
  model,
  node,
  output,
  raw,
  text,
  type Part,
} from '../support/proto.ts';

/** What is wrong, a path, and the file. */
type Attack = readonly [string, string, Uint8Array];

const times = <T>(count: number, value: T): T[] => Array<T>(count).fill(value);
const x = input('x', 1, int(1, 1));
const y = output('y');
const four = bytes(9, new Uint8Array(4));
const eight = bytes(9, new Uint8Array(8));
const opset = message(8, int(2, 22));

/** A varint of so many bytes. */
const varint = (count: number): number[] => [...times(count - 1, 0x80), 0x01];
const binary = (...values: number[]): Uint8Array => Uint8Array.from(values);
const nodes = (...parts: readonly Part[]): Uint8Array => model(x, ...parts, y);
const weight = (...parts: readonly Part[]): Uint8Array =>
  model(initializer('w', ...parts), x, output('x'));
const shaped = (...dims: (number | bigint)[]): Uint8Array =>
  model(input('x', 1, ...dims.map((dim) => int(1, dim))), output('x'));
const attributed = (...parts: readonly Part[]): Uint8Array =>
  nodes(node('Relu', ['x'], ['y'], ...parts));
const inputOf = (...type: readonly Part[]): Uint8Array =>
  model(message(11, text(1, 'x'), ...type), output('x'));

/** An If within an If, so many times. */
function nested(depth: number): Uint8Array {
  let inner: Part = node('Relu', ['x'], ['y']);
  for (let i = 0; i < depth; i++) {
    inner = raw(encode(node('If', ['x'], ['y'], attribute('then_branch', 5, message(6, inner)))));
  }
  return model(x, inner, output('x'));
}

const WIRE: readonly Attack[] = [
  ['a varint of 11 bytes', 'model', binary(0x08, ...varint(11))],
  ['a tag of 6 bytes', 'model', binary(...varint(6))],
  ['a length of 6 bytes', 'model', binary(0x3a, ...varint(6))],
  ['a length of 2^32 - 1', 'model', binary(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f)],
  ['a length past the end', 'model', binary(0x3a, 0x05, 0x00)],
  ['field 0', 'model', binary(0x00)],
  ['a group', 'model', binary(...times(5000, 0x0b))],
  ['the end of a group', 'model', binary(0x0c)],
  ['wire type 7', 'model', binary(0x0f)],
  ['a graph that is a number', 'model', encode(int(7, 1))],
  ['a name that is a number', 'graph.nodes[0]', nodes(message(1, int(3, 1)))],
  ['a name that is no UTF-8', 'graph.nodes[0]', nodes(message(1, bytes(3, binary(0xc3, 0x28))))],
];

const STRUCTURE: readonly Attack[] = [
  ['nothing', 'model.graph', binary()],
  ['no graph', 'model.graph', encode(int(1, 10), opset)],
  ['two graphs', 'model.graph', encode(message(7, x), message(7, x))],
  ['no operator set', 'model.opset_import', encode(int(1, 10), message(7, x, output('x')))],
  ['a negative one', 'model.opset_import', encode(message(8, int(2, -1)), message(7, x))],
  ['two', 'model.opset_import', encode(opset, message(8, text(1, 'ai.onnx'), int(2, 13)))],
  ['a node that reads itself', 'graph.nodes[0]', nodes(node('Add', ['x', 'y'], ['y']))],
  [
    'a cycle of two nodes',
    'graph.nodes[0]',
    nodes(node('Add', ['x', 'y'], ['a']), node('Neg', ['a'], ['y'])),
  ],
  ['a value that nothing makes', 'graph.nodes[0].inputs[0]', nodes(node('Neg', ['q'], ['y']))],
  ['an output that nothing makes', 'graph.outputs[0]', nodes()],
  ['no outputs', 'graph.outputs', model(x)],
  ['one output twice', 'graph.outputs[1]', model(x, output('x'), output('x'))],
  ['an output without a name', 'graph.outputs[0]', model(x, output(''))],
  ['an input without a name', 'graph.inputs[0]', model(input('', 1), output('x'))],
  ['one input twice', 'graph.inputs[1]', model(x, x, output('x'))],
  [
    'one value made twice',
    'graph.nodes[1].outputs[0]',
    nodes(node('Neg', ['x'], ['y']), node('Abs', ['x'], ['y'])),
  ],
  ['made twice by one node', 'graph.nodes[0].outputs[1]', nodes(node('Split', ['x'], ['y', 'y']))],
  ['a node that makes an input', 'graph.nodes[0]', nodes(node('Neg', ['x'], ['x']))],
  [
    'one weight twice',
    'graph.initializers[1]',
    nodes(initializer('y', int(2, 1), four), initializer('y', int(2, 1), four)),
  ],
  ['a weight without a name', 'graph.initializers[0]', nodes(initializer('', int(2, 1), four))],
  ['sparse weights', 'graph.sparse_initializer', nodes(message(15))],
];

const SHAPES: readonly Attack[] = [
  ['a negative size', 'graph.inputs[0].dims[0]', shaped(-1)],
  ['a size of 2^62', 'graph.inputs[0].dims[0]', shaped(2n ** 62n)],
  ['a sequence', 'graph.inputs[0].type', inputOf(message(2, message(4)))],
  ['a map', 'graph.inputs[0].type', inputOf(message(2, message(5)))],
  ['no type', 'graph.inputs[0].type', inputOf()],
  ['text', 'graph.inputs[0].type', model(input('x', 8), output('x'))],
];

const WEIGHTS: readonly Attack[] = [
  ['a negative size', 'graph.initializers[0].dims[0]', weight(int(1, -4), int(2, 1), four)],
  [
    'a size of 2^53 + 1',
    'graph.initializers[0].dims[0]',
    weight(int(1, 2n ** 53n + 1n), int(2, 1)),
  ],
  ['too few bytes', 'graph.initializers[0]', weight(int(1, 2), int(2, 1), four)],
  ['no bytes for a big shape', 'graph.initializers[0]', weight(int(1, 2 ** 29), int(2, 1))],
  ['too many bytes', 'graph.initializers[0]', weight(int(1, 1), int(2, 1), eight)],
  ['numbers of another type', 'graph.initializers[0]', weight(int(1, 1), int(2, 7), float(4, 1))],
  ['numbers twice', 'graph.initializers[0]', weight(int(1, 1), int(2, 1), four, float(4, 1))],
  [
    'a varint cut short',
    'graph.initializers[0]',
    weight(int(1, 2), int(2, 6), bytes(5, binary(0x01, 0x80))),
  ],
  [
    'too few varints',
    'graph.initializers[0]',
    weight(int(1, 2), int(2, 6), bytes(5, binary(0x80, 0x01))),
  ],
  [
    'too many varints',
    'graph.initializers[0]',
    weight(int(1, 2), int(2, 7), bytes(7, binary(0x01, 0x01, 0x01))),
  ],
  [
    'a float cut short',
    'graph.initializers[0]',
    weight(int(1, 1), int(2, 1), bytes(4, new Uint8Array(3))),
  ],
  ['text', 'graph.initializers[0]', weight(int(1, 1), int(2, 8), text(6, 'a'))],
  ['4 bits', 'graph.initializers[0]', weight(int(1, 2), int(2, 22), bytes(9, binary(0)))],
  ['complex numbers', 'graph.initializers[0]', weight(int(1, 1), int(2, 14), eight)],
  ['no type', 'graph.initializers[0]', weight(int(1, 1), four)],
  ['type 999', 'graph.initializers[0]', weight(int(1, 1), int(2, 999), four)],
  ['a segment', 'graph.initializers[0]', weight(int(1, 1), int(2, 1), message(3))],
];

const ATTRIBUTES: readonly Attack[] = [
  ['a tensor that is not there', 'graph.nodes[0].value', attributed(attribute('value', 4))],
  ['a graph that is not there', 'graph.nodes[0].body', attributed(attribute('body', 5))],
  ['type 99', 'graph.nodes[0].a', attributed(attribute('a', 99))],
  ['no name', 'graph.nodes[0].attributes', attributed(message(5, int(3, 1)))],
  ['given twice', 'graph.nodes[0].a', attributed(attribute('a', 2), attribute('a', 2))],
  ['of a function', 'graph.nodes[0].a', attributed(message(5, text(1, 'a'), text(21, 'b')))],
  ['a list of graphs', 'graph.nodes[0].a', attributed(attribute('a', 10, message(11)))],
  [
    'two graphs',
    'graph.nodes[0].attributes[0]',
    attributed(attribute('a', 5, message(6), message(6))),
  ],
  [
    'a cut list',
    'graph.nodes[0].attributes[0]',
    attributed(attribute('a', 6, bytes(7, binary(1)))),
  ],
];

const empty = (field: number): Uint8Array =>
  Uint8Array.from({ length: 2_000_000 }, (_, i) => (i % 2 === 0 ? (field << 3) | 2 : 0));

const BOMBS: readonly Attack[] = [
  ['graphs 2,000 deep', 'then_branch', nested(2000)],
  ['graphs 33 deep', 'then_branch', nested(33)],
  ['a million empty nodes', 'graph.nodes[100000]', model(raw(empty(1)))],
  ['a million empty weights', 'graph.initializers[100000]', model(raw(empty(5)))],
  [
    'three million names',
    'graph.nodes[2]',
    model(bytes(1, empty(1)), bytes(1, empty(1)), bytes(1, empty(2))),
  ],
  [
    'a million axes',
    'graph.initializers[0].dims',
    weight(bytes(1, Uint8Array.from(times(1e6, 1))), int(2, 1)),
  ],
  ['a shape of 2^60', 'graph.inputs[0].dims', shaped(2 ** 20, 2 ** 20, 2 ** 20)],
  ['17 axes', 'graph.inputs[0].dims', shaped(...times(17, 1))],
  [
    'weights of 2^80',
    'graph.initializers[0].dims',
    weight(int(1, 2 ** 40), int(1, 2 ** 40), int(2, 1)),
  ],
  [
    'weights of 2^40 · 0',
    'graph.initializers[0].dims',
    weight(int(1, 2 ** 40), int(1, 0), int(2, 1)),
  ],
  ['a name of 5,000 letters', 'graph.nodes[0]', attributed(text(3, 'n'.repeat(5000)))],
];

function refuses(attacks: readonly Attack[], code: RnnErrorCode): void {
  it.each(attacks)('%s', (_, path, file) => {
    // What took long would run into the time limit of a test.
    expect(() => importOnnx(file)).toThrow(
      expect.objectContaining({ code, path: expect.stringContaining(path) }),
    );
  });
}

describe('broken encoding', () => refuses(WIRE, 'INVALID_MODEL'));
describe('graphs that do not hang together', () => refuses(STRUCTURE, 'INVALID_MODEL'));
describe('inputs that are no tensors', () => refuses(SHAPES, 'INVALID_MODEL'));
describe('weights that are not what they say', () => refuses(WEIGHTS, 'INVALID_MODEL'));
describe('attributes that are not what they say', () => refuses(ATTRIBUTES, 'INVALID_MODEL'));
describe('more than a model may hold', () => refuses(BOMBS, 'LIMIT_EXCEEDED'));
