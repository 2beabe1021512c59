// What happens before the recorder is there, and when the page is left: nothing of it may be lost,
// nothing counted twice, and everything has the time and the element it had.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, until } from "./browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** Tells the page's own account of presses: Unix ms, from right after `init`. */
const ACCOUNT = `
  window.begunAt = performance.now();
  window.pressed = [];
  addEventListener("pointerdown", (event) => window.pressed.push(event.timeStamp), true);`;
const account = (page) =>
  page.evaluate(() => ({ begunAt: window.begunAt, pressed: window.pressed, origin: Date.now() - performance.now() }));

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

test("presses made while the recorder takes 2 s to load are counted once, as they were", { timeout: 60_000 }, async () => {
  let served;
  const it = await open(browser, {
    scripts: ACCOUNT,
    before: ({ collector }) => {
      collector.slow["core.js"] = wait(2_000).then(() => {
        served = Date.now();
      });
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
    const last = Date.now();
    // What was pressed moves before anybody asks where it was.
    await page.evaluate(() => document.body.prepend(Object.assign(document.createElement("p"), { style: "height: 300px" })));
    await it.ready();
    assert.ok(served > last, "the recorder was there too early for this to be a test");
    await page.click("#fixed");
    await it.flush();
    const presses = collector.of("press");
    const selectors = presses.map((press) => collector.descriptor(press.elementId).selector);
    assert.deepEqual(selectors.filter((selector) => selector.startsWith("#")), ["#buy", "#buy", "#role", "#fixed"]);
    assert.equal(presses.length, 5);
    assert.ok(Math.abs(presses[0].at.x - 0.25) < 0.01 && Math.abs(presses[0].at.y - 0.5) < 0.02, JSON.stringify(presses[0].at));
    assert.equal(presses[2].how.pointer, "keyboard");
    const { pressed, origin } = await account(page);
    const byPointer = presses.filter(({ how }) => how.pointer === "mouse");
    assert.equal(byPointer.length, pressed.length);
    byPointer.forEach((press, place) => {
      const off = press.ms - (origin + pressed[place]);
      assert.ok(Math.abs(off) <= 20, `press ${place} is off by ${off} ms`);
    });
    const [between] = collector.of("custom");
    assert.ok(between.ms <= last + 5 && between.ms >= presses[3].ms);
    assert.equal((await it.stats()).dropped, 0);
    assert.deepEqual([collector.problems, it.errors], [[], []]);
  } finally {
    await it.close();
  }
});

test("presses within the first 20 ms after init are counted once", { timeout: 60_000 }, async () => {
  let first = Infinity;
  for (let round = 0; round < 6 && first > 20; round++) {
    let pressing = true;
    let sent = [];
    const it = await open(browser, {
      // The page is busy right after init, as pages are: what is pressed meanwhile waits.
      scripts: `${ACCOUNT} while (performance.now() < window.begunAt + 150);`,
      before: async ({ page }) => {
        const cdp = await page.context().newCDPSession(page);
        const mouse = (type, buttons) =>
          cdp.send("Input.dispatchMouseEvent", { type, x: 60, y: 50, button: "left", buttons, clickCount: 1 }).catch(() => {});
        sent = (async () => {
          while (pressing) {
            mouse("mousePressed", 1);
            mouse("mouseReleased", 0);
            await wait(6);
          }
        })();
      },
    });
    try {
      await it.ready();
      await wait(100);
      pressing = false;
      await sent;
      await wait(300);
      await it.flush();
      const { pressed, begunAt, origin } = await account(it.page);
      const presses = it.collector.of("press");
      assert.equal(presses.length, pressed.length);
      presses.forEach((press, place) => {
        // None is before the page view that brings its page.
        const off = press.ms - (origin + Math.max(pressed[place], begunAt));
        assert.ok(Math.abs(off) <= 20, `press ${place} is off by ${off} ms`);
      });
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

test("stopped or refused before it was there, it records nothing", { timeout: 60_000 }, async () => {
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

test("a press inside a drawing belongs to its button or to the whole drawing", { timeout: 60_000 }, async () => {
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

test("a scroll that still runs when the page is left is sent", { timeout: 60_000 }, async () => {
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
    await until(() => collector.of("scroll").length > 0, "the scroll");
    await wait(300);
    assert.deepEqual(collector.of("scroll").map(({ dy }) => dy), [at]);
    assert.deepEqual(collector.problems, []);
  } finally {
    await it.close();
  }
});

test("after wrong options, right ones start it", { timeout: 60_000 }, async () => {
  const it = await open(browser, { options: { key: "not a key" } });
  const { page, collector, errors } = it;
  try {
    await until(() => errors.length === 1, "the complaint");
    assert.match(errors[0], /write key/);
    await page.evaluate(() => window.upriver.track("kept"));
    await page.evaluate((endpoint) => void window.upriver.init({ endpoint, key: "k" }), collector.url);
    await it.ready();
    await page.click("#buy");
    await it.flush();
    assert.deepEqual([collector.of("custom").length, collector.of("press").length], [1, 1]);
    assert.equal((await page.evaluate(() => window.listeners)).filter(({ kind }) => kind === "click").length, 2);
  } finally {
    await it.close();
  }
});
