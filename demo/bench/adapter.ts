// What computes here, as far as the browser tells.
import { describeAdapter } from '../../bench/adapter.ts';
import { clockStep } from './clock.ts';

/** The machine, for the panel and the export. */
export interface Machine {
  /** Vendor, architecture and so on in a line; `none` where there is no adapter. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** Whether a CPU stands in for the GPU. */
  readonly software: boolean;
  /** Why there is no adapter. */
  readonly absent?: string;
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  readonly browser: string;
  readonly cores: number;
  /** Milliseconds from one reading of the clock to the next that differs. */
  readonly clock: number;
  /** Whether pages get threads in WebAssembly. */
  readonly isolated: boolean;
}

// Those that decide which recurrent kernels fit.
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
] as const;
const FEATURES = ['timestamp-query', 'subgroups', 'shader-f16'];

/** The newest browser engine that the user agent names. */
function browserOf(agent: string): string {
  const found = /(?:Firefox|Edg|OPR|Chrome)\/[\d.]+/g;
  const names = agent.match(found) ?? /Version\/[\d.]+.*Safari/.exec(agent);
  return names?.at(-1)?.replace('/', ' ') ?? agent;
}

/** Asks the browser. */
export async function examine(): Promise<Machine> {
  const common = {
    browser: browserOf(navigator.userAgent),
    cores: navigator.hardwareConcurrency,
    clock: clockStep(),
    isolated: crossOriginIsolated,
  };
  const gpu = (navigator as { gpu?: GPU }).gpu;
  const adapter = await gpu
    ?.requestAdapter({ powerPreference: 'high-performance' })
    .catch(() => null);
  if (!adapter) {
    const secure = isSecureContext
      ? 'This browser has no WebGPU.'
      : 'WebGPU needs https or localhost.';
    const absent = gpu ? 'WebGPU is there but offers no adapter.' : secure;
    const nothing = { name: 'none', vendor: '', architecture: '', software: false };
    return { ...nothing, absent, limits: {}, features: [], ...common };
  }
  const { parts, vendor, architecture, software } = describeAdapter(adapter.info);
  return {
    name: parts.join(' · ') || 'unnamed',
    vendor,
    architecture,
    software,
    limits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
    features: FEATURES.filter((feature) => adapter.features.has(feature)),
    ...common,
  };
}
