// The kernel of row-reduce.wgsl, for one sequence of reductions over rows.
import { functionsFor } from './functions.ts';
import { type BindingType, type Kernel, MAX_TRIP_COUNT } from './kernel.ts';
import { fragment, kernelOf, type Part } from './part.ts';
import elementsText from './row-reduce-elements.wgsl?raw';
import treeText from './row-reduce-tree.wgsl?raw';
import text from './row-reduce.wgsl?raw';
import { offsetUniforms, stridedOffsets } from './strided-offset.ts';

/** Invocations of a workgroup. `lanes` of them, a power of two, have one row. */
export const ROW_INVOCATIONS = 64;

/** One reduction over the elements of a row. */
export interface RowReduction {
  /** Name by which later reductions and the result read it. */
  readonly name: string;
  readonly type: 'f32' | 'i32';
  /** The reduction of no elements. */
  readonly initial: string;
  /** What an element `x` at place `r` of its row contributes. */
  readonly map: string;
  /** `p` and `q` combined. */
  readonly combine: string;
}

/** What a kernel of row reductions bakes in. */
export interface RowReduceOptions {
  readonly name: string;
  readonly input: 'f32' | 'i32';
  readonly output: 'f32' | 'i32';
  /** Maximum axes that the rows lie along. */
  readonly rank: number;
  /** Maximum axes of a row: 1 where they always merge. */
  readonly colRank: number;
  readonly reductions: readonly RowReduction[];
  /** Whether each element has a result; else each row has one. */
  readonly perElement: boolean;
  /**
   * WGSL of the result. It may read the reductions, `params.size` (elements of a row), further bindings and
   * uniforms, and with `perElement` the element `x` at place `r`.
   */
  readonly result: string;
  readonly extraBindings?: Readonly<Record<string, BindingType>>;
  readonly extraUniforms?: Readonly<Record<string, 'u32' | 'f32'>>;
}

/**
 * data: any strided array, `row` the offset of a row, `col` that of an element in it. Writes the result to out
 * [rows], or with `perElement` to out in the layout of data.
 */
export function rowReduceKernel(options: RowReduceOptions): Kernel {
  const { name, input, output, rank, colRank, reductions, perElement, result } = options;
  const column =
    colRank === 1 ? 'let col = r * params.col0' : stridedOffsets('r', colRank, ['col'], 'c');
  const visit = (body: string): string =>
    fragment(elementsText, { COLUMN_OFFSET: column, BODY: body });
  const passOf = ({ name: reduced, type, initial, map }: RowReduction, k: number): string =>
    `var own${k} = ${type}(${initial});
${visit(`own${k} = combine${k}(own${k}, ${map})`)}
let ${reduced} = reduce${k}(own${k}, t, lane);`;
  return kernelOf(name, text, [
    reductionsPart(reductions, result),
    {
      bindings: { data: `read ${input}`, ...options.extraBindings, out: `write ${output}` },
      uniforms: {
        rows: 'u32',
        size: 'u32',
        lanes: 'u32',
        ...offsetUniforms(rank, ['row'], 'r'),
        ...(colRank === 1 ? { col0: 'u32' } : offsetUniforms(colRank, ['col'], 'c')),
        ...options.extraUniforms,
      },
      constants: { INVOCATIONS: ROW_INVOCATIONS, MAX_TRIP_COUNT, UNROLLED: 4 },
      flags: { PER_ELEMENT: perElement },
      names: {
        ROW_OFFSET: stridedOffsets('index', rank, ['row'], 'r'),
        REDUCTIONS: reductions.map(passOf).join('\n'),
        RESULT: perElement ? visit(`out[row + col] = ${result}`) : result,
      },
    },
  ]);
}

/** The functions that the reductions and the result call. */
function reductionsPart(reductions: readonly RowReduction[], result: string): Part {
  const expressions = reductions.flatMap(({ map, combine }) => [map, combine]);
  const types = [...new Set(reductions.map(({ type }) => type))];
  const partialsOf = (type: string): string => `partials_${type}`;
  return {
    wgsl: [
      functionsFor([result, ...expressions].join(' ')),
      ...types.map((type) => `var<workgroup> ${partialsOf(type)}: array<${type}, INVOCATIONS>;`),
      ...reductions.map(({ type, combine }, k) =>
        fragment(treeText, {
          Value: type,
          COMBINATION: combine,
          combineK: `combine${k}`,
          reduceK: `reduce${k}`,
          partials: partialsOf(type),
        }),
      ),
    ].join('\n'),
    constants: { LOG2_INVOCATIONS: Math.log2(ROW_INVOCATIONS) },
  };
}
