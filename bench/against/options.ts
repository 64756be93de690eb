// What is compared, and how long it is measured.
import type { Shape } from '../shapes.ts';

/** What to compare, and how. */
export interface AgainstOptions {
  /** The old package: a .tgz of `npm pack`, or a folder with its dist/. */
  readonly against: string;
  /** The new package; the working tree when left out. */
  readonly fresh: string | undefined;
  readonly shapes: readonly Shape[];
  /** Seconds for a shape, both packages together; the minimum of rounds may take longer. */
  readonly seconds: number;
  /** Fresh processes or browsers of each package for a first result; 0 leaves first results out. */
  readonly samples: number;
  /** Where the results go; a file in bench/results/ when left out. */
  readonly json: string | undefined;
}

/** How long a row is measured: the minimum and maximum of rounds, and factors of the seconds and samples. */
export interface Duration {
  readonly rounds: readonly [min: number, max: number];
  readonly seconds: number;
  readonly samples: number;
}

/** Of a first measurement, and of one that is made again. */
export const durationOf = (again: boolean): Duration =>
  again
    ? { rounds: [84, 1600], seconds: 4, samples: 3 }
    : { rounds: [21, 400], seconds: 1, samples: 1 };

/** Shapes of first results: a layer of each cell, a stack, and both directions. */
export const FIRST_RESULT_SHAPES: readonly string[] = [
  'lstm-h128-b1-t64',
  'gru-h64-b1-t256',
  'lstm-h128-b1-t64-l3',
  'lstm-h128-b4-t64-bi',
];
