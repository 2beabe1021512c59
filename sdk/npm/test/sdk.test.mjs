// The packed SDK in a real browser against a collector that speaks the contract. Real input events
// by the browser's own driver; what is asserted is what came over the wire.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TEST_MAX, hovering, launch, leftOut, open, until } from "./browser.mjs";
import { TooSlow, attempts, drag, tap } from "./input.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** A test with a shop of its own; `records`: whether it is to. */
function shop(name, { records = true, needs, ...setup }, run) {
  test(name, { timeout: TEST_MAX, skip: leftOut(needs) }, () => attempts(async () => {
    const it = await open(browser, setup);
    try {
      if (records) await it.ready();
      await run(it);
      assert.deepEqual(it.collector.problems, []);
      if (!setup.errors) assert.deepEqual(it.errors, []);
    } finally {
      await it.close();
    }
  }));
}

const touch = { needs: ["touch"], context: { hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } } };

/** One that has a mouse as well, which a browser that plays at having a touch screen does not tell of. */
const laptop = { needs: ["touch"], context: { hasTouch: true }, before: hovering };

/** Counts pauses in the page's scrolling that end a gesture. */
const PAUSES = `<script>
  const scrolled = [];
  addEventListener("scroll", ({ timeStamp }) => scrolled.push(timeStamp), true);
  window.pauses = () => scrolled.filter((at, place, all) => at - (all[place - 1] ?? at) >= 100).length;
</script>`;

/** Waits until a scroll is told whole. One that stood still in between is no gesture's any more. */
async function scrolls(page, holds) {
  try {
    await until(holds, "the scroll", 20_000);
  } catch (error) {
    const pauses = await page.evaluate(() => window.pauses());
    throw pauses > 0 ? new TooSlow(`the page paused ${pauses} times while it scrolled`) : error;
  }
}

const kinds = (presses) => presses.map(({ how }) => how.pointer);

shop("a page view tells page, campaign and device", {
  path: "/?utm_source=mail&utm_campaign=spring&token=canary-token&colour=red",
  options: { queryParams: ["colour"] },
}, async ({ collector, flush, streams, page }) => {
  await streams();
  await page.evaluate(() => window.upriver.track("by-stream"));
  await flush();
  const [view, ...more] = collector.of("page_view");
  assert.equal(more.length, 0);
  assert.equal(view.page.path, "/?colour=red");
  assert.equal(view.page.campaign.source, "mail");
  assert.equal(view.page.campaign.campaign, "spring");
  assert.equal(view.page.device, "desktop");
  assert.deepEqual([view.navigation, view.title], ["load", "Shop"]);
  assert.equal(collector.of("custom")[0].batch.via, "stream");
});

shop("presses of the mouse are counted one by one, with place and element", {}, async (it) => {
  const { page, collector } = it;
  const box = await page.locator("#buy").boundingBox();
  await page.mouse.click(box.x + box.width / 4, box.y + box.height / 2);
  await page.dblclick("#buy");
  await page.click("#label", { position: { x: 30, y: 8 } });
  await page.click("#stuck", { button: "right" });
  // What a script clicks nobody pressed.
  await page.evaluate(() => document.getElementById("buy").click());
  await it.flush();
  const presses = collector.of("press");
  assert.equal(presses.length, 5);
  assert.ok(Math.abs(presses[0].at.x - 0.25) < 0.01 && Math.abs(presses[0].at.y - 0.5) < 0.02);
  const described = presses.map((press) => collector.descriptor(press.elementId));
  assert.deepEqual(described.map((it) => it.selector), ["#buy", "#buy", "#buy", "#label", "#stuck"]);
  assert.equal(described[0].label, "Buy now");
  assert.deepEqual([described[0].background, described[0].radius], [0x0a141e, 6]);
  assert.equal(presses[4].how.button, "secondary");
});

shop("keys press: buttons, boxes, forms and what a site made pressable", {}, async (it) => {
  await it.page.focus("#buy");
  await it.page.keyboard.press("Enter");
  await it.page.keyboard.press("Space");
  await it.page.focus("#role");
  await it.page.keyboard.press("Enter");
  await it.page.focus("#field");
  await it.page.keyboard.type("canary-typed 99");
  await it.page.keyboard.press("Enter");
  await it.flush();
  const presses = it.collector.of("press");
  const selectors = presses.map((press) => it.collector.descriptor(press.elementId).selector);
  assert.deepEqual(selectors, ["#buy", "#buy", "#role", "#send"]);
  assert.deepEqual(kinds(presses), Array(4).fill("keyboard"));
  assert.ok(presses.every(({ at }) => Math.abs(at.x - 0.5) < 0.01));
});

shop("a tap is one press; a flick is a scroll and a swipe, and no press", { ...touch, body: PAUSES }, async (it) => {
  const { page, collector } = it;
  const cdp = await it.cdp();
  await tap(page, cdp, "#buy");
  await tap(page, cdp, "#label");
  await drag(cdp, { x: 200, y: 700 }, { x: 200, y: 400 }, 4);
  // Told when it has come to rest; a browser that has no time to draw pauses, and a pause ends a gesture.
  const scrolled = () => collector.of("scroll").filter((scroll) => scroll.container === 0);
  const sum = () => scrolled().reduce((sum, { dy }) => sum + dy, 0);
  await scrolls(page, async () => sum() > 200 && sum() === await page.evaluate(() => Math.round(scrollY)));
  await it.flush();
  assert.deepEqual(kinds(collector.of("press")), ["touch", "touch"]);
  const [swipe, ...more] = collector.of("swipe");
  assert.equal(more.length, 0);
  assert.ok(Math.abs(swipe.dy + 300) < 5 && Math.abs(swipe.dx) < 5, JSON.stringify(swipe));
  const pauses = await page.evaluate(() => window.pauses());
  assert.ok(scrolled().length <= 1 + pauses, `${scrolled().length} scrolls with ${pauses} pauses`);
});

for (const how of [touch, laptop]) shop(`swipes on a surface of the site's own and in a gallery, ${how === touch ? "on a phone" : "beside a mouse"}`, { ...how, body: PAUSES }, async (it) => {
  const { page, collector } = it;
  const cdp = await it.cdp();
  const swipe = await page.locator("#swipe").boundingBox();
  await drag(cdp, { x: swipe.x + 250, y: swipe.y + 60 }, { x: swipe.x + 50, y: swipe.y + 62 }, 3);
  const gallery = await page.locator("#gallery").boundingBox();
  await drag(cdp, { x: gallery.x + 250, y: gallery.y + 60 }, { x: gallery.x + 60, y: gallery.y + 60 }, 3);
  const swipes = await it.all("swipe", 2);
  const inward = () => collector.of("scroll").filter((scroll) => scroll.container > 0);
  const left = () => page.evaluate(() => Math.trunc(document.getElementById("gallery").scrollLeft));
  const gone = () => inward().reduce((sum, { dx }) => sum + dx, 0);
  await scrolls(page, async () => gone() > 0 && gone() === await left());
  await it.flush();
  assert.equal(collector.of("swipe").length, 2);
  assert.deepEqual(swipes.map(({ dx }) => Math.sign(dx)), [-1, -1]);
  assert.ok(Math.abs(swipes[0].dx + 200) < 5);
  assert.equal(collector.descriptor(swipes[0].elementId).selector, "#swipe");
  assert.equal(collector.of("press").length, 0);
  assert.equal(collector.descriptor(inward()[0].scroller).selector, "#gallery");
});

shop("one turn of the wheel is one gesture, and presses stand where they were", { body: PAUSES }, async (it) => {
  const { page, collector } = it;
  await page.mouse.move(600, 400);
  for (let turn = 0; turn < 3; turn++) await page.mouse.wheel(0, 200);
  const sum = () => collector.of("scroll").reduce((sum, { dy }) => sum + dy, 0);
  await scrolls(page, () => sum() === 600);
  // Well after anything a person did.
  await page.waitForTimeout(700);
  // Scrolled by a script, no gesture; the press still tells where it was.
  const pauses = await page.evaluate(() => window.pauses());
  await page.evaluate(() => scrollTo(0, 1500));
  await it.drawn();
  await page.mouse.click(600, 400);
  await it.flush();
  const told = collector.of("scroll").map(({ dy }) => dy);
  assert.equal(sum(), 600);
  // A browser that has no time to draw pauses, and a pause ends a gesture.
  assert.ok(told.length <= 1 + pauses, `${told} with ${pauses} pauses`);
  const [press] = collector.of("press");
  assert.equal(scrolledTo(press), 1500);
});

shop("elements are told apart: same name, shadow root, private, layers", {}, async (it) => {
  const { page, collector } = it;
  await page.click("text=One");
  await page.click("text=Two");
  await page.click("x-box >> button");
  await page.click("#private");
  await page.click("#fixed");
  await page.evaluate(() => scrollTo(0, 500));
  await it.drawn();
  await page.mouse.click(20, 15);
  await it.flush();
  const presses = collector.of("press");
  const described = presses.map((press) => collector.descriptor(press.elementId));
  assert.equal(new Set(presses.map((press) => press.elementId)).size, 6);
  assert.deepEqual(described.map((it) => it.label), ["One", "Two", "Inner", "", "Fixed", "Stuck"]);
  assert.equal(described[2].selector, "#box >>> p>button");
  for (const { selector } of described.filter((it) => !it.selector.includes(">>>"))) {
    assert.equal(await page.locator(`css=${selector}`).count(), 1, selector);
  }
  assert.deepEqual(presses.slice(4).map(({ how }) => how.layer), ["fixed", "stuck"]);
});

shop("routes of a single-page app are page views", {}, async (it) => {
  const { page, collector } = it;
  await page.evaluate(() => {
    history.pushState({}, "", "/cart?x=1");
    document.title = "Cart";
  });
  await page.click("#buy");
  await page.evaluate(() => history.replaceState({}, "", "/cart?x=2"));
  await page.evaluate(() => (location.hash = "#/pay"));
  await until(() => collector.of("page_view").length === 3, "three views");
  await it.flush();
  const views = collector.of("page_view");
  assert.deepEqual(views.map((view) => view.page.path), ["/", "/cart", "/cart#/pay"]);
  assert.deepEqual(views.map((view) => view.navigation), ["load", "route", "route"]);
  assert.equal(views[1].title, "Cart");
  assert.equal(new Set(views.map((view) => view.page.view)).size, 3);
  const [press] = collector.of("press");
  assert.ok(press.seq > views[1].seq && press.seq < views[2].seq);
});

shop("the site's own events, also those from before the core was there", {
  scripts: `upriver.track("early", { colour: "red", size: 2, gift: true, none: undefined });`,
}, async (it) => {
  await it.page.evaluate(() => {
    window.upriver.convert("order", { value: 19.9, currency: "EUR", order: "A-1", props: { items: 2 } });
    window.upriver.expose("button", "green");
    window.upriver.track("late");
  });
  await it.flush();
  const { collector } = it;
  assert.deepEqual(collector.of("custom").map(({ name, props }) => [name, props]), [
    ["early", { colour: "red", size: 2, gift: true }], ["late", {}],
  ]);
  const [order] = collector.of("conversion");
  assert.deepEqual([order.valueMicros, order.currency, order.order, order.props], [19_900_000, "EUR", "A-1", { items: 2 }]);
  assert.deepEqual(collector.of("exposure").map(({ experiment, variant }) => [experiment, variant]), [["button", "green"]]);
  assert.ok(collector.of("custom")[0].ms >= collector.of("page_view")[0].ms);
});

shop("wrong arguments are said once and harm nothing", { errors: true }, async (it) => {
  await it.page.evaluate(() => {
    for (let round = 0; round < 2; round++) {
      window.upriver.track("");
      window.upriver.convert("order", { value: Number.NaN });
      window.upriver.track("odd", { deep: {} });
    }
  });
  await it.flush();
  await it.complaints(3);
  assert.equal(it.errors.length, 3, it.errors.join());
  assert.equal(it.collector.of("custom").length, 2);
});

shop("a press that leaves the page is not lost", {}, async (it) => {
  await it.page.click("#away");
  await it.page.waitForURL("**/away");
  await until(() => it.collector.of("press").length === 1, "the press");
});

shop("leaving sends what was not acked", {}, async (it) => {
  it.collector.withholdAcks = true;
  await it.page.evaluate(() => window.upriver.track("before"));
  await until(() => it.collector.of("custom").length === 1, "the event on the stream");
  await it.page.goto(`${it.collector.url}/away`);
  // Each batch that was not acked is a request of its own, and they come in any order.
  const again = ({ via, events }) => via === "http" && events.some(({ name }) => name === "before");
  await until(() => it.collector.batches.some(again), "it in a last request");
});

shop("without a stream, requests carry everything and ask for no preflight", {
  crossOrigin: true,
  before: ({ collector }) => {
    collector.refuseStream = true;
  },
}, async (it) => {
  await it.page.evaluate(() => window.upriver.track("over-http"));
  await it.flush();
  assert.equal((await it.stats()).transport, "http");
  assert.equal(it.collector.of("custom").length, 1);
  assert.ok(it.collector.batches.every(({ via }) => via === "http"));
  const posts = it.collector.requests.filter(({ path }) => path === "/v1/batch");
  assert.ok(posts.length > 0 && posts.every(({ headers }) => headers.origin === it.collector.url));
  assert.ok(posts.every(({ method, headers }) => method === "POST" && !headers.cookie && !headers["content-type"]));
});

shop("a lost stream comes back, and what was not acked is sent again, the same", {}, async (it) => {
  const { collector, page } = it;
  await it.flush();
  collector.withholdAcks = true;
  await page.evaluate(() => window.upriver.track("one"));
  await until(() => collector.of("custom").length === 1, "the event on the stream");
  collector.withholdAcks = false;
  collector.status = 503;
  collector.cut();
  await page.evaluate(() => window.upriver.track("two"));
  await until(async () => (await it.stats()).transport === "stream", "the stream again");
  collector.status = 200;
  await it.flush();
  assert.deepEqual(collector.of("custom").map(({ name }) => name), ["one", "two"]);
  const sent = collector.batches.filter(({ events }) => events.some(({ name }) => name === "one"));
  assert.ok(sent.length >= 2, "it was sent once only");
  const stats = await it.stats();
  assert.equal(stats.acked, stats.recorded);
  assert.equal(stats.dropped + stats.refused, 0);
});

shop("a key that is not allowed stops everything", {}, async (it) => {
  await it.streams();
  await it.flush();
  it.collector.close(4401);
  await until(async () => (await it.stats()).transport === "forbidden", "the end");
  const [before, { recorded }] = [it.collector.events.size, await it.stats()];
  await it.page.click("#buy");
  await it.page.waitForTimeout(600);
  assert.equal(it.collector.events.size, before);
  assert.equal((await it.stats()).recorded, recorded);
});

shop("what is typed, private or in a query is never sent", {
  path: "/?token=canary-query#canary-fragment",
}, async (it) => {
  const { page } = it;
  await page.fill("#card", "4111 1111 1111 1111 canary");
  await page.click("#card");
  await page.click("label[for=card]");
  await page.click("#note");
  await page.keyboard.type("canary 4111111111111111");
  await page.click("#private");
  await it.flush();
  assert.equal(it.collector.of("press").length, 4);
  const everything = Buffer.concat(it.collector.bytes).toString("latin1");
  const storage = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  for (const secret of ["canary", "4111", "1111"]) {
    assert.ok(!everything.includes(secret), `${secret} is on the wire`);
    assert.ok(!storage.includes(secret), `${secret} is in storage`);
  }
  // A control: what may be sent is found by the same search.
  assert.ok(everything.includes("#card") && everything.includes("Shop"));
});

/** Listeners on a page at any time. */
const LISTENERS_MAX = 14;

for (const [device, how] of [["a mouse", {}], ["a phone", touch], ["a laptop with a touch screen", laptop]]) {
  shop(`with ${device}, at most ${LISTENERS_MAX} listeners, all passive, capturing, on the window`, how, async (it) => {
    const { page } = it;
    await page.click("#buy");
    if (how !== touch) {
      await page.mouse.move(500, 300, { steps: 5 });
      await page.mouse.wheel(0, 100);
    }
    if (how.needs) {
      const cdp = await it.cdp();
      await tap(page, cdp, "#fixed");
      await drag(cdp, { x: 200, y: 500 }, { x: 200, y: 300 }, 4);
      await page.click("#fixed");
    }
    await it.flush();
    const listening = await page.evaluate(() => window.listening());
    const most = await page.evaluate(() => window.listenersMost);
    assert.ok(listening.length > 0 && most <= LISTENERS_MAX, `${most}: ${listening.map(({ kind }) => kind).join()}`);
    for (const listener of listening) {
      assert.ok(listener.passive && listener.capture && listener.onWindow, JSON.stringify(listener));
      assert.ok(!["beforeunload", "unload"].includes(listener.kind));
    }
    await page.evaluate(() => window.upriver.stop());
    await until(() => page.evaluate(() => window.listening().length <= 1), "their end");
    assert.deepEqual((await page.evaluate(() => window.listening())).map(({ kind }) => kind).filter((kind) => !/entry|pop/.test(kind)), []);
  });
}

shop("where fingers and a mouse take turns, so do the listeners, and every swipe and press is told", laptop, async (it) => {
  const { page, collector } = it;
  const cdp = await it.cdp();
  const hears = async (kind) => (await page.evaluate(() => window.listening())).some((it) => it.kind === kind);
  for (let round = 1; round <= 2; round++) {
    await tap(page, cdp, "#fixed");
    await drag(cdp, { x: 250, y: 600 }, { x: 250, y: 400 }, 4);
    await until(() => it.flush().then(() => collector.of("swipe").length === round), "the swipe");
    await until(() => hears("wheel"), "the turn of the mouse");
    assert.ok(await hears("pointermove") && !(await hears("touchmove")));
    await page.click("#fixed");
  }
  await it.flush();
  assert.deepEqual(kinds(collector.of("press")), ["touch", "mouse", "touch", "mouse"]);
});

shop("a privacy signal is honoured before the first byte and the first write", {
  records: false,
  before: ({ page }) =>
    page.addInitScript(() => Object.defineProperty(navigator, "globalPrivacyControl", { value: true })),
}, async (it) => {
  await it.page.click("#buy");
  await it.page.waitForTimeout(500);
  assert.equal((await it.stats()).transport, "off");
  assert.deepEqual(it.collector.requests.map(({ path }) => path).filter((path) => path.startsWith("/v1")), []);
  assert.equal(it.collector.batches.length, 0);
  assert.equal(await it.page.evaluate(() => localStorage.length), 0);
});

shop("a ticket in the address starts the overlay and records nothing", {
  records: false,
  path: "/?colour=red&token=x#/cart&upriver-overlay=ticket-1",
  options: { queryParams: ["colour"] },
  before: ({ collector }) =>
    collector.pages.set("/overlay.js", `dispatchEvent(new CustomEvent("upriver-overlay", {
      detail: (given) => { window.overlay = { ...given, path: given.path() }; } }));`),
}, async (it) => {
  await it.page.waitForFunction(() => window.overlay);
  assert.deepEqual(await it.page.evaluate(() => window.overlay), {
    endpoint: it.collector.url, ticket: "ticket-1", path: "/?colour=red#/cart",
  });
  assert.equal(await it.page.evaluate(() => location.hash), "#/cart");
  assert.equal(it.collector.batches.length, 0);
  assert.equal(await it.page.evaluate(() => localStorage.length), 0);
});

shop("stop sends what there is and listens no longer", {}, async (it) => {
  await it.page.click("#buy");
  await it.page.evaluate(() => window.upriver.stop());
  await it.page.click("#buy");
  await until(() => it.collector.of("press").length === 1, "the press before");
  await it.page.waitForTimeout(400);
  assert.equal(it.collector.of("press").length, 1);
});

test("importing it on a server does nothing", async () => {
  const { init, track, flush, stats } = await import("../dist/index.js");
  init({ endpoint: "https://upriver.example", key: "k" });
  track("x");
  await flush();
  assert.equal(stats().recorded, 0);
});

/** Where the page stood at an event, carried as a reader of the batch does. */
function scrolledTo(event) {
  let y = event.batch.page?.scroll.y ?? 0;
  for (const [place, other] of event.batch.events.entries()) {
    if (event.batch.firstSeq + place === event.seq) break;
    if (other.kind === "page_view") y = other.page.scroll.y;
    if (other.kind === "scroll" && other.container === 0) y += other.dy;
  }
  return y;
}
