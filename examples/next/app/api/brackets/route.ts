// The same on the server, in Node: on the CPU where the package `webgpu` is not installed.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadModel } from 'webgpu-rnn';
import { openBrackets } from '../../brackets';

export const dynamic = 'force-dynamic';

const model = readFile(join(process.cwd(), 'public/brackets.safetensors')).then((bytes) =>
  loadModel(bytes),
);

export async function GET(request: Request): Promise<Response> {
  const text = new URL(request.url).searchParams.get('text') ?? '((x)(';
  const loaded = await model;
  const open = await openBrackets(loaded, text);
  return new Response(`${open} open brackets, on ${loaded.backend}`);
}
