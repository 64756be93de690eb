// `npm run isa`: what it reads from the output of Dawn and of RADV; and both themselves, where they are installed.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { stepLoads } from '../../scripts/isa/assembly.ts';
import { CHIPS } from '../../scripts/isa/chips.ts';
import { chosenKernels } from '../../scripts/isa/chosen.ts';
import { GPUS, stepMicroseconds, stepWork } from '../../scripts/isa/model.ts';
import { missingTools, parseCompilation } from '../../scripts/isa/radv.ts';
import { defectOf, predictionLines, reportLines, reportOf } from '../../scripts/isa/report.ts';
import {
  descriptorsOf,
  invocationsOf,
  splitDump,
  withoutReconvergence,
} from '../../scripts/isa/spirv.ts';
import { DEFAULT_PROFILE } from '../../src/plan/select/device-profile.ts';
import { requires } from '../support/requires.ts';
import { ONLY_IN_FULL } from '../support/settings.ts';

const SPIRV = `; SPIR-V
               OpExtension "SPV_KHR_maximal_reconvergence"
               OpExecutionMode %9 LocalSize 16 4 1
               OpExecutionMode %9 MaximallyReconvergesKHR
               OpDecorate %1 DescriptorSet 0
               OpDecorate %1 Binding 0
               OpDecorate %8 Binding 3
               OpDecorate %8 DescriptorSet 1
          %1 = OpVariable %_ptr_Uniform__struct_3 Uniform
          %8 = OpVariable %_ptr_StorageBuffer__struct_10 StorageBuffer
         %32 = OpVariable %_ptr_Private_uint Private %34
`;

describe('SPIR-V that Dawn prints', () => {
  const dump = (file: string, spirv: string): string =>
    `\n=====KERNEL ${file}\ninfo:\n// Dumped WGSL:\nfn main() {}\ninfo:\n/* Dumped SPIRV disassembly */\n${spirv}`;

  test('is split by kernel', () => {
    const found = splitDump(
      `info: x\n${dump('/a.wgsl', SPIRV)}Warning: y\n${dump('/b.wgsl', '%2\n')}`,
    );
    expect([...found.keys()]).toEqual(['/a.wgsl', '/b.wgsl']);
    expect(found.get('/a.wgsl')).toBe(SPIRV);
    expect(found.get('/b.wgsl')).toBe('%2\n');
  });

  test('that is missing is an error with the file', () => {
    expect(() => splitDump('\n=====KERNEL /c.wgsl\nno\n')).toThrow(
      '/c.wgsl: Dawn printed no SPIR-V',
    );
  });

  test('has buffers at groups and bindings, and a size', () => {
    expect(descriptorsOf(SPIRV)).toEqual(['0.0.u', '1.3.s']);
    expect(invocationsOf(SPIRV)).toBe(64);
    expect(() => invocationsOf('OpNop')).toThrow('LocalSize');
  });

  test('loses the extension that older assemblers refuse, and nothing else', () => {
    const lines = withoutReconvergence(SPIRV).split('\n');
    expect(lines).toHaveLength(SPIRV.split('\n').length - 2);
    expect(lines.join('\n')).not.toMatch(/reconverge/i);
  });
});

// Instructions as ACO prints them, with their bytes, which hold hexadecimal numbers of every form.
const STEP = `BB0:
	s_load_b128 s[8:11], s[2:3], null                           ; f4080201 f8000000
	s_buffer_load_b128 s[20:23], s[8:11], null                  ; f4280504 f8000000
	s_mov_b32 s6, 0                                             ; be860080
BB1:
	buffer_load_b128 v[12:15], v9, s[12:15], 0 offen            ; e05c0000 80430c09
	buffer_load_b128 v[16:19], v9, s[12:15], 0 offen offset:1024 ; e05c0400 80431009
	ds_load_b128 v[100:103], v96                                ; dbfc0000 64000060
	s_add_u32 s6, s6, 4                                         ; 80068106
	s_cmpk_ge_u32 s6, 0x82                                      ; b6060080
	v_fmac_f32_e32 v1, s27, v15                                 ; 56021e1b
	s_cbranch_scc0 BB1                                          ; bfa1ffb5
BB5:
	s_cbranch_execz BB7                                         ; bfa50055
BB6:
	buffer_load_b32 v10, v10, s[8:11], 0 offen                  ; e0500000 80420a0a
	buffer_store_b32 v1, v11, s[8:11], 0 offen                  ; e0680000 8042010b
BB7:
	s_endpgm                                                    ; bfb00000
`;

/** A loop over time steps, whose number a uniform tells, around an inner loop that tests at its begin. */
const PERSISTENT = `BB0:
	s_mov_b32 s7, 0
BB1:
	buffer_load_dwordx4 v[4:7], v9, s[12:15], 0 offen
	s_add_u32 s7, s7, 1
	s_cmp_lt_u32 s7, 8
	s_cbranch_scc1 BB1
BB2:
	s_mov_b32 s0, 0
BB3:
	s_cmp_ge_u32 s0, s13
	s_cbranch_scc1 BB9
BB4:
	ds_read_b128 v[4:7], v9
	s_movk_i32 s5, 0x2
BB5:
	s_cmp_eq_i32 s5, 12
	s_cbranch_scc1 BB8
BB6:
	s_cmp_eq_u32 s9, 1
	s_cbranch_scc1 BB7
	buffer_load_dword v4, v9, s[12:15], 0 offen
BB7:
	s_addk_i32 s5, 2
	s_branch BB5
BB8:
	buffer_load_dword v4, v9, s[12:15], 0 offen
	s_add_u32 s0, s0, 1
	s_branch BB3
BB9:
	buffer_load_dword v4, v9, s[12:15], 0 offen
	s_endpgm
`;

describe('loads of a time step', () => {
  test('count as often as the loop around them, which compares a counter with a number', () => {
    // 0, 4, …, 128: 33 iterations with 2 loads; one of uniforms before, one of a branch behind.
    expect(stepLoads(STEP, false)).toEqual({ loads: 33 * 2 + 2, sharedLoads: 33, atLeast: false });
  });

  test('are those within the loop over time', () => {
    // The inner loop runs for 2, 4, …, 10. The 8 loads before the loop and the one behind it belong to no step.
    expect(stepLoads(PERSISTENT, true)).toEqual({ loads: 5 + 1, sharedLoads: 1, atLeast: false });
  });

  test('count once, and say so, in a loop whose iterations are not known', () => {
    const lanes = STEP.replace('s_mov_b32 s6, 0 ', 's_mov_b32 s6, s3');
    expect(stepLoads(lanes, false)).toEqual({ loads: 4, sharedLoads: 1, atLeast: true });
    const uniform = STEP.replace('s_cmpk_ge_u32 s6, 0x82', 's_cmp_ge_u32 s6, s9');
    expect(stepLoads(uniform, false)).toEqual({ loads: 4, sharedLoads: 1, atLeast: true });
    const twice = STEP.replace('\tv_fmac', '\ts_add_u32 s6, s6, 1\n\tv_fmac');
    expect(stepLoads(twice, false).atLeast).toBe(true);
  });

  test('need a loop where there should be one over time', () => {
    expect(() => stepLoads('BB0:\n\ts_endpgm\n', true)).toThrow('no loop');
  });
});

const STATISTICS = {
  'Driver pipeline hash': 7,
  VGPRs: 120,
  SGPRs: 128,
  'Spilled VGPRs': 0,
  'Spilled SGPRs': 0,
  'Scratch size': 0,
  'LDS size': 512,
  'Subgroups per SIMD': 32,
  Instructions: 300,
};

/** The output of the program that asks RADV, for one shader. */
const printed = (statistics: object, subgroupSize = 64): string =>
  [
    '#driver Mesa 25.0.7',
    `#shader /tmp/kernel-0.spv ${subgroupSize}`,
    ...Object.entries(statistics).map(([name, value]) => `#statistic ${value} ${name}`),
    `#assembly\n${STEP}`,
  ].join('\n');

describe('a report', () => {
  const [rdna, , gcn] = CHIPS;
  const kernel = {
    name: 'recurrent-step-0',
    candidate: 'step-split-k',
    wgsl: 'const ROWS = 4u;',
    workgroups: [8, 2, 1],
  };
  const layer = { cell: 'lstm', H: 8, B: 1, T: 64 } as const;
  const shader = { file: '/tmp/kernel-0.spv', descriptors: [], invocations: 64 };
  const report = (statistics: object = STATISTICS, chip = rdna!, subgroupSize = 64) => {
    const { codes } = parseCompilation(printed(statistics, subgroupSize));
    return reportOf({ chip, profile: chip.profiles[0]! }, layer, kernel, shader, codes[0]!);
  };

  test('has what RADV says of each shader', () => {
    const { driver, codes } = parseCompilation(`${printed(STATISTICS)}${printed(STATISTICS, 32)}`);
    expect(driver).toBe('Mesa 25.0.7');
    expect(codes.map(({ subgroupSize }) => subgroupSize)).toEqual([64, 32]);
    expect(codes[0]!.assembly).toContain('s_endpgm');
    expect(report()).toMatchObject({ workgroups: 16, invocations: 64, vgprs: 120, loads: 68 });
  });

  test('refuses other lines, and other statistics', () => {
    expect(() => parseCompilation('#shader a 64\n#statistic x y\n')).toThrow('#statistic x y');
    expect(() => report({ VGPRs: 1 })).toThrow(`no 'SGPRs', only VGPRs`);
  });

  test('counts the subgroups of a SIMD by their own size', () => {
    expect(report().subgroupsPerSimd).toBe(16);
    expect(report(STATISTICS, rdna, 32).subgroupsPerSimd).toBe(32);
    expect(report(STATISTICS, gcn).subgroupsPerSimd).toBe(32);
  });

  test('is below the bar with spills, scratch memory or no occupancy', () => {
    const defect = (statistics: object) => defectOf(report({ ...STATISTICS, ...statistics }));
    expect(defect({})).toBeUndefined();
    expect(defect({ 'Spilled SGPRs': 2, 'Spilled VGPRs': 3 })).toBe('5 registers spilled');
    expect(defect({ 'Scratch size': 64 })).toContain('64 bytes of scratch');
    expect(defect({ 'Subgroups per SIMD': 0 })).toContain('no subgroup');
  });

  test('predicts the GPUs whose subgroups it is planned for', () => {
    const { predicted } = report();
    expect(Object.keys(predicted)).toEqual(['Iris Xe 96 EU', 'Adreno 740']);
    const other = { ...report(), layer: 'gru-h8-b1', predicted: { H200: 2 } };
    const [head, ...lines] = predictionLines([report(), report(), other]);
    expect(head).toMatch(/^layer +RTX 4070 Laptop +Apple M2 +Iris Xe 96 EU +H200 +Adreno 740$/);
    const sum = (2 * predicted['Iris Xe 96 EU']!).toPrecision(3);
    expect(lines[0]).toMatch(new RegExp(`^lstm-h8-b1 +n/a +n/a +${sum} +n/a `));
    expect(lines[1]).toMatch(/^gru-h8-b1 +n\/a +n\/a +n\/a +2.00 +n\/a$/);
  });

  test('is a line of a table', () => {
    const [head, line, ...rest] = reportLines([{ ...report(), atLeast: true }]);
    expect(rest).toEqual([]);
    expect(head).toMatch(/^layer +kernel +groups +size +wave +VGPR/);
    expect(line).toMatch(/^lstm-h8-b1 +step-0 \(step-split-k\) +16 +64 +64 +120 .* ≥68 +≥33$/);
  });
});

describe('the predicted time of a step', () => {
  const gpu = (name: string) => GPUS.find((each) => each.name === name)!;
  const kernel = { candidate: '', wgsl: 'const ROWS = 4u;', workgroups: [256, 16, 1] };
  const step = { ...kernel, name: 'recurrent-step-0' };
  const persistent = { ...kernel, name: 'recurrent-persistent', workgroups: [1, 1, 1] };
  const layer = (H: number, B: number) => ({ cell: 'lstm', H, B, T: 64 }) as const;

  test('of weights that one core reads is bound by latency or by the bandwidth of the core', () => {
    const work = stepWork(layer(128, 1), persistent, { invocations: 128, loads: 132 })!;
    expect(work).toMatchObject({
      weightBytes: 4 * 128 * 128 * 4,
      rowBlocks: 1,
      isPersistent: true,
    });
    expect(stepMicroseconds(work, gpu('RTX 4070 Laptop'))).toBeCloseTo((132 / 6) * 0.14 + 0.5, 6);
    expect(stepMicroseconds(work, gpu('Apple M2'))).toBeCloseTo(262.144 / 41 + 0.8, 6);
    // Weights in registers: 4 loads are left, of 8 KB.
    const kept = stepMicroseconds({ ...work, loads: 4 }, gpu('Apple M2'));
    expect(kept).toBeCloseTo(Math.max((4 / 8) * 0.22, 8.192 / 41) + 0.8, 6);
  });

  test('of weights beyond the cache is bound by memory, once where rows go first', () => {
    const work = stepWork(layer(1024, 64), step, { invocations: 32, loads: 264 })!;
    expect(work).toMatchObject({ rowBlocks: 16, isRowsFirst: false });
    const bytes = 4 * 1024 * 1024 * 4;
    const base = 3.7 + 0.6 * 0.8;
    const m2 = { ...gpu('Apple M2'), peakTflops: 100 };
    expect(stepMicroseconds(work, m2)).toBeCloseTo(base + (16 * bytes) / 100e3, 6);
    const swapped = { ...step, workgroups: [16, 256, 1] };
    const rowsFirst = stepWork(layer(1024, 64), swapped, { invocations: 32, loads: 264 })!;
    expect(stepMicroseconds(rowsFirst, m2)).toBeCloseTo(base + (16 * bytes) / 400e3, 6);
    // int8 is within the cache.
    const small = stepWork(layer(1024, 64), step, { invocations: 32, loads: 264 }, 'int8')!;
    expect(stepMicroseconds(small, m2)).toBeCloseTo(base + (4 * bytes) / 400e3, 6);
  });

  test('of many rows is bound by arithmetic', () => {
    const work = stepWork(layer(256, 64), step, { invocations: 32, loads: 8 })!;
    const slow = { ...gpu('H200'), peakTflops: 1 };
    expect(stepMicroseconds(work, slow)).toBeCloseTo(3.8 + (2 * 4 * 256 * 256 * 64) / 0.55e6, 6);
  });

  test('is none of the input projection', () => {
    const project = { ...kernel, name: 'recurrent-project' };
    expect(stepWork(layer(8, 1), project, { invocations: 64, loads: 8 })).toBeUndefined();
  });
});

test('chosen kernels are those of the plan for a device, each once', () => {
  const shape = { cell: 'gru', H: 256, B: 1, T: 64 } as const;
  const names = (subgroupSize: number) =>
    chosenKernels(shape, { ...DEFAULT_PROFILE, subgroupSize }).map(({ name, candidate }) => [
      name,
      candidate,
    ]);
  expect(names(0)).toEqual([
    ['recurrent-project', 'step-split-k'],
    ['recurrent-step-0', 'step-split-k'],
  ]);
  expect(names(32)[1]).toEqual(['recurrent-step-0', 'step-subgroup']);
});

describe('the program', ONLY_IN_FULL, () => {
  const run = (options: readonly string[], env: NodeJS.ProcessEnv = process.env) => {
    const program = ['scripts/run-ts.mjs', 'scripts/isa/main.ts', ...options];
    return spawnSync(process.execPath, program, { encoding: 'utf8', env });
  };
  const missing = missingTools();
  const tools = requires(missing.length === 0, `no RADV, ${missing.join(', ')}`);

  test('passes kernels that do not spill, and fails one that does', tools, () => {
    const chosen = run(['--match', 'lstm-h128-b1', '--chip', 'RDNA3']);
    expect(chosen).toMatchObject({ status: 0 });
    expect(chosen.stdout).toMatch(/lstm-h128-b1 +persistent \(persistent-streamed\) +1 +128 /);
    const forced = ['--kernel', 'persistent-registers'];
    const spilling = run(['--match', 'lstm-h128-b1', '--chip', 'RDNA3', ...forced]);
    expect(spilling).toMatchObject({ status: 1 });
    expect(spilling.stderr).toMatch(/lstm-h128-b1 recurrent-persistent: \d+ registers spilled/);
  });

  test('says what is not installed, which is no failure', () => {
    const { status, stdout } = run([], { ...process.env, PATH: '' });
    expect(status).toBe(0);
    expect(stdout).toContain('nothing was compiled');
    expect(stdout).toContain('spirv-as (spirv-tools)');
  });
});
