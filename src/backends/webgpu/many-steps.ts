// Several steps of a stream in one submit: what differs between them is uploaded as one table, and their results are
// read back at once.
import type { ModelResources } from '../../gpu/model-resources.ts';
import type { Staging } from '../../gpu/readback-pool.ts';
import { SUBMIT_FLOPS, type Bindings, type Program } from '../../gpu/program.ts';
import { fromDevice, type DeviceArray } from '../../plan/device-array.ts';
import type { Plan, PlanOutput } from '../../plan/types.ts';
import { sizeOf } from '../../tensor.ts';
import type { Tensor } from '../../tensor.ts';
import { arrivals, type ReadBack } from './read-back.ts';

/** What the steps are fed. */
export interface StepFeeds {
  /** How many steps there are. */
  readonly count: number;
  /** What differs between them: arrays [count, …] by the name of their input. */
  readonly each: readonly (readonly [name: string, data: DeviceArray])[];
}

/** What records plans, see executor.ts. */
interface Recorder {
  readonly device: GPUDevice;
  readonly resources: ModelResources;
  record(program: Program, bindings: Bindings, encoder: GPUCommandEncoder): GPUCommandEncoder;
}

/** The outputs of a plan that are on the device. */
export const readBacksOf = ({ plan }: Program, bindings: Bindings): ReadBack[] =>
  plan.outputs.flatMap((output): ReadBack[] =>
    'host' in output ? [] : [{ ...output, buffer: bindings.resolve(output.buffer) }],
  );

/** An output of all steps, [count, …]. */
export function repeated(output: PlanOutput, count: number): PlanOutput {
  const dims = [count, ...output.dims];
  if (!('host' in output)) return { ...output, dims };
  const { type, data } = output.host;
  const all = new Float64Array(count * data.length);
  for (let step = 0; step < count; step++) all.set(data, step * data.length);
  return { ...output, dims, host: { type, dims, data: all } };
}

/** Floating point operations of one step, roughly. */
const flopsOf = ({ commands }: Plan): number =>
  commands.reduce((sum, command) => {
    if (command.kind === 'copy') return sum;
    if (command.kind === 'dispatch') return sum + command.flops;
    const both = [...command.even, ...command.odd].reduce((all, { flops }) => all + flops, 0);
    return sum + (both * command.steps) / 2;
  }, 0);

/** What is read back: results of each step, and buffers as they are after the last one. */
export interface StepReads {
  readonly computed: readonly ReadBack[];
  readonly also: readonly ReadBack[];
}

/**
 * Submits the steps and reads their results back, once. Work is split into several submits only where it is so much
 * that it would stall a page.
 *
 * @returns the computed values of all steps, [count, …], then the others, when they have arrived
 * @throws RnnError `LIMIT_EXCEEDED` where no buffer can hold them; nothing has been submitted then
 */
export function submitSteps(
  recorder: Recorder,
  program: Program,
  bindings: Bindings,
  { count, each }: StepFeeds,
  { computed, also }: StepReads,
): Promise<Tensor[]> {
  const { device, resources } = recorder;
  let size = 0;
  const placed = (value: ReadBack, times: number) => {
    const place = { value, bytes: sizeOf(value.dims) * 4, offset: size };
    size += Math.ceil((place.bytes * times) / 16) * 16;
    return place;
  };
  const places = computed.map((value) => placed(value, count));
  const last = also.map((value) => placed(value, 1));
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const tables = resources.allocate(
    each.map(([name, data]) => ({ label: `steps of '${name}'`, size: data.byteLength, usage })),
  );
  const freeTables = (): void => tables.buffers.forEach((buffer) => buffer.destroy());
  let staging: Staging | undefined;
  try {
    staging = size > 0 ? resources.readback.acquire(size) : undefined;
  } catch (error) {
    freeTables();
    throw error;
  }
  const inputs = each.map(([name, data], i) => {
    const from = tables.buffers[i]!;
    device.queue.writeBuffer(from, 0, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    const to = program.buffersOf(name).map((id) => bindings.resolve(id));
    return { from, to, bytes: data.byteLength / count };
  });
  const flopsPerStep = flopsOf(program.plan);
  let encoder = device.createCommandEncoder();
  let flops = 0;
  const copy = ({ value, bytes, offset }: (typeof places)[number], step: number): void => {
    const at = offset + step * bytes;
    if (bytes > 0) encoder.copyBufferToBuffer(value.buffer, 0, staging!.buffer, at, bytes);
  };
  for (let step = 0; step < count; step++) {
    for (const { from, to, bytes } of inputs) {
      for (const buffer of to) encoder.copyBufferToBuffer(from, step * bytes, buffer, 0, bytes);
    }
    encoder = recorder.record(program, bindings, encoder);
    for (const place of places) copy(place, step);
    flops += flopsPerStep;
    if (flops <= SUBMIT_FLOPS) continue;
    device.queue.submit([encoder.finish()]);
    encoder = device.createCommandEncoder();
    flops = 0;
  }
  for (const place of last) copy(place, 0);
  device.queue.submit([encoder.finish()]);
  freeTables(); // when the work is done
  const take = (bytes: ArrayBuffer): Tensor[] => [
    ...places.map(({ value, offset }) =>
      fromDevice({ ...value, dims: [count, ...value.dims] }, bytes, offset),
    ),
    ...last.map(({ value, offset }) => fromDevice(value, bytes, offset)),
  ];
  const read = staging
    ? arrivals(resources, staging, size, take)
    : Promise.resolve(take(new ArrayBuffer(0)));
  read.catch(() => undefined); // that there is no room for the tables explains it
  return tables.room.then(() => read);
}
