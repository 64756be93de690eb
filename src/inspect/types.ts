// What `inspect` takes and gives.
import type { Attribute, ValueInfo } from '../graph.ts';
import type { LoadOptions } from '../load-options.ts';

/** Options of `inspect`. */
export interface InspectOptions extends Pick<
  LoadOptions,
  | 'format'
  | 'architecture'
  | 'cells'
  | 'limits'
  | 'integrity'
  | 'signal'
  | 'onProgress'
  | 'recurrentKernel'
  | 'wavefront'
  | 'weights'
> {
  /** Shapes of inputs to plan for, by name; free sizes that no shape tells are 1. */
  readonly dims?: Readonly<Record<string, readonly number[]>>;
  /** Numbers of the inputs that decide shapes or branches, see {@link Inspection.hostInputs}. */
  readonly values?: Readonly<Record<string, readonly number[]>>;
}

/** One operation of a model. */
export interface InspectedLayer {
  /** ONNX operator name, or `Recurrent`. */
  readonly op: string;
  /** Its name in the file, or one made up where that has none. */
  readonly name: string;
  /** Where it is, as in errors: `graph.nodes[3]`. */
  readonly path: string;
  /** Its attributes, by their ONNX names. */
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Shapes of its outputs at the sizes of the plan; empty where there is no plan. */
  readonly shapes: readonly (readonly number[])[];
  /** Numbers of its weights, counted as in {@link Inspection.parameters}. */
  readonly parameters: number;
  /** Names of the kernels that run for it, in order; empty where there is no plan. */
  readonly kernels: readonly string[];
  /** How often they run. */
  readonly dispatches: number;
}

/** What one call would do on a GPU with the limits that every WebGPU device has. */
export interface InspectedPlan {
  /** Shapes of the inputs. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Shapes of the outputs. */
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  /** Runs of each kernel by its name. */
  readonly kernels: Readonly<Record<string, number>>;
  /** Runs of all kernels together. */
  readonly dispatches: number;
  /** Floating point operations, roughly. */
  readonly flops: number;
  /** Bytes of the buffers that live within a call. */
  readonly scratchBytes: number;
  /** Bytes of the weights in the layout of the kernels, and of other constants of theirs. */
  readonly weightBytes: number;
  /** The plan in full, one buffer or command a line: for reading. */
  readonly text: string;
  /** The WGSL of every kernel of the plan, in the order of their first runs. */
  readonly shaders: readonly InspectedShader[];
}

/** What one call does on the wasm backend. */
export interface InspectedCpu {
  /** Calls into WebAssembly: 1 where every node has a kernel, 0 where nothing is left to compute. */
  readonly calls: number;
  /** Runs of kernels in all of them. */
  readonly kernels: number;
  /**
   * Nodes that have no kernel there: the float64 code of the reference computes them, which is slow. Layers of a cell of
   * the caller's are among them only where weights are fed: else kernels multiply for the step of the cell.
   */
  readonly withoutKernel: readonly {
    /** Name of the operator. */
    readonly op: string;
    /** Name of the node. */
    readonly name: string;
    /** Where it is, as in errors. */
    readonly path: string;
  }[];
}

/** The source of one kernel. */
export interface InspectedShader {
  /** Name of the kernel, as in {@link InspectedPlan.kernels}; variants of a kernel share it. */
  readonly name: string;
  /** WGSL, as the device compiles it. */
  readonly source: string;
}

/** What `inspect` tells. */
export interface Inspection {
  /** Name of the model, as its file says it. */
  readonly name: string;
  /** Name, element type and shape of each input; a free dimension is a string. */
  readonly inputs: readonly ValueInfo[];
  /** The same of each output. */
  readonly outputs: readonly ValueInfo[];
  /** What runs, in order; what only computes shapes is left out where there is a plan. */
  readonly layers: readonly InspectedLayer[];
  /**
   * Numbers of all weights, as the framework that trained them counts: without single numbers such
   * as an exponent, initial states of zeros, and the second bias of a layer where it is all zeros.
   */
  readonly parameters: number;
  /** Bytes of these numbers once decoded. */
  readonly bytes: number;
  /** Nodes whose operators this engine lacks; `loadModel` refuses a model with one. */
  readonly unsupported: readonly {
    /** Name of the operator. */
    readonly op: string;
    /** Name of the node. */
    readonly name: string;
    /** Where it is, as in errors. */
    readonly path: string;
  }[];
  /** Inputs whose numbers, not only shapes, decide what runs. */
  readonly hostInputs: readonly string[];
  /** What one call would do; undefined where that cannot be told, see {@link Inspection.unplanned}. */
  readonly plan: InspectedPlan | undefined;
  /** What one call would do without a GPU; undefined where there is no plan. */
  readonly cpu: InspectedCpu | undefined;
  /** Why there is no plan. */
  readonly unplanned: string | undefined;
}
