// The worker of this package. In a form that bundlers follow: they find the file and make it one of the app's.

/** Starts a worker that runs models. */
export const spawnWorker = (): Worker =>
  // Vite is to leave it as it is while it builds the package, and to follow it while it builds an app; see vite.config.ts.
  new Worker(new URL(/* @vite-ignore */ '../worker.ts', import.meta.url), {
    /* @vite-ignore */
    type: 'module',
  });
