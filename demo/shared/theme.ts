// Light, dark, or what the system says; kept for the next visit.

const KEY = 'webgpu-rnn-theme';

/** Joins the select of a page to the theme. `changed` is called whenever colours change. */
export function startTheme(select: HTMLSelectElement, changed: () => void): void {
  const apply = (theme: string): void => {
    document.documentElement.dataset['theme'] = theme;
    changed();
  };
  try {
    select.value = localStorage.getItem(KEY) ?? 'system';
  } catch {
    // Storage may be blocked: the choice then lasts as long as the page.
  }
  if (select.selectedIndex < 0) select.value = 'system';
  if (select.value !== 'system') apply(select.value);
  select.addEventListener('change', () => {
    apply(select.value);
    try {
      localStorage.setItem(KEY, select.value);
    } catch {
      // As above.
    }
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}

/** The colour that a custom property such as `--ink` comes to, for canvases. */
export function colorOf(property: string, within: HTMLElement): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${property})`;
  within.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
