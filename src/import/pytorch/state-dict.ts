// The tensors of a state_dict, handed out to layers one by one, so that none is forgotten.
import { RnnError } from '../../errors.ts';
import { isFloat, tensor, type Tensor } from '../../tensor.ts';
import type { PyTorchModule } from './architecture.ts';
import { wrongArchitecture } from './check.ts';

/** Tensors by name, and which of them have been asked for. */
export class StateDict {
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #used = new Set<string>();

  constructor(tensors: ReadonlyMap<string, Tensor>) {
    this.#tensors = tensors;
  }

  /** Names and tensors, in the order of the file. */
  get entries(): ReadonlyMap<string, Tensor> {
    return this.#tensors;
  }

  /** Names that no layer has asked for. */
  get unused(): readonly string[] {
    return [...this.#tensors.keys()].filter((name) => !this.#used.has(name));
  }

  /** The tensor that a layer calls `leaf`; what a layer says of its own tensors goes first. */
  find(layer: PyTorchModule, leaf: string): StateTensor | undefined {
    const own = layer.tensors && Object.hasOwn(layer.tensors, leaf) && layer.tensors[leaf];
    const name = own || (layer.name ? `${layer.name}.${leaf}` : leaf);
    const found = this.#tensors.get(name);
    if (found === undefined) return undefined;
    this.#used.add(name);
    return new StateTensor(name, found);
  }

  /**
   * Like {@link find}, where the layer cannot do without; `path` is that of the layer in the
   * architecture, undefined for one that was found out from the file.
   */
  get(layer: PyTorchModule, leaf: string, path: string | undefined): StateTensor {
    const found = this.find(layer, leaf);
    if (found) return found;
    const own = layer.tensors?.[leaf];
    const where = own === undefined ? `${path}.name` : `${path}.tensors.${leaf}`;
    const wanted = own ?? (layer.name ? `${layer.name}.${leaf}` : leaf);
    const others = listed([...this.#tensors.keys()]);
    if (path === undefined) {
      const what = `the file has no such tensor, expected one among ${others}`;
      throw new RnnError('INVALID_MODEL', `state_dict.${wanted}`, what);
    }
    throw wrongArchitecture(where, `the file has no tensor '${wanted}', it has ${others}`);
  }
}

/** The first few of many names. */
export function listed(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const rest = names.length > 8 ? `, and ${names.length - 8} more` : '';
  return `${names
    .slice(0, 8)
    .map((name) => `'${name}'`)
    .join(', ')}${rest}`;
}

/** A tensor with what a message calls it. */
export class StateTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly #tensor: Tensor;

  constructor(name: string, value: Tensor) {
    this.name = name;
    this.dims = value.dims;
    this.#tensor = value;
  }

  /** The error for a tensor that does not fit, with its path. */
  fail(expected: string): RnnError {
    const shape = `[${this.dims.join(', ')}]`;
    return new RnnError(
      'INVALID_MODEL',
      `state_dict.${this.name}`,
      `got shape ${shape}, expected ${expected}`,
    );
  }

  /** Refuses another shape; `meaning` says what the sizes stand for. */
  expect(dims: readonly number[], meaning: string): this {
    if (dims.length === this.dims.length && dims.every((dim, i) => dim === this.dims[i])) {
      return this;
    }
    throw this.fail(`[${dims.join(', ')}] (${meaning})`);
  }

  /** The numbers as float32. */
  floats(): Float32Array {
    const { type, data } = this.#tensor;
    if (!isFloat(type)) {
      throw new RnnError(
        'INVALID_MODEL',
        `state_dict.${this.name}`,
        `got ${type}, expected floating point numbers`,
      );
    }
    return data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);
  }

  /** The numbers as a constant of a graph. */
  constant(): Tensor<'float32'> {
    return tensor(this.floats(), this.dims);
  }
}
