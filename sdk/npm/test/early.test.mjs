// What happens before the recorder is there, and when the page is left: nothing of it may be lost,
// nothing counted twice, and everything has the time and the element it had.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TEST_MAX, launch, leftOut, open, until } from "./browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** Tells the page's own account of presses, on its clock, from right after `init`. */
const ACCOUNT = `
  window.begunAt = performance.now();
  window.pressed = [];
  // Of what was pressed before that and released after it, the click is told.
  let down;
  addEventListener("pointerdown", (event) => window.pressed.push((down = event.timeStamp)), true);
  addEventListener("click", (event) => (down ||= window.pressed.push(event.timeStamp)), true);`;
const account = (page) => page.evaluate(() => ({ begunAt: window.begunAt, pressed: window.pressed }));

/** Presses are told of the time at which they were made; none is before the page view that brings its page. */
async function onTime(page, collector, presses) {
  const { pressed, begunAt } = await account(page);
  assert.equal(presses.length, pressed.length);
  // Against the last one: when the page view was asked for no event tells.
  const [told, made] = [presses.at(-1)?.ms, pressed.at(-1)];
  assert.ok(presses.every(({ ms }) => ms >= collector.of("page_view")[0].ms));
  presses.forEach((press, place) => {
    const off = told - press.ms - (made - Math.max(pressed[place], begunAt));
    // So long may lie between asking for the page view and the page's own look at its clock.
    const most = pressed[place] < begunAt ? 250 : 2;
    assert.ok(Math.abs(off) <= most, `press ${place} is off by ${off} ms`);
  });
  return { pressed, begunAt };
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

test("presses made while the recorder is loading are counted once, as they were", { timeout: TEST_MAX }, async () => {
  let serve;
  const it = await open(browser, {
    scripts: ACCOUNT,
    before: ({ collector }) => {
      collector.slow["core.js"] = new Promise((done) => (serve = done));
    },
  });
  const { page, collector } = it;
  try {
    const box = await page.locator("#buy").boundingBox();
    await page.mouse.click(box.x + box.width / 4, box.y + box.height / 2);
    await page.mouse.click(box.x + box.width / 4, box.y + box.height / 2);
    await page.focus("#role");
    await page.keyboard.press("Enter");
    await page.click("#private");
    await page.evaluate(() => window.upriver.track("between"));
    const last = await page.evaluate(() => performance.timeOrigin + performance.now());
    assert.equal((await it.stats()).recorded, 0, "the recorder was there too early for this to be a test");
    // Longer than anything waits.
    await wait(2_000);
    // What was pressed moves before anybody asks where it was.
    await page.evaluate(() => document.body.prepend(Object.assign(document.createElement("p"), { style: "height: 300px" })));
    serve();
    await it.ready();
    await page.click("#fixed");
    await it.flush();
    const presses = collector.of("press");
    const selectors = presses.map((press) => collector.descriptor(press.elementId).selector);
    assert.deepEqual(selectors.filter((selector) => selector.startsWith("#")), ["#buy", "#buy", "#role", "#fixed"]);
    assert.equal(presses.length, 5);
    assert.ok(Math.abs(presses[0].at.x - 0.25) < 0.01 && Math.abs(presses[0].at.y - 0.5) < 0.02, JSON.stringify(presses[0].at));
    assert.equal(presses[2].how.pointer, "keyboard");
    await onTime(page, collector, presses.filter(({ how }) => how.pointer === "mouse"));
    const [between] = collector.of("custom");
    assert.ok(between.ms <= last + 100 && between.ms >= presses[3].ms, `${between.ms - last} ms after it was said`);
    assert.equal((await it.stats()).dropped, 0);
    assert.deepEqual([collector.problems, it.errors], [[], []]);
  } finally {
    await it.close();
  }
});

test("presses within the first 20 ms after init are counted once", { timeout: TEST_MAX, skip: leftOut(["devtools"]) }, async () => {
  let first = Infinity;
  for (let round = 0; round < 40 && first > 20; round++) {
    let pressing = true;
    let ended;
    const sent = [];
    const it = await open(browser, {
      // The page is busy right after init, as pages are: what is pressed meanwhile waits.
      scripts: `${ACCOUNT} while (performance.now() < window.begunAt + 150);`,
      before: async ({ page, collector }) => {
        const cdp = await page.context().newCDPSession(page);
        const mouse = (type, buttons) =>
          cdp.send("Input.dispatchMouseEvent", { type, x: 60, y: 50, button: "left", buttons, clickCount: 1 }).catch(() => {});
        ended = (async () => {
          // From shortly before `init` on, and no more than there is room for.
          await until(() => !pressing || collector.requests.some(({ path }) => path.endsWith("/index.js")), "the page");
          while (pressing && sent.length < 200) {
            sent.push(mouse("mousePressed", 1), mouse("mouseReleased", 0));
            await wait(6);
          }
        })();
      },
    });
    try {
      await it.ready();
      await wait(100);
      pressing = false;
      await ended;
      // The browser answers when the page has handled it.
      await Promise.all(sent);
      await it.flush();
      const presses = it.collector.of("press");
      const { pressed, begunAt } = await onTime(it.page, it.collector, presses);
      const selectors = presses.map((press) => it.collector.descriptor(press.elementId).selector);
      assert.ok(selectors.every((selector) => selector === "#buy"), selectors.join());
      first = Math.min(...pressed.filter((at) => at >= begunAt).map((at) => at - begunAt));
      assert.deepEqual([it.collector.problems, it.errors], [[], []]);
    } finally {
      pressing = false;
      await it.close();
    }
  }
  assert.ok(first <= 20, `the first press came ${first} ms after init`);
});

test("on a page that is never idle a press has the recorder loaded, and is not lost when the page is left then", { timeout: TEST_MAX }, async () => {
  const it = await open(browser, {
    before: ({ page }) => page.addInitScript(() => (window.requestIdleCallback = () => 0)),
  });
  const { page, collector } = it;
  const asked = () => collector.requests.some(({ path }) => path.endsWith("/core.js"));
  try {
    await page.waitForFunction(() => window.upriver);
    await page.mouse.move(300, 300);
    await wait(500);
    assert.ok(!asked(), "it was loaded before anything happened");
    await page.click("#buy");
    await it.ready();
    await page.goto(`${collector.url}/away`);
    await until(() => collector.of("press").length > 0, "the press");
    assert.deepEqual([collector.of("press").length, collector.problems, it.errors], [1, [], []]);
  } finally {
    await it.close();
  }
});

test("stopped or refused before it was there, it records nothing", { timeout: TEST_MAX }, async () => {
  const it = await open(browser, {
    before: ({ collector }) => {
      collector.slow["core.js"] = wait(500);
    },
    scripts: `window.states = []; upriver.on("state", (state) => window.states.push(state));
      window.flushed = upriver.flush().then(() => true); upriver.stop();`,
  });
  try {
    await it.page.click("#buy");
    assert.equal(await it.page.evaluate(() => window.flushed), true);
    await wait(800);
    assert.equal((await it.stats()).transport, "off");
    assert.ok((await it.page.evaluate(() => window.states)).includes("off"));
    assert.equal(it.collector.batches.length, 0);
    assert.equal(await it.page.evaluate(() => localStorage.length), 0);
  } finally {
    await it.close();
  }
});

test("a press inside a drawing belongs to its button or to the whole drawing", { timeout: TEST_MAX }, async () => {
  const it = await open(browser, {});
  try {
    await it.ready();
    await it.page.click("#glyph");
    await it.page.click("#shape");
    await it.flush();
    const described = it.collector.of("press").map((press) => it.collector.descriptor(press.elementId));
    assert.deepEqual(described.map((it) => it.selector), ["#icon", "#drawing"]);
    assert.deepEqual(described.map((it) => it.role), ["button", "svg"]);
    assert.deepEqual(described[1].size, { w: 90, h: 30 });
  } finally {
    await it.close();
  }
});

test("a scroll that still runs when the page is left is sent", { timeout: TEST_MAX }, async () => {
  const it = await open(browser, {});
  const { page, collector } = it;
  try {
    await it.ready();
    await it.flush();
    await page.evaluate(() => {
      addEventListener("scroll", () => location.assign("/away"), { once: true });
      addEventListener("pagehide", () => sessionStorage.setItem("at", Math.round(scrollY)));
    });
    await page.mouse.move(600, 400);
    await page.mouse.wheel(0, 300);
    await page.waitForURL("**/away");
    const at = Number(await page.evaluate(() => sessionStorage.getItem("at")));
    assert.ok(at > 0, "nothing was scrolled");
    const sum = () => collector.of("scroll").reduce((sum, { dy }) => sum + dy, 0);
    await until(() => sum() >= at, "the scroll");
    await wait(300);
    assert.equal(sum(), at);
    assert.deepEqual(collector.problems, []);
  } finally {
    await it.close();
  }
});

test("what is being compressed when the page is left is sent as it is", { timeout: TEST_MAX }, async () => {
  const it = await open(browser, {
    // Nothing is kept that another page could send.
    options: { consent: "cookieless" },
    before: ({ page, collector }) => {
      collector.refuseStream = true;
      return page.addInitScript(() => {
        window.CompressionStream = class extends TransformStream {
          constructor() {
            super({ transform: () => new Promise(() => (window.packing = true)) });
          }
        };
      });
    },
  });
  const { page, collector } = it;
  try {
    await page.waitForFunction(() => window.packing);
    assert.equal(collector.batches.length, 0);
    await page.goto(`${collector.url}/away`);
    await until(() => collector.of("page_view").length > 0, "the page view");
    assert.deepEqual([collector.of("page_view").length, collector.problems, it.errors], [1, [], []]);
  } finally {
    await it.close();
  }
});

test("after wrong options, right ones start it", { timeout: TEST_MAX }, async () => {
  const it = await open(browser, { options: { key: "not a key" } });
  const { page, collector, errors } = it;
  try {
    await it.complaints(1);
    assert.equal(errors.length, 1);
    assert.match(errors[0], /write key/);
    await page.evaluate(() => window.upriver.track("kept"));
    await page.evaluate((endpoint) => void window.upriver.init({ endpoint, key: "k" }), collector.url);
    await it.ready();
    await page.click("#buy");
    await it.flush();
    assert.deepEqual([collector.of("custom").length, collector.of("press").length], [1, 1]);
    assert.equal((await page.evaluate(() => window.listening())).filter(({ kind }) => kind === "click").length, 1);
  } finally {
    await it.close();
  }
});
