// What rewriting a node needs of the graph around it.
import type { Tensor } from '../../tensor.ts';

/** What an upgrade may ask for. */
export interface UpgradeContext {
  /** Operator set of the file. */
  readonly opset: number;
  readonly path: string;
  /** Adds a constant to the graph and returns its name. */
  readonly constant: (base: string, value: Tensor) => string;
  /** A name for a new value. */
  readonly value: (base: string) => string;
  /** The numbers of a value that the file holds. */
  readonly known: (name: string) => Tensor | undefined;
}
