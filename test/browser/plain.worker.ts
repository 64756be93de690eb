// A worker of an app. Vitest's own wrapper of `import()` is only in the page.
Object.assign(globalThis, {
  __vitest_browser_runner__: { wrapDynamicImport: (load: () => unknown) => load() },
});
void import('../../src/worker.ts').then(() => postMessage('ready'));
