// `cargo xtask demo --smoke`: walks visitors through the shop in Chromium and holds every number against what they did.
//
// Owns the course of the drive and its verdict. What a visitor does is walks.mjs's, what must come of it truth.mjs's.
// Argument: a JSON file with addresses and secrets of a running demo. Exits 1 on any difference.
import { readFileSync, writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { Collector, Subscriptions, settleMsMax } from './collector.mjs';
import { measureLatency } from './latency.mjs';
import { liveNumbers, sqlNumbers } from './numbers.mjs';
import { offers } from './offer.mjs';
import { compare, print } from './report.mjs';
import { numbersOf, pathsOf, kinds } from './truth.mjs';
import { Visitor } from './visitor.mjs';
import { walks } from './walks.mjs';

const told = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const collector = new Collector(told);
const funnel = { id: 'checkout' };
/** How long a heat map may take to be drawn, ms. */
const drawnMs = 1_000;

async function walkAll(browser) {
  const visitors = [];
  // One after the other: a window that has to wait for its turn draws late, and then a gesture is no longer one.
  for (const plan of walks) {
    const visitor = await Visitor.open(browser, { ...plan, shop: told.shop });
    visitors.push(visitor);
    await plan.walk(visitor);
    await visitor.close();
  }
  return visitors;
}

async function logIn(browser) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(told.login);
  return page;
}

async function snapshots(paths) {
  const heat = await Promise.all(paths.map(async (page) => [page, await collector.get('heatmap', { page })]));
  const [overview, pages, campaigns, held] = await Promise.all([
    collector.get('overview'), collector.get('pages'), collector.get('campaigns'), collector.get('funnel', funnel),
  ]);
  return { overview, pages, campaigns, funnel: held, heat: new Map(heat) };
}

/** What the subscriptions hold, in the shape of `snapshots`. */
const subscribed = (subscriptions, paths) => ({
  overview: subscriptions.held('overview'),
  pages: subscriptions.held('pages'),
  campaigns: subscriptions.held('campaigns'),
  funnel: subscriptions.held('funnel'),
  heat: new Map(paths.map((path) => [path, subscriptions.held(`heat ${path}`)])),
});

const isSame = (made, counted) => [...made].every(([name, value]) => counted.get(name) === value);

/** ClickHouse is written to every so often: asks until it has as many events as were made, or time is up.
 * Pages tell more by themselves (ways of the pointer, attention, …), which nobody counted here. */
async function untilStored(made) {
  const begun = Date.now();
  for (;;) {
    const counted = Object.keys(kinds).map((kind) => `'${kind}'`);
    const [{ events }] = await collector.rows(`SELECT count() AS events FROM events WHERE site = 'shop' AND kind IN (${counted})`);
    if (Number(events) >= made || Date.now() - begun > settleMsMax) return Date.now() - begun;
    await new Promise((next) => setTimeout(next, 50));
  }
}

/** What a marketer sees after all this, on a desk and on a phone: to be looked at, beside the figures. */
async function picture(dashboard) {
  for (const [name, width] of [['desk', 1200], ['phone', 390]]) {
    await dashboard.setViewportSize({ width, height: 900 });
    // A frame that is out of sight draws nothing, so all of the page is in sight.
    const height = await dashboard.evaluate(() => document.documentElement.scrollHeight);
    await dashboard.setViewportSize({ width, height });
    await dashboard.waitForTimeout(drawnMs);
    await dashboard.screenshot({ path: told.figures.replace('figures.json', `dashboard-${name}.png`) });
  }
}

async function drive(browser) {
  const dashboard = await logIn(browser);
  // The heat maps of pages nobody has been on are subscribed to before anybody comes.
  const paths = ['/', '/cart', '/category/', '/category/brewers', '/category/kettles', '/checkout/delivery', '/checkout/payment', '/product/ember-moka', '/product/heron-kettle', '/product/moss-mug', '/product/tern-grinder', '/thank-you'];
  const plain = ['overview', 'pages', 'campaigns'].map((name) => ({ name, resource: name, parameters: {} }));
  const heats = paths.map((page) => ({ name: `heat ${page}`, resource: 'heatmap', parameters: { page } }));
  const watcher = await dashboard.context().newPage();
  await watcher.goto(`${told.collector}/`);
  const subscriptions = await Subscriptions.open(watcher, [...plain, { name: 'funnel', resource: 'funnel', parameters: funnel }, ...heats]);

  const visitors = await walkAll(browser);
  const { pressing, latencies } = await measureLatency(browser, dashboard, told.shop);
  visitors.push(pressing);

  const made = numbersOf(visitors);
  const unknown = pathsOf(visitors).filter((path) => !paths.includes(path));
  if (unknown.length > 0) throw new Error(`no heat map was subscribed to for ${unknown.join(', ')}`);
  await subscriptions.until(() => {
    const held = subscribed(subscriptions, paths);
    const whole = Object.values(held).every(Boolean) && [...held.heat.values()].every((heat) => heat?.elements !== undefined);
    return whole && isSame(made, liveNumbers(held));
  });
  const acts = visitors.reduce((sum, { acts }) => sum + acts.length, 0);
  const storedMs = await untilStored(acts);

  const live = await snapshots(paths);
  const columns = [made, liveNumbers(live), liveNumbers(subscribed(subscriptions, paths)), await sqlNumbers(collector, live)];
  const [letters] = await collector.rows("SELECT count() AS letters FROM dead_letters");
  const checks = compare(columns);
  checks.push({ name: 'dead letters', values: [0, Number(letters.letters), Number(letters.letters), Number(letters.letters)] });
  await picture(dashboard);
  // What is counted of them is compared apart: they come after everything else was.
  checks.push(...(await offers(browser, collector, { shop: told.shop, picture: told.figures.replace('figures.json', 'offer.png') })));
  const problems = visitors.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`));
  return { visitors, acts, checks, problems, latencies, storedMs };
}

const browser = await chromium.launch({
  executablePath: told.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  const result = await drive(browser);
  const { figures, failed } = print(result);
  writeFileSync(told.figures, `${JSON.stringify(figures, null, 2)}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
} catch (error) {
  console.log(`\nthe drive did not finish: ${error.stack}`);
  console.log('checks: 0 passed, 1 failed');
  process.exitCode = 1;
} finally {
  await browser.close();
}
