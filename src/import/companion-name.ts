// The names by which a model calls its other files. A model is not trusted, so such a name may lead
// nowhere but into the folder of the model (CVE-2022-25882, CVE-2024-27318 are of this kind).

/** One rule for all formats: relative, downward, no scheme, no separator but `/`, nothing hidden. */
const isPlain = (name: string): boolean =>
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  !/[:\\\u0000-\u001f\u007f]/.test(name) &&
  // Windows ignores dots and spaces at the end of a name, so `.. ` is the folder above as well.
  name.split('/').every((part) => !/^[. ]*$/.test(part));

/**
 * Whether a name stays in the folder of the model, as it is and with percent codes resolved, however
 * often they were applied: a URL resolves `%2e%2e` as `..`. https://url.spec.whatwg.org/#double-dot-path-segment
 */
export function staysInFolder(name: string): boolean {
  let text = name;
  for (;;) {
    if (!isPlain(text)) return false;
    const decoded = text.replace(/%([0-9a-f]{2})/gi, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    );
    if (decoded === text) return true;
    text = decoded; // shorter, so this ends
  }
}

/**
 * The URL of a file in the folder of a model, with the query of the model, which may hold a key.
 *
 * @param main URL of the model, absolute or relative to the page
 * @param name of the file, which {@link staysInFolder}
 * @returns undefined where the URL that comes out is not below the folder after all, and where the
 *   model has no folder (`data:` and `blob:` URLs)
 */
export function companionUrl(main: string, name: string): string | undefined {
  const folder = main.replace(/[?#].*$/, '').replace(/[^/]*$/, '');
  const query = /\?[^#]*/.exec(main)?.[0] ?? '';
  const result = folder + name.replace(/[?#]/g, encodeURIComponent) + query;
  const page = (globalThis as { location?: { href?: string } }).location?.href;
  try {
    const root = new URL(page ?? 'https://localhost/');
    const from = new URL(folder, root);
    const to = new URL(result, root);
    const isBelow = to.host === from.host && to.pathname.startsWith(from.pathname);
    const isSame = to.protocol === from.protocol && to.username === from.username;
    return isBelow && isSame && from.pathname.endsWith('/') ? result : undefined;
  } catch {
    return undefined;
  }
}
