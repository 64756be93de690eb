// The machinery of many streams, which is a chunk of its own: loaded when the first group is made.
import { RnnError } from '../errors.ts';
import type { ValueInfo } from '../graph.ts';
import type { Group } from './group/group.ts';
import type { GroupParts } from './group/parts.ts';
import type { StreamedGraph } from './stateful-graph.ts';

/** A group that is there when its chunk has been loaded, and its places. */
export class LoadedGroup {
  readonly group: Promise<Group>;
  readonly capacity: number;
  readonly outputs: readonly ValueInfo[];
  readonly streamed: StreamedGraph;
  /** Streams that have joined and not left. */
  size = 0;
  #loaded: Group | undefined;
  #disposed = false;

  constructor(parts: GroupParts, outputs: readonly ValueInfo[]) {
    this.capacity = parts.capacity;
    this.outputs = outputs;
    this.streamed = parts.streamed;
    this.group = this.#load(parts);
    this.group.catch(() => undefined); // whoever calls is told
  }

  async #load(parts: GroupParts): Promise<Group> {
    const { makeGroup } = await import('./group/index.ts');
    this.#loaded = await makeGroup(parts);
    if (this.#disposed) this.#loaded.dispose();
    return this.#loaded;
  }

  /** Work with the group, at once where it has been loaded. */
  with<T>(work: (group: Group) => T): T | Promise<T> {
    return this.#loaded ? work(this.#loaded) : this.group.then(work);
  }

  /**
   * Takes a place.
   *
   * @throws RnnError `LIMIT_EXCEEDED` where there is none, `DISPOSED`
   */
  take(path: string): void {
    if (this.#disposed) {
      throw new RnnError('DISPOSED', 'streams', 'the streams have been disposed of');
    }
    if (this.size >= this.capacity) {
      const what = `${this.size} streams have joined, expected at most the capacity, ${this.capacity}`;
      throw new RnnError('LIMIT_EXCEEDED', path, what);
    }
    this.size++;
  }

  get counts(): Group['counts'] {
    return this.#loaded?.counts ?? { steps: 0, batches: 0 };
  }

  get disposed(): boolean {
    return this.#disposed || this.#loaded?.disposed === true;
  }

  dispose(): void {
    this.#disposed = true;
    this.#loaded?.dispose();
  }
}
