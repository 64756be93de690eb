// Elements of a page by id, each checked to be what the script takes it for.

/** The element with an id. @throws Error when the page lacks it or it is of another kind */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`#${id}: got ${element?.tagName ?? 'nothing'}, expected ${kind.name}`);
}

/** Sets text only where it differs, so that nothing is laid out again for nothing. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
