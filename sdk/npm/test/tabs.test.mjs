// Pages as browsers keep them: hidden, opened behind others, kept for going back to, rendered in
// advance, several at once, and routed without a load. Nothing may be counted that nobody saw.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { BARE, PATIENCE, TEST_MAX, launch, leftOut, open, until } from "./browser.mjs";
import { startCollector } from "./collector.mjs";
import { TooSlow, attempts } from "./input.mjs";
import { startTabs } from "./tabs.mjs";

const LONG = PATIENCE;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const BUTTON = `<style>body { margin: 0; height: 3000px }</style><button id="buy" style="width: 200px; height: 60px">Buy</button>`;
/** Has the next page rendered in advance. */
const RULES = `<script type="speculationrules">{"prerender": [{"urls": ["/next"], "eagerness": "immediate"}]}</script>`;

let browser;
let tabs;
before(async () => {
  browser = await launch();
  if (!leftOut(["devtools"])) tabs = await startTabs();
});
after(async () => {
  await browser.close();
  await tabs?.close();
});

/** A test with a collector whose pages are the given ones, and a profile. */
function site(name, pages, run) {
  test(name, { timeout: TEST_MAX, skip: leftOut(["devtools"]) }, () => attempts(async () => {
    const collector = await startCollector();
    collector.asks = true;
    for (const [path, html] of Object.entries(pages)) {
      collector.pages.set(path, BARE({ endpoint: collector.url, key: "test-key" }, html));
    }
    try {
      await run(collector, await tabs.profile());
      assert.deepEqual(collector.problems, []);
    } finally {
      await collector.stop();
    }
  }));
}

const paths = (collector) => collector.of("page_view").map(({ page, navigation }) => `${navigation} ${page.path}`);
const visible = (events) => events.filter(({ kind }) => kind === "attention").reduce((sum, it) => sum + it.visibleMs, 0);
const recorded = (tab) => tab.evaluate("window.upriver?.stats().recorded ?? 0");
/** Sends everything; the time up to which it tells, Unix ms. */
const flush = (tab) =>
  tab.evaluate("(async (end) => (await upriver.flush(), end))(performance.timeOrigin + performance.now())");

site("hidden and shown: told with the time between, and not counted as looked at", { "/": BUTTON, "/other": "" }, async (collector, profile) => {
  const tab = await profile.open(`${collector.url}/`);
  await until(() => recorded(tab), "the recorder");
  await tab.press(50, 30);
  await wait(400);
  const other = await profile.open(`${collector.url}/other`);
  await until(() => tab.evaluate("document.hidden"), "hidden");
  await until(() => collector.of("visibility").length > 0, "that it is hidden");
  await wait(1_500);
  await tab.show();
  await until(() => tab.evaluate("!document.hidden"), "shown");
  await wait(300);
  const end = await flush(tab);
  const [press] = collector.of("press");
  const own = [...collector.events.values()].filter(({ batch }) => batch.stream === press.batch.stream);
  const [hidden, shown, ...more] = own.filter(({ kind }) => kind === "visibility");
  const begun = own.find(({ kind }) => kind === "page_view").ms;
  assert.equal(more.length, 0);
  assert.deepEqual([hidden.visible, shown.visible], [false, true]);
  assert.ok(Math.abs(hidden.afterMs - (hidden.ms - begun)) <= 2, `${hidden.afterMs} after ${hidden.ms - begun} ms`);
  assert.ok(Math.abs(shown.afterMs - (shown.ms - hidden.ms)) <= 2 && shown.afterMs >= 1_500, `${shown.afterMs} ms`);
  const looked = hidden.afterMs + (end - shown.ms);
  assert.ok(Math.abs(visible(own) - looked) <= 200, `${visible(own)} of ${looked} ms`);
  // Somebody was there within 15 s: active again as soon as it is shown.
  const active = own.filter(({ kind }) => kind === "attention").reduce((sum, it) => sum + it.activeMs, 0);
  assert.ok(Math.abs(active - (looked - (press.ms - begun))) <= 250, `${active} ms active`);
  await Promise.all([tab.close(), other.close()]);
});

site("a page opened in the background has been looked at for no time, until it is shown", { "/": BUTTON, "/behind": BUTTON }, async (collector, profile) => {
  const front = await profile.open(`${collector.url}/`);
  await until(() => recorded(front), "the recorder");
  const behind = await profile.open(`${collector.url}/behind`, { background: true });
  await until(() => recorded(behind), "the recorder behind");
  assert.equal(await behind.evaluate("document.hidden"), true, "the page is not in the background");
  await wait(2_500);
  await flush(behind);
  const own = () => [...collector.events.values()].filter(({ batch, page }) => (page ?? batch.page)?.path === "/behind");
  assert.deepEqual(own().map(({ kind }) => kind), ["page_view"]);
  await behind.show();
  await until(() => own().some(({ kind }) => kind === "impression"), "the impression");
  const shown = own().find(({ kind }) => kind === "visibility");
  assert.ok(shown.visible && shown.afterMs >= 2_500, `${shown.afterMs} ms`);
  const impression = own().find(({ kind }) => kind === "impression");
  assert.ok(impression.ms - shown.ms >= 1_000, `seen ${impression.ms - shown.ms} ms after it was shown`);
  await flush(behind);
  const looked = visible(own());
  assert.ok(looked > 0 && looked <= collector.of("attention").at(-1).ms - shown.ms, `${looked} ms`);
  // One visitor, one visit, two streams.
  const batches = collector.batches;
  assert.equal(new Set(batches.map(({ stream }) => stream)).size, 2);
  assert.equal(new Set(batches.map(({ visitor }) => visitor)).size, 1);
  assert.equal(new Set(batches.map(({ session }) => session)).size, 1);
  await Promise.all([front.close(), behind.close()]);
});

site("a page that was kept for going back to is a page view when it is back", { "/": BUTTON, "/next": "" }, async (collector, profile) => {
  const tab = await profile.open(`${collector.url}/`);
  await until(() => recorded(tab), "the recorder");
  await tab.press(50, 30);
  await tab.evaluate("window.kept = true");
  await flush(tab);
  await tab.evaluate("location.assign('/next')");
  await until(() => paths(collector).includes("load /next"), "the next page");
  await tab.evaluate("history.back()");
  const back = "location.pathname === '/' && document.readyState === 'complete' && { kept: window.kept === true }";
  // While it goes there is no page to be asked.
  const { kept } = await until(() => tab.evaluate(back).catch(() => false), "the page before");
  // A browser that is short of something keeps none; one that never keeps this page has a reason to.
  if (!kept) throw new TooSlow("the browser did not keep the page");
  await until(() => paths(collector).includes("restore /"), "the page view");
  await tab.press(50, 30);
  const end = await flush(tab);
  assert.deepEqual(paths(collector), ["load /", "load /next", "restore /"]);
  const [first, second, ...more] = collector.of("press");
  assert.equal(more.length, 0);
  assert.equal(first.batch.stream, second.batch.stream);
  const own = [...collector.events.values()].filter(({ batch }) => batch.stream === first.batch.stream);
  const restored = own.find(({ navigation }) => navigation === "restore");
  const [hidden, shown, ...others] = own.filter(({ kind }) => kind === "visibility");
  assert.equal(others.length, 0);
  assert.deepEqual([hidden.visible, shown.visible], [false, true]);
  assert.ok(hidden.seq < shown.seq && shown.seq < restored.seq && restored.seq < second.seq);
  const [load] = own;
  const looked = hidden.ms - load.ms + (end - shown.ms);
  assert.ok(Math.abs(visible(own) - looked) <= 300, `${visible(own)} of ${looked} ms`);
  assert.equal(await tab.evaluate("window.upriver.stats().transport"), "stream");
  await tab.close();
});

/** A clock may have been read so much too late, ms; it was rendered long before. */
const EARLY = 200;
/** Goes there when it is told to; a page that is looked into would not be shown the rendered one. */
const LEAVES = `<script>const asks = setInterval(async () => {
  if ((await fetch("/go")).ok) clearInterval(asks), location.assign("/next");
}, 100);</script>`;
const RENDERED = `<script>addEventListener("load", () => fetch("/rendered"));</script>`;

/** The tab of a page that was rendered in advance and then shown, and when it was rendered. A browser
 * may decide not to, so it is given some chances. */
async function renderedAhead(collector, profile) {
  // Streams of the chances before: what they left behind may still arrive.
  const before = new Set();
  for (let chance = 0; chance < 4; chance++) {
    for (const { stream } of collector.batches) before.add(stream);
    collector.pages.delete("/go");
    collector.requests.length = 0;
    collector.events.clear();
    collector.batches.length = 0;
    const targetId = await profile.begin(`${collector.url}/`);
    const asked = (path) => collector.requests.find((request) => request.path === path);
    await until(() => asked("/rendered"), "the page rendered in advance", 20_000).catch(() => {});
    const rendered = Date.now();
    // Time in which something could be told too early.
    await wait(1_500);
    const tooEarly = ({ stream, page, events }) => !before.has(stream) && [page, ...events.map(({ page }) => page)].some((page) => page?.path === "/next");
    assert.ok(!collector.batches.some(tooEarly));
    collector.pages.set("/go", "go");
    const onNext = () => [...collector.events.values()].some(({ page, batch }) => page?.path === "/next" && !before.has(batch.stream));
    await until(onNext, "the page view");
    const tab = await tabs.attach(targetId);
    const activated = await tab.evaluate("performance.getEntriesByType('navigation')[0].activationStart");
    if (activated > 0) return { tab, rendered, before, shown: (await tab.evaluate("performance.timeOrigin")) + activated };
    await tab.close();
  }
  throw new Error("the browser rendered nothing in advance");
}

site("a page that is rendered in advance is counted when it is shown, not before", { "/": RULES + LEAVES, "/next": RENDERED + BUTTON }, async (collector, profile) => {
  const { tab, rendered, before, shown } = await renderedAhead(collector, profile);
  const ofNext = ({ batch, page }) => !before.has(batch.stream) && (page ?? batch.page)?.path === "/next";
  const own = () => [...collector.events.values()].filter(ofNext);
  assert.ok(shown - rendered > 500, "it was shown too early for this to be a test");
  const [view] = own();
  assert.ok(view.kind === "page_view" && view.ms >= shown - EARLY, `told ${shown - view.ms} ms too early`);
  await until(() => own().some(({ kind }) => kind === "impression"), "the impression");
  const end = await flush(tab);
  assert.equal(own().filter(({ kind }) => kind === "page_view").length, 1);
  assert.ok(own().every(({ ms }) => ms >= shown - EARLY));
  assert.ok(visible(own()) <= end - shown + EARLY, `${visible(own())} of ${end - shown} ms`);
  await tab.close();
});

/** How long each of two tabs is looked at, ms. */
const LOOKS = 1_200;

site("several tabs are one visitor, each with its own stream and its own attention", { "/": BUTTON, "/second": BUTTON }, async (collector, profile) => {
  const first = await profile.open(`${collector.url}/`);
  await until(() => recorded(first), "the recorder");
  await first.press(50, 30);
  await wait(LOOKS);
  const second = await profile.open(`${collector.url}/second`);
  await until(() => recorded(second), "the second recorder");
  await second.press(50, 30);
  await wait(LOOKS);
  await first.show();
  await until(() => first.evaluate("!document.hidden"), "the first again");
  await first.press(50, 30);
  await Promise.all([flush(first), flush(second)]);
  const presses = collector.of("press");
  assert.equal(presses.length, 3);
  const streams = [...new Set(presses.map(({ batch }) => batch.stream))];
  assert.equal(streams.length, 2);
  assert.equal(new Set(presses.map(({ batch }) => batch.visitor)).size, 1);
  assert.equal(new Set(presses.map(({ batch }) => batch.session)).size, 1);
  // Only one can be looked at, so together no longer than it took.
  const all = [...collector.events.values()];
  const span = Math.max(...all.map(({ ms }) => ms)) - Math.min(...all.map(({ ms }) => ms));
  // Both know of the change when they come to it; were both counted all the time, it were far more.
  assert.ok(visible(all) <= span + LOOKS, `${visible(all)} in ${span} ms`);
  assert.ok(streams.every((stream) => visible(all.filter(({ batch }) => batch.stream === stream)) > 0));
  await Promise.all([first.close(), second.close()]);
});

test("routers: history, fragment and Navigation API; the same address again is no page view", { timeout: TEST_MAX }, async () => {
  const it = await open(browser, { html: BUTTON });
  const { page, collector } = it;
  const views = () => paths(collector);
  const goes = async (script, ...expected) => {
    const before = views().length;
    await page.evaluate(`(() => { ${script} })()`);
    await until(async () => {
      await it.flush();
      return views().length >= before + expected.length;
    }, `${expected} by ${script}`);
    await page.waitForTimeout(expected.length ? 0 : 300);
    await it.flush();
    assert.deepEqual(views().slice(before), expected.map((path) => `route ${path}`), `${script}`);
    // A press is on the page it was made on.
    await page.click("#buy");
    await it.flush();
  };
  try {
    await it.ready();
    await it.flush();
    assert.deepEqual(views(), ["load /"]);
    await goes("history.pushState({}, '', '/list')", "/list");
    await goes("history.pushState({}, '', '/list')");
    await goes("history.replaceState({}, '', '/list?page=2')");
    await goes("history.replaceState({}, '', '/item')", "/item");
    await goes("location.hash = '#/cart'", "/item#/cart");
    await goes("location.hash = '#/pay'", "/item#/pay");
    await goes("location.hash = '#place'", "/item");
    await goes("history.back()", "/item#/pay");
    await goes("history.forward()", "/item");
    const navigates = await page.evaluate(() => "navigation" in window);
    if (navigates) {
      await goes(`navigation.addEventListener("navigate", (event) => event.canIntercept && !event.hashChange && event.intercept({ handler: async () => {} }));
        navigation.navigate("/by-navigation")`, "/by-navigation");
      await goes("navigation.navigate('/by-navigation')");
    }
    await goes("history.pushState({}, '', '/a'); history.pushState({}, '', '/b')", "/b");
    assert.equal(collector.of("press").length, navigates ? 12 : 10);
    const attention = collector.of("attention").map(({ visibleMs }) => visibleMs);
    const all = [...collector.events.values()];
    const span = all.at(-1).ms - all[0].ms;
    const sum = attention.reduce((sum, ms) => sum + ms, 0);
    assert.ok(Math.abs(sum - span) <= 300, `${sum} of ${span} ms over all views`);
    assert.deepEqual([collector.problems, it.errors], [[], []]);
  } finally {
    await it.close();
  }
});
