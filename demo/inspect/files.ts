// What a visitor drops: one file, or a file with others that it names.

/** A model as `loadModel` takes it, and its name. */
export interface Given {
  readonly name: string;
  readonly source: Uint8Array | Record<string, Uint8Array>;
  readonly bytes: number;
  /** Shapes and numbers of inputs to begin with. */
  readonly dims?: Readonly<Record<string, readonly number[]>>;
  readonly values?: Readonly<Record<string, readonly number[]>>;
}

/** Reads files. Several are a model with its weights: TF.js, ONNX with external data, a `.h5` with its JSON. */
export async function readFiles(files: readonly File[]): Promise<Given> {
  const entries = await Promise.all(
    files.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())] as const),
  );
  const bytes = entries.reduce((sum, [, content]) => sum + content.length, 0);
  const [only] = entries;
  if (entries.length === 1) return { name: only![0], source: only![1], bytes };
  const main = entries.find(([name]) => /\.(json|onnx)$/.test(name)) ?? only!;
  return { name: main[0], source: Object.fromEntries(entries), bytes };
}

/** Fetches a model that comes with the page. @throws Error where it does not come */
export async function fetchSample(name: string, url: string): Promise<Given> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
  const source = new Uint8Array(await response.arrayBuffer());
  return { name, source, bytes: source.length };
}
