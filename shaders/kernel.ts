// What a kernel is: WGSL with its buffers and parameters declared by name, as plain data. The
// `@group` and `@binding` numbers and the parameter struct are generated here and nowhere else.

/** Access and element type of a storage buffer. `write` also reads: WGSL has no write-only. */
export type BindingType =
  `${'read' | 'write'} ${'f32' | 'i32' | 'u32' | 'vec2u' | 'vec4f' | 'vec4h' | 'vec4i'}`;

/** Type of a scalar that a plan fixes. */
export type UniformType = 'u32' | 'i32' | 'f32';

/** WGSL extensions that some kernels use where a device has them. */
export type Extension = 'f16' | 'subgroups';

/** A compute shader with everything a plan and a device need to know of it. */
export interface Kernel<B extends string = string, U extends string = string> {
  /** For labels and error messages. */
  readonly name: string;
  /** Storage buffers by name, in binding order. */
  readonly bindings: Readonly<Record<B, BindingType>>;
  /** Scalars that a plan fixes, read as `params.NAME`. A new value compiles nothing. */
  readonly uniforms: Readonly<Record<U, UniformType>>;
  /** True where the kernel reads `iteration`, the number of the iteration of the loop it runs in. */
  readonly readsIteration: boolean;
  /** WGSL extensions that the device must have as features. */
  readonly enables: readonly Extension[];
  /** Whole WGSL source with entry point `main`. It identifies the pipeline. */
  readonly source: string;
}

/** Bytes of the parameter block of a kernel; uniform blocks are sized in units of 16. */
export function uniformBytes(kernel: Kernel): number {
  return Math.ceil(Object.keys(kernel.uniforms).length / 4) * 16;
}

/**
 * Makes a kernel from its body: the part after the declarations, with `@compute fn main`.
 * Bindings, uniforms and constants are declared under the names they have here.
 */
export function defineKernel<const B extends string, const U extends string>(options: {
  readonly name: string;
  readonly bindings: Readonly<Record<B, BindingType>>;
  readonly uniforms: Readonly<Record<U, UniformType>>;
  /** u32 constants of the source. */
  readonly constants?: Readonly<Record<string, number>>;
  readonly readsIteration?: boolean;
  readonly enables?: Iterable<Extension>;
  /** Comment that stands first. */
  readonly head?: string;
  readonly body: string;
}): Kernel<B, U> {
  const {
    name,
    bindings,
    uniforms,
    constants = {},
    readsIteration = false,
    head = '',
    body,
  } = options;
  const enables = [...new Set(options.enables)];
  const lines = enables.map((extension) => `enable ${extension};`);
  for (const [key, value] of Object.entries(constants)) lines.push(`const ${key} = ${value}u;`);
  const fields = Object.entries<string>(uniforms);
  if (fields.length > 0) {
    lines.push(`struct Params { ${fields.map(([key, type]) => `${key}: ${type}`).join(', ')} }`);
    lines.push('@group(0) @binding(0) var<uniform> params: Params;');
  }
  Object.entries<BindingType>(bindings).forEach(([key, type], i) => {
    const [access, element] = type.split(' ') as [string, string];
    const mode = access === 'read' ? 'read' : 'read_write';
    lines.push(`@group(0) @binding(${i + 1}) var<storage, ${mode}> ${key}: array<${element}>;`);
  });
  if (readsIteration) lines.push('@group(1) @binding(0) var<uniform> iteration: u32;');
  const source = `${head}${lines.join('\n')}\n${body.trim()}\n`;
  return { name, bindings, uniforms, readsIteration, enables, source };
}

/** The bindings or uniforms of a variant: those that are not false. */
export function present<T extends string>(
  declared: Readonly<Record<string, T | false | undefined>>,
): Record<string, T> {
  const kept = Object.entries(declared).filter(([, type]) => type !== false && type !== undefined);
  return Object.fromEntries(kept) as Record<string, T>;
}

/** Workgroups along x, y and z. */
export type Workgroups = readonly [number, number, number];

const MAX_WORKGROUPS = 65535; // maxComputeWorkgroupsPerDimension of every WebGPU device

/** Invocations of a workgroup of the kernels that compute one item in each invocation. */
export const ITEM_INVOCATIONS = 64;

/**
 * Bound of a loop that a `break` ends, as a constant that no loop reaches. Tint and naga add a 64-bit
 * counter to a loop that they cannot prove to be finite
 * (https://dawn.googlesource.com/dawn/+/refs/heads/main/src/tint/lang/core/ir/transform/prevent_infinite_loops.h,
 * https://github.com/gfx-rs/wgpu/pull/6929); Tint recognises a constant bound and adds none.
 */
export const MAX_TRIP_COUNT = 0x40000000;

/**
 * Workgroups of `size` invocations for `count` items, folded into two dimensions where one would not
 * do. The flat index of an invocation is `id.x + id.y * groups.x * size`, of `global_invocation_id` and
 * `num_workgroups`.
 */
export function gridOf(count: number, size: number): Workgroups {
  const groups = Math.ceil(count / size);
  const x = Math.min(groups, MAX_WORKGROUPS);
  return [x, x === 0 ? 0 : Math.ceil(groups / x), 1];
}
