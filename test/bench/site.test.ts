// The page that `npm run bench:chromium` measures in is built, served and answers: nothing else loads it.
import { expect, test } from 'vitest';
import { describeBrowser, openSite } from '../../bench/page/site.ts';
import { ONLY_IN_FULL } from '../support/settings.ts';

test('the page of the engines says what it computes on', ONLY_IN_FULL, async () => {
  const site = await openSite();
  try {
    const { adapter, browser, isolated } = await describeBrowser(site);
    expect(adapter).toMatch(/\S+ \S+/);
    expect(browser).toMatch(/^\d+\./);
    expect(isolated).toBe(true);
  } finally {
    await site.close();
  }
});
