// How long it takes from a press in a page until the number on a dashboard that somebody looks at has changed.
//
// Owns the measuring: the press by the browser's own time stamp of the event, the change by a MutationObserver on the
// dashboard's text. Both clocks are the same machine's.
import { Visitor } from './visitor.mjs';

const presses = 40;
const waitMsMax = 10_000;

/** Presses something that changes nothing in the shop, so many times. Returns the visitor too: the presses count. */
export async function measureLatency(browser, dashboard, shop) {
  await dashboard.bringToFront();
  await dashboard.evaluate(() => {
    const of = (label) => [...document.querySelectorAll('.overview dt')].find((term) => term.textContent.trim() === label)?.nextElementSibling;
    window.upriverPresses = () => Number((of('Presses')?.querySelector('.figures-value')?.textContent ?? '').replace(/\D/g, '') || NaN);
    window.upriverChanges = [];
    let last = window.upriverPresses();
    new MutationObserver(() => {
      const now = window.upriverPresses();
      if (now !== last && !Number.isNaN(now)) window.upriverChanges.push([now, performance.timeOrigin + performance.now()]);
      last = now;
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  const visitor = await Visitor.open(browser, { name: 'presses and is watched', device: 'desktop', campaign: { source: '', medium: '', campaign: '' }, shop });
  await visitor.load('/product/ember-moka');
  await visitor.page.evaluate(() => {
    window.upriverDowns = [];
    addEventListener('pointerdown', ({ timeStamp }) => window.upriverDowns.push(performance.timeOrigin + timeStamp), true);
  });
  const shown = () => dashboard.evaluate(() => window.upriverPresses());
  // What is still on its way from the walks must not be taken for a press of this one.
  await dashboard.waitForFunction(() => {
    const changes = window.upriverChanges;
    return performance.timeOrigin + performance.now() - (changes.at(-1)?.[1] ?? performance.timeOrigin) > 1_500;
  });
  const latencies = [];
  for (let count = 0; count < presses; count += 1) {
    const before = await shown();
    await visitor.press('h1');
    const changed = await dashboard.waitForFunction((before) => window.upriverChanges.find(([value]) => value > before), before, { timeout: waitMsMax, polling: 'raf' });
    const [, at] = await changed.jsonValue();
    latencies.push(at - await visitor.page.evaluate(() => window.upriverDowns.at(-1)));
  }
  await visitor.close();
  return { pressing: visitor, latencies };
}
