// What a visitor looks at and fills in: attention, impressions, forms, visibility, told by real
// input and real tabs, and read from the wire.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TEST_MAX, launch, open, until } from "./browser.mjs";
import { TooSlow, attempts } from "./input.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** A test with a page of its own. */
function page(name, html, run, setup = {}) {
  test(name, { timeout: TEST_MAX }, () => attempts(async () => {
    const it = await open(browser, { html, ...setup });
    it.collector.asks = true;
    try {
      await it.ready();
      await run(it);
      assert.deepEqual([it.collector.problems, it.errors], [[], []]);
    } finally {
      await it.close();
    }
  }));
}

const selector = (collector, id) => collector.descriptor(id)?.selector;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** The sums of attention. */
function attention(collector) {
  const sums = { visibleMs: 0, activeMs: 0, bands: Array(20).fill(0) };
  for (const event of collector.of("attention")) {
    sums.visibleMs += event.visibleMs;
    sums.activeMs += event.activeMs;
    event.bands.forEach((ms, place) => (sums.bands[event.firstBand + place] += ms));
  }
  return sums;
}

const TALL = `<style>body { margin: 0; height: 7200px }</style><button id="top">Top</button>`;

page("attention: visible time, active time, and where on the page it was", TALL, async (it) => {
  const { page, collector } = it;
  await it.flush();
  const begun = collector.of("page_view")[0].ms;
  await wait(700);
  // Visible so far, and nobody there.
  assert.equal(attention(collector).activeMs, 0);
  await page.evaluate(() => addEventListener("pointermove", ({ timeStamp }) => (window.first ??= performance.timeOrigin + timeStamp)));
  await page.mouse.move(300, 300);
  await wait(1_500);
  // The window is 720 of 7,200 px: two bands. Half the page further down are two others.
  await page.evaluate(() => scrollTo(0, 3600));
  await it.drawn();
  await page.evaluate(() => new Promise((done) => setTimeout(done, 2_000)));
  const [first, now] = await page.evaluate(async () => {
    const now = performance.timeOrigin + performance.now();
    await window.upriver.flush();
    return [window.first, now];
  });
  const { visibleMs, activeMs, bands } = attention(collector);
  assert.ok(visibleMs <= now - begun + 20 && visibleMs >= now - begun - 500, `${visibleMs} of ${now - begun} ms`);
  assert.ok(Math.abs(activeMs - (now - first)) <= 500, `${activeMs} of ${now - first} ms active`);
  assert.equal(bands[0], bands[1]);
  assert.equal(bands[10], bands[11]);
  assert.equal(bands[0] + bands[10], activeMs);
  assert.ok(bands[0] >= 1_000 && bands[10] >= 1_500, bands.join());
  assert.equal(bands.reduce((sum, ms) => sum + ms), 2 * activeMs);
});

page("attention is told while a mouse merely moves", TALL, async (it) => {
  const { page, collector } = it;
  for (let step = 0; collector.of("attention").length === 0; step++) {
    await page.mouse.move(100 + (step % 50), 100);
    await wait(100);
    assert.ok(step < 400, "never told");
  }
  const [{ activeMs }] = collector.of("attention");
  assert.ok(activeMs >= 10_000 && activeMs < 20_000, `${activeMs} ms`);
});

const SHELF = `<style>
  body { margin: 0; height: 5000px } button { display: block; width: 120px; height: 40px; margin: 0 }
  #seen { position: absolute; left: 10px; top: 20px; background: rgb(1, 2, 3); border-radius: 8px }
  #half { position: absolute; left: -61px; top: 100px } #more { position: absolute; left: -59px; top: 200px }
  #below { position: absolute; top: 3000px } #clear { opacity: 0 } #flat { height: 0; padding: 0; border: 0 }
</style><button id="seen">Seen</button><button id="half">Half</button><button id="more">More</button>
<button id="below">Below</button><button id="clear">Clear</button><a id="flat"></a>
<div data-upriver-private><button id="hidden-name">Account of canary</button></div><x-shelf></x-shelf>
<script>customElements.define("x-shelf", class extends HTMLElement {
  connectedCallback() { this.attachShadow({ mode: "open" }).innerHTML = "<a href='#x' id='inner'>Inner</a>"; }
});</script>`;

page("an impression is half an element for a second, once a view, as it looked", SHELF, async (it) => {
  const { page, collector } = it;
  const seen = () => collector.of("impression").map(({ elementId }) => selector(collector, elementId));
  /** Waits for impressions of these; what is asked for comes with whatever is sent next. */
  const sees = (...names) =>
    until(async () => {
      await page.evaluate(() => window.upriver.track("next"));
      await it.flush();
      return names.every((name) => seen().includes(name));
    }, `impressions of ${names}`);
  await sees("#seen", "#more", "body>x-shelf >>> #inner");
  assert.deepEqual(seen().toSorted(), ["#more", "#seen", "body>x-shelf >>> #inner"]);
  const begun = collector.of("page_view")[0].ms;
  const first = collector.of("impression").find(({ elementId }) => selector(collector, elementId) === "#seen");
  assert.ok(first.ms - begun >= 1_000, `after ${first.ms - begun} ms`);
  assert.deepEqual(first.look, { background: 0x010203, size: { w: 120, h: 40 }, x: 10, y: 20, radius: 8 });
  const more = collector.of("impression").find(({ elementId }) => selector(collector, elementId) === "#more");
  assert.deepEqual([more.look.x, more.look.y], [-59, 200]);
  // What comes later, and what shows itself later.
  await page.evaluate(() => {
    document.body.append(Object.assign(document.createElement("button"), { id: "late", style: "position: absolute; top: 300px" }));
    document.getElementById("clear").style.opacity = "1";
    document.querySelector("x-shelf").shadowRoot.append(Object.assign(document.createElement("button"), { id: "deep" }));
  });
  await sees("#late", "#clear", "body>x-shelf >>> #deep");
  // Scrolled to for less than a second, then for more.
  const away = await page.evaluate(async () => {
    const begun = performance.now();
    scrollTo(0, 2900);
    await new Promise((done) => setTimeout(done, 300));
    scrollTo(0, 0);
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - begun;
  });
  if (away > 900) throw new TooSlow(`scrolling to and fro took ${away} ms`);
  await page.waitForTimeout(1_500);
  await it.flush();
  assert.ok(!seen().includes("#below"));
  await page.evaluate(() => scrollTo(0, 2900));
  await sees("#below");
  const below = collector.of("impression").at(-1);
  assert.equal(below.look.y, 3000);
  // The same again, only after the page has changed.
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(1_500);
  assert.equal(seen().filter((name) => name === "#seen").length, 1);
  await page.evaluate(() => history.pushState({}, "", "/other"));
  await until(() => seen().filter((name) => name === "#seen").length === 2, "seen again");
  await it.flush();
  assert.equal(collector.of("impression").filter(({ look }) => look.size.h === 0).length, 0);
  assert.ok(!Buffer.concat(collector.bytes).toString("latin1").includes("canary"));
  assert.ok(!seen().some((name) => name === "#half" || name?.includes("hidden-name")));
});

const MANY = `<style>button { width: 60px; height: 20px; padding: 0 }</style><div id="many"></div><script>
  many.innerHTML = Array.from({ length: 5000 }, (_, n) => "<button class=b>B" + n + "</button>").join("");
  window.took = { search: [], sight: 0, tick: 0 };
  // A search is what goes through all elements of the document.
  let searches = 0;
  const query = document.querySelectorAll;
  document.querySelectorAll = (selector) => (searches += selector === "*", query.call(document, selector));
  const idle = window.requestIdleCallback;
  if (idle) window.requestIdleCallback = (run, how) => idle.call(window, (deadline) => {
    const [from, before] = [performance.now(), searches];
    run(deadline);
    if (searches > before) took.search.push(performance.now() - from);
  }, how);
  const Sight = IntersectionObserver;
  window.IntersectionObserver = class extends Sight {
    constructor(run, how) { super((entries) => { const from = performance.now(); run(entries); took.sight += performance.now() - from; }, how); }
  };
  new PerformanceObserver((list) => { for (const it of list.getEntries()) took.long = Math.max(took.long ?? 0, it.duration); }).observe({ type: "longtask" });
</script>`;

page("5,000 interactive elements stay cheap", MANY, async (it) => {
  const { page, collector } = it;
  await until(() => collector.of("impression").length >= 150, "impressions");
  for (let step = 0; step < 10; step++) {
    await page.mouse.wheel(0, 400);
    await page.waitForTimeout(100);
  }
  // A busy machine takes its time over some of them.
  await page.evaluate(() => void setInterval(() => document.body.append(document.createElement("p")), 200));
  // Where a browser has no idle time to tell of, nothing says which timer searched.
  const timed = await page.evaluate(() => "requestIdleCallback" in window);
  const took = await until(() => page.evaluate((enough) => window.took.search.length >= enough && window.took, timed ? 3 : 0), "three searches");
  await it.flush();
  const told = collector.of("impression");
  console.log(`# searches of 5,000 elements: ${took.search.map((ms) => ms.toFixed(1))} ms; sight in all ${took.sight.toFixed(1)} ms`);
  const bytes = collector.bytes.reduce((sum, batch) => sum + batch.length, 0);
  console.log(`# ${told.length} impressions, ${(bytes / told.length).toFixed(0)} bytes each with everything else sent`);
  assert.ok(told.length <= 200, `${told.length} impressions`);
  if (timed) assert.ok(Math.min(...took.search) < 50, `a search takes ${took.search} ms`);
});

const FORMS = `<form id="order" onsubmit="event.preventDefault()"><input id="name" name="name"><input id="mail" type="email">
<input id="gift" type="checkbox"><select id="size"><option>S<option>M</select><input id="when" type="date">
<span data-upriver-private><input id="secret" name="secret"></span><textarea id="note"></textarea><button id="send">Send</button></form>
<form id="letter"><input id="letter-mail" name="letter"></form>
<form id="old" action="/away"><input id="query" name="q"></form><input id="alone">`;

/** What was told of forms, in words. */
const told = (collector) =>
  collector.of("form").sort((a, b) => a.seq - b.seq).map(({ elementId, field, step, fields, batch }) =>
    [selector(collector, elementId), step, fields, field ? selector(collector, batch.elements[field - 1].id) : null].join(" "));

page("a form: begun with its first field, sent, or given up", FORMS, async (it) => {
  const { page, collector } = it;
  await page.click("#name");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("ArrowLeft");
  await page.fill("#alone", "x");
  await page.type("#alone", "canary");
  await page.click("#size");
  await page.keyboard.press("Escape");
  await page.type("#name", "canary");
  await page.type("#mail", "canary@example.com");
  await page.type("#name", "again");
  await page.check("#gift");
  await page.type("#letter-mail", "c");
  await page.type("#secret", "canary");
  await page.click("#send");
  await page.type("#note", "canary");
  await page.evaluate(() => document.getElementById("letter").remove());
  await until(async () => {
    await it.flush();
    return collector.of("form").length >= 5;
  }, "the form that disappeared");
  // A script sends the other: the page is left by it.
  await page.type("#query", "canary");
  await page.evaluate(() => document.getElementById("old").submit());
  await page.waitForURL("**/away*");
  await until(() => collector.of("form").length >= 8, "what became of them");
  assert.deepEqual(told(collector), [
    "#order start 1 #size",
    "#letter start 1 #letter-mail",
    "#order submit 5 ",
    "#order start 1 #note",
    "#letter abandon 1 #letter-mail",
    "#old start 1 #query",
    "#old submit 1 #query",
    "#order abandon 1 #note",
  ]);
  const [start, , submit] = collector.of("form").sort((a, b) => a.seq - b.seq);
  assert.equal(submit.durationMs, submit.ms - start.ms);
  const everything = Buffer.concat(collector.bytes).toString("latin1");
  assert.ok(!everything.includes("canary") && !everything.includes("secret") && everything.includes("#note"));
});

page("a form that is begun is given up with its route", FORMS, async (it) => {
  await it.page.type("#name", "x");
  await it.page.evaluate(() => history.pushState({}, "", "/other"));
  await until(() => it.collector.of("page_view").length === 2, "the route");
  assert.deepEqual(told(it.collector), ["#order start 1 #name", "#order abandon 1 #name"]);
  const abandon = it.collector.of("form").at(-1);
  assert.ok(abandon.seq < it.collector.of("page_view")[1].seq);
  // Sent by a key, without a button, and with nothing used.
  await it.page.focus("#letter-mail");
  await it.page.keyboard.press("Enter");
  await until(() => it.collector.of("form").length === 3, "the empty form");
  assert.deepEqual(told(it.collector)[2], "#letter submit 0 ");
});
