// Predicts the calls of one graph, and chooses a side for each.
import type { CheckedCall } from '../backends/prepare-call.ts';
import { RnnError } from '../errors.ts';
import type { PlanRequest } from '../plan/index.ts';
import { choose, predict, reasonOf } from './predict.ts';
import type { Calibration, Prediction, Side } from './predict.ts';
import { workOf } from './work.ts';

/** A side and why it is taken. */
export interface Choice {
  readonly side: Side;
  readonly reason: string;
}

/** The choice of a call with feeds or results on the GPU, which has none. */
export const STAYS_ON_GPU: Choice = {
  side: 'webgpu',
  reason: 'webgpu: tensors that stay on the GPU',
};

/** Shapes whose predictions are remembered. */
const MAX_SHAPES = 64;

/** Predicts calls of one graph. */
export class Judge {
  readonly #calibration: Calibration;
  readonly #request: Omit<PlanRequest, 'outputs'>;
  readonly #predictions = new Map<string, Prediction | Choice>();

  /** @param request what plans of the graph are made with */
  constructor(calibration: Calibration, request: Omit<PlanRequest, 'outputs'>) {
    this.#calibration = calibration;
    this.#request = request;
  }

  /** @param before the side of the calls before */
  choose(call: CheckedCall, outputs: readonly string[], before: Side | undefined): Choice {
    const key = JSON.stringify([call.key, outputs]);
    let found = this.#predictions.get(key);
    if (!found) {
      found = this.#predict(call, outputs);
      call.release(); // the session of the side has a call of its own
      const [oldest] = this.#predictions.keys();
      if (this.#predictions.size >= MAX_SHAPES) this.#predictions.delete(oldest!);
      this.#predictions.set(key, found);
    }
    if ('side' in found) return found;
    const side = choose(found, before);
    return { side, reason: reasonOf(side, found) };
  }

  #predict(call: CheckedCall, outputs: readonly string[]): Prediction | Choice {
    try {
      return predict(workOf(call.specialized, { ...this.#request, outputs }), this.#calibration);
    } catch (error) {
      // What the GPU refuses the CPU may compute; what both refuse is refused by the CPU, and said by it.
      if (!(error instanceof RnnError)) throw error;
      return { side: 'wasm', reason: `wasm: the GPU refuses the work: ${error.message}` };
    }
  }
}
