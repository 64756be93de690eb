// A plan as text: its buffers, commands and outputs, one a line. For `inspect --plan`, for tests that
// compare plans with files, and for whoever asks why a kernel runs.
import type { Command, Dispatch, Plan, PlanBuffer } from './types.ts';

/**
 * Prints a plan.
 *
 * A buffer is `%N`; behind `@`, the slot of the scratch arena that it shares. A dispatch is the name of
 * its kernel, its workgroups, its buffers by binding, its uniforms in braces and its node.
 *
 * @example
 * ```text
 * buffers
 *   %0 input    65536 B  inputs.X
 *   %3 scratch 262144 B  @0  graph.nodes[0] Recurrent 'lstm_0': gates
 * commands
 *   recurrent-project [8, 16, 1] x=%0 w=%1 b=%2 xw=%3@0 {rows 1, steps 64}  // graph.nodes[0] …
 * ```
 */
export function formatPlan(plan: Plan): string {
  const { buffers, commands, outputs, arena, precompiled } = plan;
  const bytes = Math.max(0, ...buffers.map(({ size }) => String(size).length));
  const digits = String(buffers.length - 1).length;
  const bufferLine = (buffer: PlanBuffer, id: number): string => {
    const { label, life, size } = buffer;
    const place = buffer.life === 'scratch' ? `@${buffer.slot}  ` : '';
    const name = `%${id}`.padEnd(digits + 1);
    return `  ${name} ${life.padEnd(8)} ${String(size).padStart(bytes)} B  ${place}${label}`;
  };
  return [
    'buffers',
    ...buffers.map(bufferLine),
    'commands',
    ...commands.flatMap((command) => commandLines(command, buffers)),
    'outputs',
    ...outputs.map((output) => {
      const from = 'buffer' in output ? nameOf(output.buffer, buffers) : 'known when planning';
      return `  ${output.name} ${output.type} [${output.dims.join(', ')}] ${from}`;
    }),
    `scratch arena ${arena.reduce((sum, size) => sum + size, 0)} B: ${arena.join(' + ') || 'empty'}`,
    ...(precompiled.length > 0
      ? [`precompiled for other sizes: ${precompiled.map(({ name }) => name).join(', ')}`]
      : []),
  ].join('\n');
}

/** `%3@0`. */
function nameOf(id: number, buffers: readonly PlanBuffer[]): string {
  const buffer = buffers[id]!;
  return buffer.life === 'scratch' ? `%${id}@${buffer.slot}` : `%${id}`;
}

function commandLines(command: Command, buffers: readonly PlanBuffer[]): string[] {
  if (command.kind === 'copy') {
    const [from, to] = [nameOf(command.from, buffers), nameOf(command.to, buffers)];
    return [`  copy ${from} → ${to}, ${command.size} B`];
  }
  if (command.kind === 'dispatch') return [`  ${dispatchText(command, buffers)}`];
  const { first, steps, even, odd } = command;
  const part = (name: string, dispatches: readonly Dispatch[]): string[] =>
    dispatches.map((dispatch) => `    ${name} ${dispatchText(dispatch, buffers)}`);
  return [`  loop ${first}..${first + steps}`, ...part('even', even), ...part('odd ', odd)];
}

function dispatchText(dispatch: Dispatch, buffers: readonly PlanBuffer[]): string {
  const { kernel, workgroups, uniforms, label } = dispatch;
  const bound = Object.keys(kernel.bindings).map(
    (name) => `${name}=${nameOf(dispatch.buffers[name]!, buffers)}`,
  );
  const numbers = Object.keys(kernel.uniforms).map((name) => `${name} ${uniforms[name]}`);
  const parameters = numbers.length > 0 ? ` {${numbers.join(', ')}}` : '';
  return `${kernel.name} [${workgroups.join(', ')}] ${bound.join(' ')}${parameters}  // ${label}`;
}
