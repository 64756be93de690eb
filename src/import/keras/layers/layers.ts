// The layers by class. A new layer is one function and one line of its family's table.
import { ATTENTION } from './attention.ts';
import { translateBidirectional } from './bidirectional.ts';
import { CELL_CLASSES } from './cells.ts';
import { CORE } from './core.ts';
import type { Translate } from './layer.ts';
import { MERGE } from './merge.ts';
import { translateRecurrent } from './recurrent.ts';
import { SCALING } from './scaling.ts';
import { SEQUENCE } from './sequence.ts';
import { SHAPE } from './shape.ts';
import { WINDOW } from './window.ts';

const RECURRENT: Readonly<Record<string, Translate>> = {
  ...Object.fromEntries([...CELL_CLASSES, 'RNN'].map((name) => [name, translateRecurrent])),
  Bidirectional: translateBidirectional,
};

/** Every layer that can be translated, models and InputLayer aside. */
export const LAYERS: ReadonlyMap<string, Translate> = new Map(
  [RECURRENT, CORE, SHAPE, MERGE, SEQUENCE, WINDOW, ATTENTION, SCALING].flatMap((family) =>
    Object.entries(family),
  ),
);

/** True for a layer that looks at the mask of its sequence. */
export const isRecurrent = (className: string): boolean => Object.hasOwn(RECURRENT, className);

/** The classes by name, for messages. */
export const supportedLayers = (): string =>
  [...LAYERS.keys(), 'InputLayer', 'Sequential', 'Functional', 'Model'].toSorted().join(', ');
