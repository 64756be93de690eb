// Known-answer tests of recurrent kernels on the device, before a model uses them: drivers miscompile shaders, and
// wrong numbers look like any others.
//
// What is checked when: before the first plan of a model is compiled, every candidate that the plan has, or with
// `tune` every one that may be timed, computes a small layer of integers, whose sums float32 holds exactly; and where
// the device has subgroups, a kernel reads which invocations form one. Each of these runs once for each adapter as
// long as the page lives, so that later plans and models compile nothing for it. A candidate stands for its variant:
// other sizes, cells and weights in f16 or int8 are generated from the same WGSL.
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import { Program } from '../../gpu/program.ts';
import { makePlan } from '../../plan/index.ts';
import { projectCandidates } from '../../plan/select/project-candidates.ts';
import { cheapest } from '../../plan/select/select-kernel.ts';
import { hasBaseline } from '../../plan/select/tuning-tables.ts';
import type { RecurrentVariant, Tier } from '../../plan/select/variants.ts';
import { specializeGraph } from '../../plan/specialize/infer.ts';
import type { Plan } from '../../plan/types.ts';
import { tensor } from '../../tensor.ts';
import type { Executor } from './executor.ts';
import { submitAndRead } from './read-back.ts';
import { subgroupsAreFormed } from './subgroup-check.ts';

/** Input width, hidden units and batch rows: no multiples of a tile, so that padding is computed as well. */
const [I, H, B] = [5, 40, 5];

/** Time steps: states go back and forth between buffers. */
const T = 4;

/** What is known of an adapter. */
interface Findings {
  readonly passed: Set<string>;
  readonly excluded: Set<string>;
  /** Whether subgroups are what the device says; undefined before they have been checked. */
  subgroups: boolean | undefined;
  /** The checks under way: models that load at the same time wait for each other's. */
  last: Promise<unknown>;
}

const findingsByAdapter = new Map<string, Findings>();
// Of devices whose adapter has no name, as in Firefox: two of them may be different chips.
const findingsByDevice = new WeakMap<GPUDevice, Findings>();

/** Vendor, architecture, name and description of the adapter, as far as the browser tells them. */
function adapterOf({ resources }: Executor): readonly string[] {
  const { vendor, architecture, device, description } = resources.gpu.info;
  return [vendor, architecture, device, description].map((text) => text ?? '');
}

function findingsOf(executor: Executor): Findings {
  const names = adapterOf(executor);
  const key = JSON.stringify(names);
  const isNamed = names.some(Boolean);
  const { device } = executor;
  let found = isNamed ? findingsByAdapter.get(key) : findingsByDevice.get(device);
  if (!found) {
    found = {
      passed: new Set(),
      excluded: new Set(),
      subgroups: undefined,
      last: Promise.resolve(),
    };
    if (isNamed) findingsByAdapter.set(key, found);
    else findingsByDevice.set(device, found);
  }
  return found;
}

/** `count` integers from -1 to 1, the same for each seed. */
function integers(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes, section 7.1
    return ((state >>> 16) % 3) - 1;
  });
}

const [W, R, INITIAL] = [integers(H * I, 1), integers(H * H, 2), integers(B * H, 3)];

/** A layer h = max(0, W·x + R·h) over `steps` time steps. */
const layer = (steps: number): Graph => ({
  name: 'self-check',
  inputs: [{ name: 'X', type: 'float32', dims: [steps, B, I] }],
  outputs: [{ name: 'Y', type: 'float32', dims: [steps, 1, B, H] }],
  constants: new Map([
    ['W', tensor(W, [1, H, I])],
    ['R', tensor(R, [1, H, H])],
    ['initial', tensor(INITIAL, [1, B, H])],
  ]),
  nodes: [
    {
      op: 'Recurrent',
      name: 'layer',
      inputs: ['X', 'W', 'R', '', '', 'initial'],
      outputs: ['Y'],
      attributes: {
        cell: 'rnn',
        direction: 'forward',
        hidden: H,
        layout: 0,
        activations: ['Relu'],
        alphas: [Number.NaN],
        betas: [Number.NaN],
        clip: 0,
        coupled: false,
        resetAfter: false,
        maskedOutput: 'zero',
      },
    },
  ],
});

/** Y [steps, 1, B, H] of the layer: integers below 2^24 by far, so the order of sums does not matter. */
function knownOutput(x: Float32Array, steps: number): Float32Array {
  const y = new Float32Array(steps * B * H);
  let h = INITIAL;
  for (let t = 0; t < steps; t++) {
    const next = y.subarray(t * B * H, (t + 1) * B * H);
    for (let b = 0; b < B; b++) {
      for (let unit = 0; unit < H; unit++) {
        let sum = 0;
        for (let i = 0; i < I; i++) sum += W[unit * I + i]! * x[(t * B + b) * I + i]!;
        for (let k = 0; k < H; k++) sum += R[unit * H + k]! * h[b * H + k]!;
        next[b * H + unit] = Math.max(0, sum);
      }
    }
    h = next;
  }
  return y;
}

/** Checks the candidates of one model on its device. */
class SelfCheck {
  readonly #executor: Executor;
  readonly #findings: Findings;

  constructor(executor: Executor, found: Findings) {
    this.#executor = executor;
    this.#findings = found;
  }

  /** Without subgroups, where the device forms others than it says. */
  async subgroups(): Promise<void> {
    const { profile, device } = this.#executor;
    if (profile.subgroupSize === 0) return;
    if (this.#findings.subgroups === undefined) {
      const work = subgroupsAreFormed(device, profile);
      this.#findings.subgroups = await this.#executor
        .guard(work, 'the check of subgroups')
        .catch(this.#wrong);
      if (!this.#findings.subgroups) this.warn('does not use subgroups');
    }
    if (!this.#findings.subgroups) this.#executor.profile = { ...profile, subgroupSize: 0 };
  }

  /** Excludes the candidate where its result is wrong, or the projections without which it is right. */
  async candidate(name: RecurrentVariant, tier: Tier): Promise<void> {
    const { excluded, passed } = this.#findings;
    const key = `${tier} ${name}`;
    if (passed.has(key) || excluded.has(name)) return;
    const projects: string[] = [];
    while (!(await this.#isRight(name, tier, new Set([...excluded, ...projects])))) {
      const project = this.#projectOf(name, tier, new Set([...excluded, ...projects]));
      if (project === undefined) {
        this.#exclude(name);
        return;
      }
      projects.push(project);
    }
    for (const project of projects) this.#exclude(project);
    passed.add(key);
  }

  #exclude(name: string): void {
    this.#findings.excluded.add(name);
    this.warn(`does not use the kernel ${name}`);
  }

  /** False for a kernel that does not compile. A device that is lost or late has computed nothing wrong. */
  readonly #wrong = (error: unknown): false => {
    this.#executor.check();
    if (!(error instanceof RnnError) || error.code !== 'INTERNAL') throw error;
    return false;
  };

  warn(what: string): void {
    const adapter = adapterOf(this.#executor).filter(Boolean).join(' ') || 'unnamed GPU';
    console.warn(`webgpu-rnn ${what} on ${adapter}: a self-check got a wrong result`);
  }

  /** The projection of the layer, where there is another one to put in its place. */
  #projectOf(
    name: RecurrentVariant,
    tier: Tier,
    excluded: ReadonlySet<string>,
  ): string | undefined {
    if (name === 'single-step') return undefined;
    const candidates = projectCandidates(T * B, H, this.#executor.profile, { tier, excluded });
    const possible = candidates.filter((each) => each.refusal() === undefined);
    return possible.length > 1 ? cheapest(possible)?.name : undefined;
  }

  async #isRight(
    name: RecurrentVariant,
    tier: Tier,
    excluded: ReadonlySet<string>,
  ): Promise<boolean> {
    const { resources, profile } = this.#executor;
    const steps = name === 'single-step' ? 1 : T;
    const x = integers(steps * B * I, 4);
    const dims = new Map([['X', [steps, B, I]]]);
    const plan = makePlan(specializeGraph(layer(steps), { dims, host: new Map() }), {
      outputs: ['Y'],
      feedback: new Map(),
      device: profile,
      options: { recurrentKernel: name, tier, excluded },
    });
    const own = resources.another(); // the pipelines of a model are counted
    let program: Program | undefined;
    try {
      program = await this.#executor.during(Program.create(own, plan));
      const bindings = program.bind(new Map());
      program.upload('X', x);
      const encoder = program.record(resources.gpu.device.createCommandEncoder(), bindings);
      const reads = plan.outputs.flatMap((output) =>
        'buffer' in output ? [{ ...output, buffer: bindings.resolve(output.buffer) }] : [],
      );
      const [Y] = await this.#executor.during(submitAndRead(own, encoder, reads));
      const expected = knownOutput(x, steps);
      return expected.every((value, i) => value === Y!.data[i]);
    } catch (error) {
      return this.#wrong(error);
    } finally {
      program?.destroy();
      own.destroy();
    }
  }
}

/** Names of the candidates that a plan has, or with `all` that may be timed for it. */
function namesOf({ selections }: Plan, all: boolean): ReadonlySet<RecurrentVariant> {
  const names = selections.flatMap(({ selected, candidates }) =>
    all
      ? candidates.filter((each) => each.refusal() === undefined).map(({ name }) => name)
      : [selected],
  );
  const recurrent = names.map((name) => name.replace('wavefront ', ''));
  return new Set(recurrent.filter((name) => name !== 'sequential') as RecurrentVariant[]);
}

/**
 * Checks what the plans of a model need and no model on this adapter has needed before, see the top of the file.
 * Afterwards `executor.excluded` and `executor.profile` leave out what is wrong.
 *
 * @param planOf the plan to check, at a tier, without what has been excluded so far
 * @throws RnnError `DISPOSED` or `DEVICE_LOST`; `LIMIT_EXCEEDED` where no candidate is left
 */
export function selfCheck(executor: Executor, planOf: (tier: Tier) => Plan): Promise<void> {
  const found = findingsOf(executor);
  const { profile, options } = executor;
  const tiers: readonly Tier[] = hasBaseline(profile) ? ['baseline', 'optimized'] : ['optimized'];
  const work = found.last.then(async () => {
    const check = new SelfCheck(executor, found);
    executor.excluded = found.excluded;
    await check.subgroups();
    for (const tier of tiers) {
      let before: number;
      do {
        before = found.excluded.size;
        for (const name of namesOf(planOf(tier), options.tune === true)) {
          await check.candidate(name, tier);
        }
      } while (found.excluded.size > before); // what takes its place has to be checked as well
    }
  });
  found.last = work.catch(() => undefined);
  return work;
}
