// Holds the model. In a worker, so that a slow backend delays verdicts but never the page.
import type { DeviceLoss, Model, Stream } from 'webgpu-rnn';
import { RnnError, loadModel, tensor } from 'webgpu-rnn';
import { CONTEXT, Framer, HOP, SAMPLE_RATE } from './framing.ts';
import type { Answer, Device, Failure, Placement, Request } from './messages.ts';

const REPORT_MS = 30; // a little less than a frame lasts, so that live sound is reported frame by frame
const sr = tensor(BigInt64Array.of(BigInt(SAMPLE_RATE)), []);

let model: Model | undefined;
let stream: Stream | undefined;
let session = 0;
let ended = false;
let working = false;
/** Settled when the model goes on after the latest loss of its GPU, or has given up. */
let recovered = Promise.resolve();
const framer = new Framer();

const answer = (message: Answer, transfer: Transferable[] = []): void =>
  postMessage(message, { transfer });

function failureOf(error: unknown): Failure {
  if (error instanceof RnnError) {
    return { code: error.code, path: error.path, message: error.message };
  }
  const { name, message } = error as Error;
  return { code: name || 'Error', path: '', message };
}

async function judge(frame: Float32Array): Promise<number> {
  const begun = session;
  const feeds = { input: tensor(frame, [1, CONTEXT + HOP]), sr };
  for (;;) {
    try {
      const { output } = await stream!.step(feeds, { outputs: ['output'] });
      return Number(output!.data[0]);
    } catch (error) {
      if (!(error instanceof RnnError && error.code === 'DEVICE_LOST')) throw error;
      await recovered;
      // The stream goes on from its checkpoint, the frame before. It has been reset if another sound has begun.
      if (begun !== session) return Number.NaN;
    }
  }
}

/** Tells the page of a loss, and how it ends. */
function tellLoss(loss: DeviceLoss): void {
  const of = model; // undefined while it is being loaded
  ({ recovered } = loss);
  const failure = { code: 'DEVICE_LOST', path: 'device', message: loss.message };
  answer({ type: 'lost', failure });
  recovered.then(
    () => of && answer({ type: 'recovered', adapter: of.adapter }),
    (error: unknown) => {
      // A step that is under way says so itself, and a model that was replaced has nothing to say.
      if (of && of === model && !working) failJudging(failureOf(error));
    },
  );
}

function failJudging(failure: Failure): void {
  framer.clear();
  if (failure.code === 'DEVICE_LOST') stream = undefined; // it will not come back by itself
  answer({ type: 'failed', during: 'judge', failure });
}

async function open(url: string, device: Device): Promise<void> {
  model?.dispose();
  [model, stream] = [undefined, undefined];
  model = await loadModel(url, {
    device,
    onProgress: ({ loaded, total }) => answer({ type: 'loading', loaded, total }),
    onDeviceLost: tellLoss,
  });
  answer({ type: 'compiling' });
  stream = model.stream({ state: { stateN: 'state' }, checkpoint: 1 });
  await judge(new Float32Array(CONTEXT + HOP)); // shaders compile now rather than while somebody speaks
  stream.reset();
}

async function load(url: string, device: Device): Promise<void> {
  const start = performance.now();
  let gaveUp: Failure | undefined;
  try {
    await open(url, device);
  } catch (error) {
    const failure = failureOf(error);
    // `auto` stands in for a missing GPU by itself. One that is there and fails is worth telling.
    const gpuFailed = device === 'auto' && failure.code !== 'INVALID_MODEL';
    if (!gpuFailed) {
      answer({ type: 'failed', during: 'load', failure });
      return;
    }
    gaveUp = failure;
    try {
      await open(url, 'wasm');
    } catch {
      answer({ type: 'failed', during: 'load', failure });
      return;
    }
  }
  const { backend, adapter } = model!;
  const reason = model!.reason.replace(/^device: /, ''); // the path of an error says nothing here
  const startMs = performance.now() - start;
  const placement: Placement = { backend, adapter, reason, startMs, ...(gaveUp && { gaveUp }) };
  answer({ type: 'ready', placement });
}

/** Lets messages in. A backend on the CPU may otherwise keep this thread to itself. */
const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(0);
  });

async function work(): Promise<void> {
  if (working) return;
  working = true;
  let current = session;
  try {
    let probabilities: number[] = [];
    let times: number[] = [];
    let reported = performance.now();
    const report = (): void => {
      if (current === session && probabilities.length > 0) {
        const judged = [Float32Array.from(probabilities), Float32Array.from(times)] as const;
        const transfer = judged.map(({ buffer }) => buffer);
        const message = { session, probabilities: judged[0], times: judged[1] };
        answer({ type: 'judged', ...message, waiting: framer.ready }, transfer);
      }
      current = session;
      probabilities = [];
      times = [];
      reported = performance.now();
    };
    for (let frame = framer.next(); frame; frame = framer.next()) {
      const start = performance.now();
      const probability = await judge(frame);
      const end = performance.now();
      if (current === session) {
        probabilities.push(probability);
        times.push(end - start);
      }
      if (current !== session || end - reported >= REPORT_MS || framer.ready === 0) {
        report();
        await breathe();
        current = session;
      }
    }
    if (ended) answer({ type: 'done', session });
    ended = false;
  } catch (error) {
    if (current !== session) return; // a step of a model that has been replaced
    failJudging(failureOf(error));
  } finally {
    working = false;
  }
}

let loads = Promise.resolve(); // one after the other: each replaces the model of the one before

addEventListener('message', ({ data }: MessageEvent<Request>) => {
  if (data.type === 'load') {
    loads = loads.then(() => load(data.url, data.device));
  } else if (data.type === 'begin') {
    session = data.session;
    ended = false;
    framer.clear();
    stream?.reset();
  } else if (data.session === session && stream) {
    if (data.type === 'samples') {
      framer.push(data.samples);
    } else {
      framer.end();
      ended = true;
    }
    void work();
  }
});
