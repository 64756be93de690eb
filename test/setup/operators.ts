// Tests that go around `loadModel` need what it would have loaded.
import { registerKernels } from '../../src/kernels.ts';
import { registerOperators } from '../../src/operators.ts';

registerOperators();
registerKernels();
