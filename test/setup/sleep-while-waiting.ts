// As `webgpu-rnn/node` does: while a device works, the thread of a test does not take a core from the adapter.
import { environment } from '../../src/environment.ts';
import { mainThread, Sleeper } from '../../src/node/sleep-while-waiting.ts';

const sleeper = new Sleeper(mainThread);
environment.restWhile = (work) => sleeper.sleepWhilePending(work);
