// uPlot asks Intl for the browser's language as it loads, and fails where that is no language tag: headless Chromium
// calls itself `en-US@posix` under LANG=C.

/** Gives the browser a valid language where it has none. Call it before uPlot is imported, hence dynamically. */
export function mendLanguage(): void {
  try {
    Intl.getCanonicalLocales(navigator.language);
  } catch {
    Object.defineProperty(navigator, 'language', { value: 'en', configurable: true });
  }
}
