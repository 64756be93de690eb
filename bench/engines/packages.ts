// Built copies of this package, which the site serves as they are, next to the page.
import type { PackageApi, Prepare } from './engine.ts';
import { prepareWith } from './prepare-package.ts';

/** The copies by the names of their engines: folders below `packages/` of the site. */
export const PACKAGE_ENGINES = { 'webgpu-rnn (old)': 'old', 'webgpu-rnn (new)': 'new' } as const;
export type PackageEngine = keyof typeof PACKAGE_ENGINES;

/** Imports a copy. */
export async function loadPackage(engine: PackageEngine): Promise<Prepare> {
  const { href } = new URL(`packages/${PACKAGE_ENGINES[engine]}/index.js`, document.baseURI);
  return prepareWith(engine, (await import(/* @vite-ignore */ href)) as PackageApi);
}
