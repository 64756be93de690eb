// Where Keras 2, Keras 3 and TF.js mean different things by the same config.

/** The meaning of a config in one framework. A model computes as the framework that made it. */
export interface Dialect {
  readonly name: 'tfjs' | 'keras2' | 'keras3';
  /** Slope of the hard sigmoid max(0, min(1, slope·x + 0.5)). */
  readonly hardSigmoidSlope: number;
  /** `recurrent_activation` and `reset_after` where a config leaves them out. */
  readonly recurrentActivation: string;
  readonly resetAfter: boolean;
  /** Bidirectional writes zeros at the masked steps of a sequence. */
  readonly zeroMaskedBidirectional: boolean;
  /** An output before the first step that counts: zeros, or the initial state. */
  readonly startsMaskedAt: 'zero' | 'state';
  /** How Add, Multiply … join the masks of their inputs. */
  readonly mergesMasks: 'and' | 'or';
  /** GlobalAveragePooling1D leaves masked steps out of the mean. */
  readonly maskedMean: boolean;
  /** Axis of the Softmax layer where its config names none. */
  readonly softmaxAxis: number;
  /**
   * Running a model, TF.js hands the last mask it has seen to every later layer, also where its own
   * rules have dropped it (`kwargs` outlives the loop in tfjs-layers/src/engine/executor.ts).
   */
  readonly masksLinger: boolean;
}

/**
 * TF.js 4.22, which trains and runs by the same rules.
 * https://github.com/tensorflow/tfjs/tree/master/tfjs-layers/src/layers
 */
export const TFJS: Dialect = {
  name: 'tfjs',
  hardSigmoidSlope: 0.2,
  recurrentActivation: 'hard_sigmoid',
  resetAfter: false,
  zeroMaskedBidirectional: false,
  startsMaskedAt: 'state',
  mergesMasks: 'and',
  maskedMean: false,
  softmaxAxis: 1,
  masksLinger: true,
};

/** tf.keras up to 2.15. https://github.com/keras-team/tf-keras/tree/master/tf_keras/layers */
export const KERAS2: Dialect = {
  name: 'keras2',
  hardSigmoidSlope: 0.2,
  recurrentActivation: 'sigmoid',
  resetAfter: false, // the option is younger than the files that leave it out
  zeroMaskedBidirectional: true,
  startsMaskedAt: 'zero',
  mergesMasks: 'and',
  maskedMean: true,
  softmaxAxis: -1,
  masksLinger: false,
};

/** Keras 3. https://github.com/keras-team/keras/tree/master/keras/src/layers */
export const KERAS3: Dialect = {
  ...KERAS2,
  name: 'keras3',
  hardSigmoidSlope: 1 / 6,
  resetAfter: true,
  mergesMasks: 'or',
};

/** The dialect of the `keras_version` that a file carries: `tfjs-layers 4.22.0`, `2.15.0`, `3.4.1`. */
export function dialectOf(kerasVersion: string | undefined): Dialect {
  if (kerasVersion === undefined || kerasVersion.startsWith('tfjs')) return TFJS;
  return Number.parseInt(kerasVersion, 10) >= 3 ? KERAS3 : KERAS2;
}
