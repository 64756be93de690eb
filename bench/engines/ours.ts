// This package, as an application uses it.
import { loadModel, tensor } from 'webgpu-rnn';
import { prepareWith } from './prepare-package.ts';

/** This package. */
export const prepareOurs = prepareWith('webgpu-rnn', { loadModel, tensor });
