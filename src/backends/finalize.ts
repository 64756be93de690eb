// Frees what belongs to objects that nobody can reach any more, for callers who forgot to dispose of them.

/** What frees a model or a stream. */
interface Disposable {
  readonly disposed: boolean;
  dispose(): void;
}

const names = new WeakMap<Disposable, string>();

/** Whether to tell developers. Bundlers replace the expression; without one, browsers have no `process`. */
function isDevelopment(): boolean {
  try {
    return process.env.NODE_ENV !== 'production';
  } catch {
    return false;
  }
}

const registry = new FinalizationRegistry<Disposable>((held) => {
  if (held.disposed) return; // with its model
  if (isDevelopment()) {
    const name = names.get(held) ?? 'object';
    console.warn(
      `webgpu-rnn: a ${name} was collected undisposed; call its dispose() to free it in time`,
    );
  }
  held.dispose();
});

/**
 * Disposes of `held` when `owner` is collected.
 *
 * @param held must not refer to `owner`
 * @param name of what the owner is, for the message
 */
export function disposeWhenCollected(owner: object, held: Disposable, name: string): void {
  names.set(held, name);
  registry.register(owner, held, owner);
}

/** Ends that: the owner has been disposed of. */
export function forgetCollected(owner: object): void {
  registry.unregister(owner);
}
