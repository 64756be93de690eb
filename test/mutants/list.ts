// Faults of the kind that people make: a gate order, a bound off by one, a barrier left out, a state that
// is not carried. Each names the tests that are to notice it. Golden files are not among them where numbers
// can tell: a changed line of WGSL is a reason to look, not a proof that it is wrong.
import type { Mutant } from './mutant.ts';

const KERNELS = ['test/cells/own-cells.test.ts', 'test/model/recurrent.test.ts'];
const STEP = 'shaders/recurrent/step.wgsl';
const PERSISTENT = 'shaders/recurrent/persistent.wgsl';
const PHASE = 'shaders/recurrent/persistent-phase.wgsl';

const kernels: readonly Mutant[] = [
  {
    name: 'step: a batch row beyond the block reads the row before it',
    file: STEP,
    search: 'min(firstRow + row, params.rows - 1u)) * OPERAND_STRIDE',
    replace: 'min(firstRow + row, params.rows - 2u)) * OPERAND_STRIDE',
    tests: KERNELS,
  },
  {
    name: 'step: no barrier between the slices of K and their sum',
    file: STEP,
    search: '  #endif\n  workgroupBarrier();\n  #endif',
    replace: '  #endif\n  #endif',
    tests: ['test/shaders/golden-kernels.test.ts'], // a race: numbers may come out right
  },
  {
    name: 'step: the sum over slices leaves out the last one',
    file: STEP,
    search: 'for (var slice = 0u; slice < SLICES; slice++) {',
    replace: 'for (var slice = 0u; slice + 1u < SLICES; slice++) {',
    tests: KERNELS,
  },
  {
    name: 'step: a row that is not live takes the new state',
    file: STEP,
    search: 'if (!live) { after = before; }',
    replace: '',
    tests: KERNELS,
  },
  {
    name: 'product: the last component of a vector is left out',
    file: 'shaders/recurrent/product.wgsl',
    search: 'f32(dot(weights[s], v))',
    replace: 'f32(dot(weights[s].xyz, v.xyz))',
    tests: KERNELS,
  },
  {
    name: 'project: a result beyond the chunk is written',
    file: 'shaders/recurrent/project.wgsl',
    search: 'if (firstRow + row < rows) {',
    replace: 'if (firstRow + row <= rows) {',
    tests: ['test/model/stack.test.ts', ...KERNELS],
  },
  {
    name: 'project: no bias',
    file: 'shaders/recurrent/project.wgsl',
    search: 'acc[c][row] * scale + bias',
    replace: 'acc[c][row] * scale',
    tests: KERNELS,
  },
  {
    name: 'persistent: h of the step before is not shared',
    file: PERSISTENT,
    search:
      'for (var chunkStep = 0u; chunkStep < MAX_STEPS; chunkStep++) {\n    if (chunkStep >= steps) { break; }',
    replace:
      'for (var chunkStep = 0u; chunkStep < MAX_STEPS; chunkStep++) {\n    if (chunkStep + 1u >= steps) { break; }',
    tests: KERNELS,
  },
  {
    name: 'persistent: a projected h is not stored at the end',
    file: PERSISTENT,
    search: 'if (unit < OUTPUT) { storeH(place, states[m * ROWS + row].OUTPUT_STATE); }',
    replace: '',
    tests: KERNELS,
  },
  {
    name: 'persistent: a row that is not live takes the new state',
    file: PHASE,
    search: 'if (live) { states[(pass * UNITS_PER_PASS + j) * ROWS + row] = after; }',
    replace: 'states[(pass * UNITS_PER_PASS + j) * ROWS + row] = after;',
    tests: KERNELS,
  },
  {
    name: 'time: a reversed row begins at the end of the longest',
    file: 'shaders/recurrent/time.wgsl',
    search: 'return select(step, length - 1u - step, instance == 1u && step < length);',
    replace: 'return select(step, params.steps - 1u - step, instance == 1u && step < length);',
    tests: KERNELS,
  },
  {
    name: 'time: the mask is read at the step of the recurrence',
    file: 'shaders/recurrent/time.wgsl',
    search: 'mask[timeOf(row, step) * params.maskT',
    replace: 'mask[step * params.maskT',
    tests: KERNELS,
  },
  {
    name: 'output: a masked step writes h',
    file: 'shaders/recurrent/output.wgsl',
    search: 'value = select(0.0, h, live);',
    replace: 'value = h;',
    tests: KERNELS,
  },
  {
    name: 'output: layers of a wavefront hand up to the wrong layer',
    file: 'shaders/recurrent/output.wgsl',
    search: 'if (instance < LAYERS - 1u) {',
    replace: 'if (instance < LAYERS - 2u) {',
    tests: ['test/model/stack.test.ts'],
  },
  {
    name: 'pack-state: [B, D, H] is read as [D, B, H]',
    file: 'shaders/recurrent/pack-state.wgsl',
    search: 'row * params.directions + direction, params.batchFirst == 1u',
    replace: 'row * params.directions + direction, params.batchFirst == 2u',
    tests: KERNELS,
  },
  {
    name: 'weights: f16 halves are exchanged',
    file: 'shaders/recurrent/weights.wgsl',
    search: 'vec4f(unpack2x16float(halves.x), unpack2x16float(halves.y))',
    replace: 'vec4f(unpack2x16float(halves.y), unpack2x16float(halves.x))',
    tests: ['test/model/weights.test.ts'],
  },
  {
    name: 'weights: the scale of int8 is that of the next column',
    file: 'shaders/recurrent/weights.wgsl',
    search: 'SCALES + group * SPAN + column]',
    replace: 'SCALES + group * SPAN + column + 1u]',
    tests: ['test/model/weights.test.ts'],
  },
  {
    name: 'math: the tanh near zero has a wrong coefficient',
    file: 'shaders/math.wgsl',
    search: '-0.33333334',
    replace: '-0.33433334',
    tests: ['test/shaders/operators.test.ts', ...KERNELS],
  },
  {
    name: 'elementwise: erf forgets its sign',
    file: 'shaders/elementwise-math.wgsl',
    search: 'return sign(x) * (1.0 - p * exp(-min(a * a, 87.0)));',
    replace: 'return 1.0 - p * exp(-min(a * a, 87.0));',
    tests: ['test/shaders/operators.test.ts'],
  },
  {
    name: 'rows: a reduction combines with half of the invocations',
    file: 'shaders/row-reduce-tree.wgsl',
    search: 'let far = params.lanes >> level;',
    replace: 'let far = params.lanes >> (level + 1u);',
    tests: ['test/shaders/operators.test.ts'],
  },
  {
    name: 'matmul: beta scales nothing',
    file: 'shaders/matmul.ts',
    search: "BETA: float ? 'params.beta' : '1',",
    replace: "BETA: '1',",
    tests: ['test/shaders/operators.test.ts'],
  },
];

const cells: readonly Mutant[] = [
  {
    name: 'lstm in float64: the peephole of o sees the old c',
    file: 'src/cells/lstm.ts',
    search: "gate('o', c)",
    replace: "gate('o', before)",
    tests: ['test/reference/recurrent-onnxruntime.test.ts'],
  },
  {
    name: 'trace: the gru shows its candidate before the activation',
    file: 'src/cells/gru.ts',
    search: "observe?.('h', n);",
    replace: "observe?.('h', inner);",
    tests: ['test/model/trace.test.ts'],
  },
  {
    name: 'trace: the numbers of the backend are lost',
    file: 'src/backends/traced-call.ts',
    search: 'graph.constants.get(name) ?? values[name]!;',
    replace:
      'graph.constants.get(name) ?? { ...values[name]!, data: values[name]!.data.map(() => 0) };',
    tests: ['test/model/trace.test.ts'],
  },
  {
    name: 'lstm in WGSL: f and i are exchanged',
    file: 'src/cells/lstm.ts',
    search: 'let c = f * before.c + i * act1(',
    replace: 'let c = i * before.c + f * act1(',
    tests: KERNELS,
  },
  {
    name: 'lstm in WGSL: coupled gates take f = i',
    file: 'src/cells/lstm.ts',
    search: 'f = 1.0 - i;',
    replace: 'f = i;',
    tests: KERNELS,
  },
  {
    name: 'gru in float64: the reset gate leaves out the recurrent bias',
    file: 'src/cells/gru.ts',
    search: "r[j]! * (sum + parameters['rb_h']![j]!)",
    replace: "r[j]! * sum + parameters['rb_h']![j]!",
    tests: ['test/reference/recurrent-onnxruntime.test.ts'],
  },
  {
    name: 'gru in WGSL: the reset gate comes before the product',
    file: 'src/cells/gru.ts',
    search: 'x.h + r * (s.h + p.rb_h)',
    replace: 'x.h + r * s.h + p.rb_h',
    tests: KERNELS,
  },
  {
    name: 'gru in WGSL: z and 1 - z are exchanged behind the second product',
    file: 'src/cells/gru.ts',
    search: '(1.0 - passed.z) * n + passed.z * before.h',
    replace: 'passed.z * n + (1.0 - passed.z) * before.h',
    tests: KERNELS,
  },
];

const planner: readonly Mutant[] = [
  {
    name: 'arena: a buffer is free one command too early',
    file: 'src/plan/arena.ts',
    search: 'last.set(id, i)',
    replace: 'last.set(id, i - 1)',
    tests: ['test/plan/arena.test.ts'],
  },
  {
    name: 'arena: an output may be overwritten',
    file: 'src/plan/arena.ts',
    search: 'if (sizes.has(id) && !kept.has(id))',
    replace: 'if (sizes.has(id))',
    tests: ['test/plan/arena.test.ts'],
  },
  {
    name: 'fuse: a term with two readers is computed in one of them',
    file: 'src/plan/lower/fuse.ts',
    search: 'if (ctx.readers(0) === 1)',
    replace: 'if (ctx.readers(0) <= 2)',
    tests: ['test/plan/fuse.test.ts'],
  },
  {
    name: 'fuse: an expression may read one buffer too many',
    file: 'src/plan/lower/fuse.ts',
    search: 'if (buffers.size <= maxBuffers &&',
    replace: 'if (buffers.size <= maxBuffers + 1 &&',
    tests: ['test/plan/fuse.test.ts'],
  },
  {
    name: 'plan: a state that is another output is overwritten before it is copied',
    file: 'src/plan/plan-builder.ts',
    search: "if (this.#buffers[copy.from]!.life !== 'state') return copy;",
    replace: 'if (this.#buffers[copy.from]) return copy;',
    tests: ['test/plan/plan-builder.test.ts'],
  },
  {
    name: 'select: split-K is not halved where its sums do not fit',
    file: 'src/plan/select/recurrent-candidates.ts',
    search: 'while (slices > 1 && !fits({ ...tile, slices })) slices /= 2;',
    replace: '',
    tests: ['test/plan/select/candidates.test.ts'],
  },
  {
    name: 'select: an override leaves kernels that the device cannot run',
    file: 'src/plan/select/recurrent-candidates.ts',
    search: 'return named.some((candidate) => candidate.refusal() === undefined) ? named : all;',
    replace: 'return named.length > 0 ? named : all;',
    tests: ['test/plan/select/candidates.test.ts'],
  },
  {
    name: 'select: a persistent kernel costs nothing to set up',
    file: 'src/plan/select/recurrent-candidates.ts',
    search: 'cost: setup + steps * (stepTime + proposal.excess),',
    replace: 'cost: steps * (stepTime + proposal.excess),',
    tests: ['test/plan/select/candidates.test.ts'],
  },
  {
    name: 'select: weights in registers take as many rows as the batch has',
    file: 'src/plan/select/recurrent-candidates.ts',
    search: 'Math.min(maxRows, Math.max(1, Math.floor(persistent.unrolledDots / vec4s)))',
    replace: 'maxRows',
    tests: ['test/plan/select/candidates.test.ts'],
  },
  {
    name: 'select: a bidirectional layer counts as one direction',
    file: 'src/plan/select/recurrent-candidates.ts',
    search: "direction === 'bidirectional' ? 2 : 1;",
    replace: "direction === 'bidirectional' ? 1 : 1;",
    tests: ['test/plan/select/candidates.test.ts'],
  },
  {
    name: 'select: the subgroups of one lane are used for split-K',
    file: 'src/plan/select/recurrent-candidates.ts',
    search: 'if (!tuning.stepSplitK || subgroupSize <= 1) return undefined;',
    replace: 'if (!tuning.stepSplitK) return undefined;',
    tests: ['test/plan/select/candidates.test.ts'],
  },
  {
    name: 'stacks: layers with other attributes are a stack',
    file: 'src/plan/select/find-stacks.ts',
    search: 'JSON.stringify(below.node.attributes) === JSON.stringify(above.node.attributes) &&',
    replace: '',
    tests: ['test/model/stack.test.ts'],
  },
  {
    name: 'stacks: a value that two nodes read is inside a stack',
    file: 'src/plan/select/find-stacks.ts',
    search: 'while (value && readers.get(value) === 1) {',
    replace: 'while (value && readers.get(value)! >= 1) {',
    tests: ['test/model/stack.test.ts'],
  },
  {
    name: 'wavefront: a layer is one chunk late',
    file: 'src/plan/lower/recurrent/wavefront.ts',
    search: 'const lowest = Math.max(0, wave - chunks + 1);',
    replace: 'const lowest = Math.max(0, wave - chunks);',
    tests: ['test/model/stack.test.ts'],
  },
  {
    name: 'recurrence: an odd number of steps leaves the states in the other buffer',
    file: 'src/plan/lower/recurrent/recurrence.ts',
    search: 'if ((steps - first) % 2 === 1) this.#swap();',
    replace: '',
    tests: KERNELS,
  },
  {
    name: 'layer: every chunk begins from zero',
    file: 'src/plan/lower/recurrent/layer.ts',
    search: 'const isFirst = fromZero && start === 0;',
    replace: 'const isFirst = fromZero;',
    tests: ['test/model/chunks.test.ts'],
  },
  {
    name: 'specialise: a value carried by a loop stays a constant',
    file: 'src/plan/specialize/partial-evaluator.ts',
    search: 'if (item instanceof Sequence || !item.constant) return item;',
    replace: 'if (item) return item;',
    tests: ['test/import/onnx-loop.test.ts', 'test/import/onnx-loop-model.test.ts'],
  },
  {
    name: 'specialise: an input that decides a shape is found one level deep only',
    file: 'src/plan/specialize/shape-inputs.ts',
    search: 'if (!needed.has(source)) needed.set(source, decider);',
    replace: 'if (needed.size < 2) needed.set(source, decider);',
    tests: ['test/plan/specialize/shape-inputs.test.ts'],
  },
];

const weights: readonly Mutant[] = [
  {
    name: 'pack: the directions of R are exchanged',
    file: 'src/plan/weights/pack.ts',
    search: 'const from = (dir * sourceRows + block * units + unit) * width + k;',
    replace:
      'const from = ((directions - 1 - dir) * sourceRows + block * units + unit) * width + k;',
    tests: KERNELS,
  },
  {
    name: 'pack: recurrent biases that fold are left out',
    file: 'src/plan/weights/pack.ts',
    search: 'out[dir * width + n] = folded ? source[dir * 2 * width + width + n]! : 0;',
    replace: 'out[dir * width + n] = folded ? 0 : 0;',
    tests: KERNELS,
  },
  {
    name: 'quantize: the scale is that of the last weight',
    file: 'src/plan/weights/quantize.ts',
    search: 'scales[row] = Math.max(scales[row]!, Math.abs(weights[i]!));',
    replace: 'scales[row] = Math.abs(weights[i]!);',
    tests: ['test/plan/quantize.test.ts'],
  },
  {
    name: 'quantize: half precision rounds up at ties',
    file: 'src/float16.ts',
    search: 'size + 0xfff + ((size >> 13) & 1)',
    replace: 'size + 0x1000',
    tests: ['test/plan/quantize.test.ts'],
  },
  {
    name: 'quantize: a weight beyond half precision is stored as infinity',
    file: 'src/plan/weights/quantize.ts',
    search: 'const HALF_END = 65520;',
    replace: 'const HALF_END = 65536;',
    tests: ['test/plan/quantize.test.ts'],
  },
];

const importers: readonly Mutant[] = [
  {
    name: 'gates: PyTorch LSTM is read in its own order',
    file: 'src/cells/gate-order.ts',
    search: 'pytorch: { rnn: [0], lstm: [0, 3, 1, 2], gru: [1, 0, 2] },',
    replace: 'pytorch: { rnn: [0], lstm: [0, 1, 2, 3], gru: [1, 0, 2] },',
    tests: ['test/import/pytorch-golden.test.ts', 'test/golden/pytorch.test.ts'],
  },
  {
    name: 'gates: the GRU of PyTorch is read as that of Keras',
    file: 'src/cells/gate-order.ts',
    search: 'gru: [1, 0, 2] },',
    replace: 'gru: [0, 1, 2] },',
    tests: ['test/import/pytorch-golden.test.ts', 'test/golden/pytorch.test.ts'],
  },
  {
    name: 'gates: the LSTM of Keras is read as that of ONNX',
    file: 'src/cells/gate-order.ts',
    search: 'keras: { rnn: [0], lstm: [0, 3, 1, 2]',
    replace: 'keras: { rnn: [0], lstm: [0, 1, 2, 3]',
    tests: ['test/import/tfjs-recurrent.test.ts', 'test/import/keras-recurrent.test.ts'],
  },
  {
    name: 'gates: the columns of a Keras kernel are rows',
    file: 'src/cells/gate-order.ts',
    search: 'const column = source * hidden + j;',
    replace: 'const column = j * order.length + source;',
    tests: ['test/cells/gate-order.test.ts'],
  },
  {
    name: 'onnx: linear_before_reset is ignored',
    file: 'src/import/onnx/recurrent.ts',
    search: "cell === 'gru' && read.int('linear_before_reset', 0) !== 0",
    replace: "cell === 'gru' && read.int('linear_before_reset', 0) > 1",
    tests: ['test/import/onnx-recurrent.test.ts'],
  },
  {
    name: 'onnx: the alphas of activations are all the first',
    file: 'src/import/onnx/recurrent.ts',
    search: 'remaining[key][used[key]++]',
    replace: 'remaining[key][0 * used[key]++]',
    tests: ['test/import/onnx-recurrent.test.ts'],
  },
  {
    name: 'onnx: an attribute that is given twice is the last one',
    file: 'src/import/onnx/attributes.ts',
    search: "if (found.has(proto.name)) throw new RnnError('INVALID_MODEL', where, 'given twice');",
    replace: '',
    tests: ['test/import/onnx-attacks.test.ts', 'test/import/onnx-graph.test.ts'],
  },
  {
    name: 'keras: reset_after of Keras 3 is that of Keras 2',
    file: 'src/import/keras/layers/dialect.ts',
    search: 'resetAfter: true,',
    replace: 'resetAfter: false,',
    tests: ['test/import/keras-recurrent.test.ts', 'test/import/keras-golden.test.ts'],
  },
  {
    name: 'keras: the hard sigmoid of Keras 3 has the slope of Keras 2',
    file: 'src/import/keras/layers/dialect.ts',
    search: 'hardSigmoidSlope: 1 / 6,',
    replace: 'hardSigmoidSlope: 0.2,',
    tests: ['test/import/keras-recurrent.test.ts', 'test/import/keras-layers.test.ts'],
  },
  {
    name: 'keras: a backward layer is not turned',
    file: 'src/import/keras/layers/bidirectional.ts',
    search: '{ ...read, goBackwards: !read.goBackwards }',
    replace: 'read',
    tests: ['test/import/tfjs-recurrent.test.ts', 'test/import/keras-recurrent.test.ts'],
  },
  {
    name: 'safetensors: two tensors may share bytes',
    file: 'src/import/safetensors.ts',
    search: 'if (begin !== at) {',
    replace: 'if (begin > at) {',
    tests: ['test/import/safetensors.test.ts'],
  },
  {
    name: 'safetensors: data may be shorter than a shape says',
    file: 'src/import/safetensors.ts',
    search: 'if (end - begin !== count * stored) {',
    replace: 'if (end - begin > count * stored) {',
    tests: ['test/import/safetensors.test.ts'],
  },
];

const streams: readonly Mutant[] = [
  {
    name: 'streams: a layer that runs backwards is streamed',
    file: 'src/plan/specialize/time-axis/rule-recurrent.ts',
    search: "if (direction !== 'forward') {",
    replace: "if (direction === 'bidirectional') {",
    tests: ['test/model/stream-directions.test.ts'],
  },
  {
    name: 'streams: a graph of layers alone is streamed backwards',
    file: 'src/backends/stateful-graph.ts',
    search: "direction !== 'forward'",
    replace: "direction === 'bidirectional'",
    tests: ['test/model/stream-directions.test.ts'],
  },
  {
    name: 'streams: a layer alone begins each chunk from what it is given',
    file: 'src/backends/stateful-graph.ts',
    search: ': given !== undefined && !isPaired',
    replace: ': given !== undefined && isPaired',
    tests: ['test/model/stream-directions.test.ts'],
  },
  {
    name: 'streams: a layer alone repeats no output of the chunk before',
    file: 'src/backends/stateful-graph.ts',
    search: 'return carrying(indices, repeats);',
    replace: 'return carrying(indices);',
    tests: ['test/model/stream-carry.test.ts'],
  },
  {
    name: 'streams: the cell state is not carried',
    file: 'src/backends/carry-nodes.ts',
    search: 'parts.forEach((part, k) => {',
    replace: 'parts.slice(0, 1).forEach((part, k) => {',
    tests: ['test/model/stream.test.ts', 'test/cells/own-cells.test.ts'],
  },
  {
    name: 'streams: a fork shares its state',
    file: 'src/backends/webgpu/stream.ts',
    search: 'this.#buffers = new Map(from.map(([name], i) => [name, buffers[i]!]));',
    replace: 'this.#buffers = new Map(from);',
    tests: ['test/model/stream.test.ts'],
  },
  {
    name: 'streams: reset leaves the state',
    file: 'src/backends/webgpu/stream.ts',
    search: 'if (this.#initial) this.#fill(state ?? this.#initial);',
    replace: 'if (this.#initial && state) this.#fill(state);',
    tests: ['test/model/stream.test.ts'],
  },
];

/** Every mutant. */
export const MUTANTS: readonly Mutant[] = [
  ...kernels,
  ...cells,
  ...planner,
  ...weights,
  ...importers,
  ...streams,
];
