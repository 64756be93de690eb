// A plan: the buffers and the commands for one graph at one set of shapes. Plain data, made without
// a GPU, so that it can be read and tested without one.
import type { Kernel, Workgroups } from '../../shaders/kernel.ts';
import type { HostValue } from '../ops/operator.ts';
import type { DataType } from '../tensor.ts';

/** Index into `Plan.buffers`. */
export type BufferId = number;

/** Numbers of a weight in the layout its kernels read, made when they are uploaded. */
export type MakeWeight = () => Float32Array | Int32Array | Uint32Array;

/**
 * What a buffer is for, which decides who owns it: weights belong to the model and are shared by
 * all plans; state belongs to a stream; the rest belongs to the plan.
 */
export type PlanBuffer = {
  readonly label: string;
  /** Size in bytes, a multiple of 16. */
  readonly size: number;
} & (
  | { readonly life: 'weight'; readonly key: string; readonly make: MakeWeight }
  | { readonly life: 'constant'; readonly make: MakeWeight }
  /** An input by name: uploaded for each call, or, as state, kept by the stream. */
  | { readonly life: 'input' | 'state'; readonly name: string }
  /** `slot` is the place in the shared arena; scratch buffers whose lives overlap differ in it. */
  | { readonly life: 'scratch'; readonly slot: number }
);

/** One run of a kernel. */
export interface Dispatch {
  readonly kind: 'dispatch';
  /** Path of the node, for traces, timings and errors. */
  readonly label: string;
  readonly kernel: Kernel;
  readonly workgroups: Workgroups;
  readonly buffers: Readonly<Record<string, BufferId>>;
  readonly uniforms: Readonly<Record<string, number>>;
  /** Floating point operations, roughly: for splitting submits and for reports. */
  readonly flops: number;
}

/**
 * `even` and `odd` alternate for `steps` iterations in all; kernels may read the number of the iteration,
 * which begins at `first`.
 */
export interface Loop {
  readonly kind: 'loop';
  readonly first: number;
  /** At most {@link MAX_LOOP_STEPS}, `first` included. */
  readonly steps: number;
  readonly even: readonly Dispatch[];
  readonly odd: readonly Dispatch[];
}

/** Maximum iterations of one loop; their numbers are one small buffer that all loops share. */
export const MAX_LOOP_STEPS = 256;

/** A copy between buffers, from and to their start. */
export interface Copy {
  readonly kind: 'copy';
  readonly from: BufferId;
  readonly to: BufferId;
  /** Bytes, a multiple of 4. */
  readonly size: number;
}

/** What a device does, in order. */
export type Command = Dispatch | Loop | Copy;

/** Where an output is when the commands have run. */
export type PlanOutput = {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
} & ({ readonly buffer: BufferId } | { readonly host: HostValue });

/** Buffers and commands for one graph at one set of shapes. */
export interface Plan {
  readonly buffers: readonly PlanBuffer[];
  readonly commands: readonly Command[];
  readonly outputs: readonly PlanOutput[];
  /** Bytes of each slot of the scratch arena. */
  readonly arena: readonly number[];
  /** Kernels that other sizes need, to be compiled with those of this plan. */
  readonly precompiled: readonly Kernel[];
  /** Which kernels its recurrent layers have, in the order in which they were selected. */
  readonly selections: readonly Selection[];
}

/** What was selected for some layers, and from what. */
export interface Selection {
  /** Paths of the nodes: of one layer, or of the layers of a stack from the bottom. */
  readonly labels: readonly string[];
  /** What a tuning cache knows it by. */
  readonly key: string;
  /** Name of the candidate that was selected. */
  readonly selected: string;
  /** All candidates, the selected one included. */
  readonly candidates: readonly {
    readonly name: string;
    /** Estimated time, in time steps of one layer by the adapter's best step kernel. */
    readonly cost: number;
    /** Why the device cannot run it; undefined where it can. */
    refusal(): string | undefined;
  }[];
}

/** Every dispatch of a plan, those of a loop once. */
export function dispatchesOf({ commands }: Plan): readonly Dispatch[] {
  return commands.flatMap((command) => {
    if (command.kind === 'copy') return [];
    return command.kind === 'loop' ? [...command.even, ...command.odd] : [command];
  });
}

/** Every run of a kernel, with how often it runs. */
export function runsOf({ commands }: Plan): { dispatch: Dispatch; times: number }[] {
  return commands.flatMap((command) => {
    if (command.kind === 'copy') return [];
    if (command.kind === 'dispatch') return [{ dispatch: command, times: 1 }];
    const { steps, even, odd } = command;
    return [
      ...even.map((dispatch) => ({ dispatch, times: Math.ceil(steps / 2) })),
      ...odd.map((dispatch) => ({ dispatch, times: Math.floor(steps / 2) })),
    ].filter(({ times }) => times > 0);
  });
}

/** The candidate that each recurrent layer has, by its path. */
export function selectedOf({ selections }: Plan): Readonly<Record<string, string>> {
  // The layers of a stack that computes one after another follow it, each with its own.
  return Object.fromEntries(
    selections.flatMap(({ labels, selected }) => labels.map((label) => [label, selected])),
  );
}

/** The kernels of a plan by their source, those that it only precompiles included. */
export function kernelsOf(plan: Plan): ReadonlyMap<string, Kernel> {
  const used = [...dispatchesOf(plan).map(({ kernel }) => kernel), ...plan.precompiled];
  return new Map(used.map((kernel) => [kernel.source, kernel]));
}
