// The trained networks: each a recurrent layer of 8 units and a dense layer, made in code from the tensors of a file.
import {
  dense,
  gru,
  loadModel,
  lstm,
  readSafetensors,
  rnn,
  sequential,
  softmax,
  tensor,
  type Model,
  type Tensor,
} from 'webgpu-rnn';
import report from '../assets/gates.json' with { type: 'json' };
import weightsUrl from '../assets/gates.safetensors?url';
import { CELLS, type CellName, type Sequence, type TaskName } from './tasks.ts';

/** Units of every layer. */
export const UNITS = 8;

/** Values [steps, UNITS] by name. */
export type Values = Readonly<Record<string, Float32Array>>;

/** What a layer computed over a sequence. */
export interface Episode {
  readonly cell: CellName;
  readonly steps: number;
  /** Gates and candidates by the names of `trace`. */
  readonly gates: Values;
  /** W·x + b of each gate. */
  readonly inputs: Values;
  /** R·h of each gate. */
  readonly products: Values;
  readonly states: Values;
  /** What the network says at each step, [steps, outputs]. */
  readonly answers: Float32Array;
  /** Largest difference between what the backend computed and the float64 steps of the trace. */
  readonly deviation: number;
}

/** The recurrent weights of a layer, [gates · UNITS, UNITS], and its gates in their order, as PyTorch keeps them. */
export interface RecurrentWeights {
  readonly R: Float32Array;
  /** Recurrent bias of the candidate of a GRU, inside the reset gate. */
  readonly candidateBias?: Float32Array;
}

/** What scripts/train/gates.py found of the networks, by task, cell and case. */
export interface Report {
  readonly tasks: Readonly<
    Record<TaskName, { figures: Readonly<Record<CellName, Readonly<Record<string, number>>>> }>
  >;
}

/** Where networks compute. */
export type DeviceChoice = 'auto' | 'webgpu' | 'wasm' | 'reference';

/** The {@link Report} of the networks. */
export const REPORT: Report = report;

const BUILDERS = { rnn, gru, lstm };

/** The networks of one device. */
export class Networks {
  readonly #models = new Map<string, Promise<Model>>();

  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #device: DeviceChoice;
  private constructor(tensors: ReadonlyMap<string, Tensor>, device: DeviceChoice) {
    this.#tensors = tensors;
    this.#device = device;
  }

  /** Fetches the weights. @throws Error where they do not come; RnnError where they are broken */
  static async load(): Promise<Networks> {
    const response = await fetch(weightsUrl);
    if (!response.ok) throw new Error(`${weightsUrl}: HTTP ${response.status}`);
    return new Networks(readSafetensors(new Uint8Array(await response.arrayBuffer())), 'auto');
  }

  /** The same networks on another device. */
  on(device: DeviceChoice): Networks {
    return new Networks(this.#tensors, device);
  }

  /** Frees the models. */
  dispose(): void {
    for (const model of this.#models.values()) void model.then((loaded) => loaded.dispose());
    this.#models.clear();
  }

  /** The model of a task and a cell, made at its first use. */
  model(task: TaskName, cell: CellName): Promise<Model> {
    const key = `${task}.${cell}`;
    let model = this.#models.get(key);
    if (!model) {
      model = loadModel(this.#graph(task, cell), { device: this.#device });
      this.#models.set(key, model);
    }
    return model;
  }

  /** Recurrent weights of a layer. */
  recurrentWeights(task: TaskName, cell: CellName): RecurrentWeights {
    const R = this.#parameter(task, cell, 'rnn.weight_hh_l0').data as Float32Array;
    if (cell !== 'gru') return { R };
    const bias = this.#parameter(task, cell, 'rnn.bias_hh_l0').data as Float32Array;
    return { R, candidateBias: bias.subarray(2 * UNITS) }; // PyTorch: r, z, n
  }

  /** Runs a sequence and traces the layer. @throws RnnError when the device fails */
  async run(task: TaskName, cell: CellName, sequence: Sequence): Promise<Episode> {
    const model = await this.model(task, cell);
    const steps = sequence.labels.length;
    const X = tensor(sequence.values, [1, steps, sequence.features]);
    const layer = `${cell}_0`;
    const { Y, trace } = await model.run({ X }, { trace: [layer] });
    const { gates, inputs, products, states, deviation } = trace[layer]!;
    const plain = (tensors: Readonly<Record<string, Tensor<'float32'>>>): Values =>
      Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));
    return {
      cell,
      steps,
      gates: plain(gates),
      inputs: plain(inputs),
      products: plain(products),
      states: plain(states),
      answers: Y!.data as Float32Array,
      deviation,
    };
  }

  /** Runs a sequence on the network of every cell. */
  async runAll(task: TaskName, sequence: Sequence): Promise<Record<CellName, Episode>> {
    const episodes = await Promise.all(CELLS.map((cell) => this.run(task, cell, sequence)));
    return Object.fromEntries(CELLS.map((cell, k) => [cell, episodes[k]!])) as Record<
      CellName,
      Episode
    >;
  }

  #graph(task: TaskName, cell: CellName) {
    const parameter = (name: string): Tensor => this.#parameter(task, cell, name);
    return sequential([
      BUILDERS[cell]({
        order: 'pytorch',
        W: parameter('rnn.weight_ih_l0'),
        R: parameter('rnn.weight_hh_l0'),
        B: [parameter('rnn.bias_ih_l0'), parameter('rnn.bias_hh_l0')],
      }),
      dense({ W: parameter('out.weight'), b: parameter('out.bias') }),
      ...(task === 'recall' ? [softmax()] : []),
    ]);
  }

  #parameter(task: TaskName, cell: CellName, name: string): Tensor {
    const found = this.#tensors.get(`${task}.${cell}.${name}`);
    if (!found) throw new Error(`gates.safetensors: lacks ${task}.${cell}.${name}`);
    return found;
  }
}
