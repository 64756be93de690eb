// What a page and a worker that runs its model say to each other, over a port of each model's own.
import type { BackendName, Tensors } from '../backends/backend.ts';
import type { WarmUpRange } from '../backends/warm-up-range.ts';
import type { RnnErrorData } from '../errors.ts';
import type { ValueInfo } from '../graph.ts';
import type { ModelSource, Progress } from '../import/source.ts';
import type { DeviceLoss, LoadOptions, StreamOptions } from '../load-options.ts';

/** The first message to a worker; `port` is transferred. Other messages of an app are none of ours. */
export interface Connect {
  readonly webgpuRnn: 'connect';
  readonly port: MessagePort;
}

/** What is asked of the other side, each answered once. `stream` is the number of a stream. */
export type Request =
  | {
      readonly type: 'load';
      readonly source: ModelSource;
      readonly options: LoadOptions;
      /** Whether losses of the device are to be told. */
      readonly losses: boolean;
    }
  | { readonly type: 'run'; readonly feeds: Tensors; readonly outputs: Outputs }
  | { readonly type: 'warmUp'; readonly feeds: Tensors | WarmUpRange; readonly outputs: Outputs }
  | { readonly type: 'stream'; readonly stream: number; readonly options: StreamOptions }
  | { readonly type: 'fork'; readonly stream: number; readonly from: number }
  | {
      readonly type: 'step' | 'warmUpStep';
      readonly stream: number;
      readonly feeds: Tensors;
      readonly outputs: Outputs;
    }
  | { readonly type: 'restore'; readonly stream: number; readonly state: unknown }
  | { readonly type: 'reset' | 'snapshot' | 'disposeStream'; readonly stream: number }
  | { readonly type: 'dispose' };

type Outputs = readonly string[] | undefined;

/** What is sent to the other side. */
export type ToWorker =
  | { readonly id: number; readonly request: Request }
  | { readonly id: number; readonly abort: true };

/** What a model says of itself. */
export interface About {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly backend: BackendName;
  readonly reason: string;
  readonly adapter: string;
}

/** `stream.steps` of some streams, by their numbers. */
export type Steps = readonly (readonly [stream: number, steps: number])[];

/** What became of a request. */
export type Outcome =
  | { readonly result: unknown; readonly about: About | undefined }
  | { readonly error: RnnErrorData };

/** What is told of the device: that it is lost, and later that the model has another one or an error. */
export type DeviceNews = { readonly steps: Steps } & (
  | { readonly lost: number; readonly loss: Omit<DeviceLoss, 'recovered'> }
  | { readonly recovered: number; readonly error?: RnnErrorData }
);

/** What comes back. */
export type FromWorker =
  | ({ readonly id: number; readonly steps: Steps } & Outcome)
  | { readonly id: number; readonly progress: Progress }
  | DeviceNews;
