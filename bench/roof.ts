// How fast one core multiplies and adds in WebAssembly: sums that never leave its registers.
import { main } from 'assemblyscript/asc';

/** Instruction sets: a product and a sum, or one fused instruction where the processor has it. */
export type Arithmetic = 'mul+add' | 'relaxed madd';

/** As many sums as hide the latency of an addition, and leave registers for their factors. */
const SUMS = 10;
/** Four numbers, a product and an addition. */
const FLOPS = SUMS * 4 * 2;

function source(arithmetic: Arithmetic): string {
  const step = (k: number): string =>
    arithmetic === 'mul+add'
      ? `s${k} = f32x4.add(f32x4.mul(s${k}, y), x);`
      : `s${k} = f32x4.relaxed_madd(s${k}, y, x);`;
  const all = Array.from({ length: SUMS }, (_, k) => k);
  // Each sum is a factor of its next one, so that no product is the same twice.
  return `export function run(n: i32, seed: f32): f32 {
    const x = f32x4.splat(seed);
    const y = f32x4.splat(0.999);
    ${all.map((k) => `let s${k} = f32x4.splat(${k} * seed);`).join('\n')}
    for (let i = 0; i < n; i++) {
      ${all.map(step).join('\n')}
    }
    ${all
      .slice(1)
      .map((k) => `s0 = f32x4.add(s0, s${k});`)
      .join('\n')}
    return f32x4.extract_lane(s0, 0);
  }`;
}

/** Compiles and measures; undefined where this engine has no such instruction. */
export async function roofOf(arithmetic: Arithmetic): Promise<number | undefined> {
  let binary: Uint8Array | undefined;
  const features = arithmetic === 'mul+add' ? [] : ['--enable', 'relaxed-simd'];
  const options = ['roof.ts', '-O3', '--runtime', 'stub', '--enable', 'simd', ...features];
  const { error, stderr } = await main([...options, '-o', 'roof.wasm'], {
    readFile: (name) => (name === 'roof.ts' ? source(arithmetic) : null),
    writeFile: (name, contents) => {
      if (name.endsWith('.wasm')) binary = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || !binary) throw new Error(`AssemblyScript: ${stderr.toString()}`);
  const bytes = Uint8Array.from(binary);
  if (!WebAssembly.validate(bytes)) return undefined;
  const { instance } = await WebAssembly.instantiate(bytes);
  const run = instance.exports['run'] as (n: number, seed: number) => number;
  const count = 50_000;
  let best = Infinity;
  for (let round = 0; round < 60; round++) {
    const start = performance.now();
    run(count, 1);
    best = Math.min(best, performance.now() - start);
  }
  return (count * FLOPS) / best / 1e6;
}
