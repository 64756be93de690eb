// What the machine code of a kernel does in a time step, read from its text: loads from memory, by the loops around them.
//
// A block begins with its label, and RADV puts the blocks of a loop one after another: a branch to an earlier label
// closes a loop.

/** Instructions of a time step, of one invocation or, for scalar loads, of a subgroup. */
export interface StepLoads {
  /** Loads from buffers. Both sides of a branch are counted. */
  readonly loads: number;
  /** Loads from workgroup memory. */
  readonly sharedLoads: number;
  /** Whether a loop around loads has a number of iterations that the code does not tell: it is counted once. */
  readonly atLeast: boolean;
}

interface Loop {
  /** Lines of its first and last instruction. */
  readonly first: number;
  readonly last: number;
}

const BRANCH = /^s_c?branch(?:_\w+)? (BB\d+)/;
const BUFFER_LOAD = /^(?:buffer|global|flat|s_buffer)_load_/;
const SHARED_LOAD = /^ds_(?:load|read)/;
const COMPARE = /^s_cmpk?_(ge|gt|le|lt|eq|lg)_[ui]32 (s\d+), (-?\w+)/;

/** Instructions and labels without the bytes behind them. */
const linesOf = (assembly: string): readonly string[] =>
  assembly
    .split('\n')
    .map((line) => line.replace(/\s*;.*$/, '').trim())
    .filter((line) => line !== '');

/** Loops from outside to inside. */
function loopsOf(lines: readonly string[]): readonly Loop[] {
  const labels = new Map(
    lines.flatMap((line, i): [string, number][] =>
      /^BB\d+:/.test(line) ? [[line.slice(0, line.indexOf(':')), i]] : [],
    ),
  );
  const ends = new Map<number, number>();
  for (const [i, line] of lines.entries()) {
    const target = labels.get(BRANCH.exec(line)?.[1] ?? '');
    if (target !== undefined && target <= i) ends.set(target, i);
  }
  return [...ends]
    .map(([first, last]) => ({ first, last }))
    .toSorted((a, b) => a.first - b.first || b.last - a.last);
}

const isInside = ({ first, last }: Loop, line: number): boolean => first <= line && line <= last;

/** The number that an operand is; NaN for a register. */
const literal = (operand: string): number =>
  /^-?(?:0x)?[\da-f]+$/.test(operand) ? Number(operand) : Number.NaN;

/** The number that a scalar register has before a line; NaN where that is no literal. */
function valueBefore(lines: readonly string[], line: number, register: string): number {
  const sets = new RegExp(`^s_\\w+ (?:${register}|s\\[\\d+:\\d+\\]), `);
  const found = lines.slice(0, line).findLast((each) => sets.test(each)) ?? '';
  const move = new RegExp(`^s_movk?_[ib]32 ${register}, (\\S+)$`).exec(found);
  return move ? literal(move[1]!) : Number.NaN;
}

/**
 * How often a loop runs: for one that ends by comparing a counter with a literal.
 *
 * @returns NaN for any other
 */
function iterationsOf(lines: readonly string[], loop: Loop): number {
  const body = lines.slice(loop.first, loop.last + 1);
  for (const [i, line] of body.entries()) {
    const compare = COMPARE.exec(line);
    const bound = literal(compare?.[3] ?? '');
    if (!compare || Number.isNaN(bound)) continue;
    const branch = body.slice(i).find((each) => BRANCH.test(each));
    const target = lines.indexOf(`${BRANCH.exec(branch ?? '')?.[1]}:`);
    if (isInside(loop, target) && target !== loop.first) continue; // an if within the loop
    const register = compare[2]!;
    const add = new RegExp(`^s_add(?:k?_[ui]32) ${register}, (?:${register}, )?(\\S+)$`);
    const adds = body.filter((each) => add.test(each));
    if (adds.length !== 1) continue;
    const increment = literal(add.exec(adds[0]!)![1]!);
    const begin = valueBefore(lines, loop.first, register);
    const count = Math.ceil((bound - begin) / increment);
    if (count > 0) return count;
  }
  return Number.NaN;
}

/**
 * Counts the loads of a time step.
 *
 * @param loopsOverTime whether the kernel has a loop of all time steps, else it is one step
 * @throws Error where it should have that loop and has none
 */
export function stepLoads(assembly: string, loopsOverTime: boolean): StepLoads {
  const lines = linesOf(assembly);
  const loops = loopsOf(lines);
  // Everything but the first state is within the loop over time, so it is the longest.
  const time = loopsOverTime
    ? loops.toSorted((a, b) => b.last - b.first - (a.last - a.first))[0]
    : { first: 0, last: lines.length - 1 };
  if (!time) throw new Error('the kernel has no loop, so none over time steps');
  const inner = loops
    .filter((loop) => loop !== time && isInside(time, loop.first) && loop.last <= time.last)
    .map((loop) => ({ ...loop, iterations: iterationsOf(lines, loop) }));
  let [loads, sharedLoads, atLeast] = [0, 0, false];
  for (let i = time.first; i <= time.last; i++) {
    const line = lines[i]!;
    const [isLoad, isShared] = [BUFFER_LOAD.test(line), SHARED_LOAD.test(line)];
    if (!isLoad && !isShared) continue;
    const around = inner.filter((loop) => isInside(loop, i)).map(({ iterations }) => iterations);
    const times = around.reduce((all, count) => all * (Number.isNaN(count) ? 1 : count), 1);
    atLeast ||= around.some(Number.isNaN);
    if (isLoad) loads += times;
    else sharedLoads += times;
  }
  return { loads, sharedLoads, atLeast };
}
