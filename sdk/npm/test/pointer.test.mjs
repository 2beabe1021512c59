// What pointers do besides pressing, in a real browser with the driver's own input: hesitation, long
// presses, pinches, pens, and the way of a mouse. What is asserted is what came over the wire.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TEST_MAX, launch, leftOut, open, until } from "./browser.mjs";
import { TooSlow, attempts, strokes, touches, within } from "./input.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** Counts how often the recorder looked whether the pointer is still where it was. */
const LOOKS = ({ page }) =>
  page.addInitScript(() => {
    window.looks = 0;
    const matches = Element.prototype.matches;
    Element.prototype.matches = function (selector) {
      if (selector === ":hover") window.looks++;
      return matches.call(this, selector);
    };
  });

/** A test with a shop of its own. */
function shop(name, { needs, ...setup }, run) {
  test(name, { timeout: TEST_MAX, skip: leftOut(needs) }, () => attempts(async () => {
    const it = await open(browser, { before: LOOKS, ...setup });
    try {
      await it.ready();
      const { page, collector } = it;
      await run({
        ...it,
        /** Waits until the recorder has looked more often than it had. */
        async looked() {
          const before = await page.evaluate(() => window.looks);
          await page.waitForFunction((before) => window.looks > before, before);
        },
        /** The first event of a kind, once it is there. */
        async first(kind) {
          const found = () => it.flush().then(() => collector.of(kind)[0]);
          return until(found, `a ${kind}`);
        },
        named: (event) => collector.descriptor(event.elementId)?.selector,
      });
      assert.deepEqual([collector.problems, it.errors], [[], []]);
    } finally {
      await it.close();
    }
  }));
}

const touch = { needs: ["touch"], context: { hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } } };
/** After so long the recorder may look, ms. */
const RESTS = 400;
/** Where the mouse is over nothing one can press. */
const ASIDE = [600, 500];
const near = (value, expected, off) =>
  assert.ok(Math.abs(value - expected) <= off, `${value} is not within ${off} of ${expected}`);
/** A moment of the page's own clock, so many ms from now. */
const later = (page, ms) =>
  page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), ms);

shop("a mouse that rests over a button hesitates until it leaves, pressed or not", {}, async (it) => {
  const { page } = it;
  const { x, y, width, height } = await page.locator("#buy").boundingBox();
  for (const presses of [false, true]) {
    await page.mouse.move(...ASIDE);
    // In two places of it: moving about inside is being over it.
    await within(RESTS, "moving inside", async () => {
      await page.mouse.move(x + 5, y + 5);
      await page.mouse.move(x + width / 4, y + height / 2);
    });
    await it.looked();
    if (presses) {
      await page.mouse.down();
      await page.mouse.up();
    }
    await page.mouse.move(...ASIDE);
  }
  await it.flush();
  const told = it.collector.of("hesitation");
  assert.deepEqual(told.map(({ pressed }) => pressed), [false, true]);
  assert.deepEqual(told.map(it.named), ["#buy", "#buy"]);
  const [{ at, client, how, durationMs }] = told;
  assert.equal(how.pointer, "mouse");
  near(client.x, x + width / 4, 1);
  near(client.y, y + height / 2, 1);
  near(at.x, 0.25, 0.02);
  near(at.y, 0.5, 0.03);
  assert.ok(durationMs >= 500, `${durationMs}`);
});

shop("passing over, resting over nothing and pressing at once are no hesitation", {}, async (it) => {
  const { page } = it;
  await page.mouse.move(...ASIDE);
  const box = await page.locator("#buy").boundingBox();
  await within(RESTS, "coming to press", async () => {
    await page.mouse.move(box.x + 9, box.y + 9, { steps: 4 });
    await page.mouse.down();
  });
  await page.mouse.up();
  await later(page, 900);
  await page.mouse.move(...ASIDE);
  await later(page, 900);
  await page.mouse.move(ASIDE[0] + 90, ASIDE[1]);
  await it.flush();
  assert.deepEqual([it.collector.of("hesitation").length, it.collector.of("press").length], [0, 1]);
});

shop("a hesitation ends when its element goes, and when the page is hidden", {}, async (it) => {
  const { page } = it;
  await page.hover("#fixed");
  await it.looked();
  await page.evaluate(() => document.getElementById("fixed").remove());
  const gone = await it.first("hesitation");
  assert.equal(it.named(gone), "#fixed");
  await page.hover("#stuck");
  await it.looked();
  await page.goto(`${it.collector.url}/away`);
  await until(() => it.collector.of("hesitation").length === 2, "the second");
  const left = it.collector.of("hesitation")[1];
  assert.deepEqual([it.named(left), left.how.layer], ["#stuck", "flow"]);
});

shop("the way of a mouse is where it was, thinned", {}, async (it) => {
  const { page } = it;
  await page.evaluate(() => {
    window.moved = [];
    addEventListener("pointermove", (event) => {
      for (const { clientX, clientY, timeStamp } of event.getCoalescedEvents()) {
        window.moved.push([clientX, clientY, timeStamp + performance.timeOrigin]);
      }
    });
  });
  const line = Array.from({ length: 41 }, (_, step) => [100 + 10 * step, 300]);
  const circle = Array.from({ length: 61 }, (_, turn) => {
    const angle = (turn / 30) * Math.PI;
    return [400 + 100 * Math.cos(angle), 300 + 100 * Math.sin(angle)];
  });
  await strokes(page, [...line, ...circle], { late: 50 });
  await it.first("path");
  await it.flush();
  const moved = await page.evaluate(() => window.moved);
  const rest = Math.max(...moved.slice(1).map(([, , ms], place) => ms - moved[place][2]));
  if (rest > RESTS) throw new TooSlow(`the mouse rested for ${rest} ms on its way`);
  const lines = [];
  let steps = 0;
  for (const path of it.collector.of("path")) {
    let [x, y] = [0, 0];
    const places = path.steps.map(({ dx, dy }) => [(x += dx), (y += dy)]);
    assert.equal(path.steps[0].deltaMs, 0);
    steps += places.length;
    for (let place = 1; place < places.length; place++) lines.push([places[place - 1], places[place]]);
  }
  assert.ok(moved.length > 60 && steps < moved.length * 0.7, `${steps} steps of ${moved.length} places`);
  const worst = Math.max(...moved.map((at) => Math.min(...lines.map((line) => off(at, line)))));
  assert.ok(worst <= 4.5, `${worst} px off`); // 3 px, and each place rounded down.
  console.log(`# ${moved.length} places, ${steps} steps, at most ${worst.toFixed(2)} px off`);
});

function off([x, y], [[ax, ay], [bx, by]]) {
  const [dx, dy] = [bx - ax, by - ay];
  const part = Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1), 0), 1);
  return Math.hypot(x - ax - part * dx, y - ay - part * dy);
}

shop("where the data saver is on, nothing is told of a mouse's way, and rests still are", {
  before: async (it) => {
    await LOOKS(it);
    await it.page.addInitScript(() =>
      Object.defineProperty(navigator, "connection", { value: { saveData: true } }));
  },
}, async (it) => {
  await it.page.mouse.move(100, 300);
  await it.page.mouse.move(500, 300, { steps: 20 });
  await it.page.hover("#buy");
  await it.looked();
  await it.page.mouse.move(...ASIDE);
  await it.first("hesitation");
  await later(it.page, 600);
  await it.flush();
  assert.equal(it.collector.of("path").length, 0);
});

shop("held in place for half a second it is a long press, and a press", {}, async (it) => {
  const { page } = it;
  await page.hover("#buy");
  await page.mouse.down();
  await later(page, 650);
  await page.mouse.up();
  const told = await it.first("long_press");
  assert.deepEqual([it.named(told), told.how.pointer], ["#buy", "mouse"]);
  assert.ok(told.durationMs >= 640, `${told.durationMs}`);
  assert.equal(it.collector.of("press").length, 1);
});

shop("a finger that is held hesitates, and long enough it is a long press", touch, async (it) => {
  const cdp = await it.cdp();
  const { x, y } = await it.page.locator("#buy").boundingBox();
  const point = { x: x + 20, y: y + 20 };
  await cdp.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [point] });
  await later(it.page, 700);
  await cdp.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  const [held, long] = [await it.first("hesitation"), await it.first("long_press")];
  for (const told of [held, long]) {
    assert.deepEqual([it.named(told), told.how.pointer], ["#buy", "touch"]);
  }
  // A browser may open its menu before the finger is lifted, and takes it over for that.
  assert.ok(held.durationMs >= 300 && long.durationMs >= 500, JSON.stringify([held, long]));
});

const PHONE = `<meta name="viewport" content="width=device-width,initial-scale=1">`;
/** Two fingers that move apart from each other about a place. */
function pinch(cdp, { x, y }, from, to) {
  const both = (by) => [{ x: x - by / 2, y, id: 0 }, { x: x + by / 2, y, id: 1 }];
  const steps = Array.from({ length: 9 }, (_, step) => both(from + ((to - from) * step) / 8));
  return touches(cdp, [steps[0][0]], ...steps);
}

const SURFACE = `<div id="map" style="width: 300px; height: 200px; touch-action: none; background: #bdf"></div>`;

shop("two fingers pinch, on a surface of the site's own", { ...touch, body: SURFACE }, async (it) => {
  await it.page.locator("#map").scrollIntoViewIfNeeded();
  const { x, y, width, height } = await it.page.locator("#map").boundingBox();
  const middle = { x: x + width / 2, y: y + height / 2 };
  await pinch(await it.cdp(), middle, 60, 180);
  const out = await it.first("pinch");
  near(out.scalePercent, 300, 8);
  assert.deepEqual([it.named(out), out.how.pointer], ["#map", "touch"]);
  await pinch(await it.cdp(), middle, 200, 80);
  await until(() => it.flush().then(() => it.collector.of("pinch").length === 2), "another");
  near(it.collector.of("pinch")[1].scalePercent, 40, 4);
  assert.deepEqual([it.collector.of("press").length, it.collector.of("swipe").length], [0, 0]);
});

shop("where the browser has zoomed in, presses stay on their element", { ...touch, body: PHONE }, async (it) => {
  const { page } = it;
  const cdp = await it.cdp();
  await cdp.send("Emulation.setPageScaleFactor", { pageScaleFactor: 2 });
  await page.waitForFunction(() => visualViewport.scale === 2);
  await page.evaluate(() =>
    addEventListener("pointerdown", ({ clientX, clientY }) => {
      const { left, width } = document.getElementById("buy").getBoundingClientRect();
      window.truth = { x: (clientX - left) / width, client: { x: Math.floor(clientX), y: Math.floor(clientY) } };
    }));
  const { x, y } = await page.locator("#buy").boundingBox();
  await touches(cdp, [{ x: x + 40, y: y + 15 }]);
  const press = await it.first("press");
  const truth = await page.evaluate(() => window.truth);
  assert.equal(it.named(press), "#buy");
  near(press.at.x, truth.x, 0.002);
  assert.deepEqual(press.client, truth.client);
});

shop("a pen presses, swipes and rests above the screen", { needs: ["pen"], body: SURFACE }, async (it) => {
  const { page } = it;
  const cdp = await it.cdp();
  const pen = (type, x, y, pressed) =>
    cdp.send("Input.dispatchMouseEvent", {
      type, x, y, pointerType: "pen", button: pressed ? "left" : "none", buttons: +pressed, clickCount: +pressed,
      force: pressed ? 0.5 : 0,
    });
  const { x, y } = await page.locator("#buy").boundingBox();
  await pen("mouseMoved", 500, 300, false);
  await pen("mouseMoved", x + 20, y + 20, false);
  await it.looked();
  await pen("mousePressed", x + 20, y + 20, true);
  await pen("mouseReleased", x + 20, y + 20, true);
  await pen("mouseMoved", 500, 300, false);
  const rested = await it.first("hesitation");
  assert.deepEqual([it.named(rested), rested.how.pointer, rested.pressed], ["#buy", "pen", true]);
  const press = await it.first("press");
  assert.deepEqual([it.named(press), press.how.pointer], ["#buy", "pen"]);
  const map = await page.locator("#map").boundingBox();
  const places = Array.from({ length: 6 }, (_, step) => [map.x + 20 + 40 * step, map.y + 50]);
  await strokes(page, places, { pointerType: "pen", pressed: true });
  const swipe = await it.first("swipe");
  assert.deepEqual([it.named(swipe), swipe.how.pointer], ["#map", "pen"]);
  near(swipe.dx, 200, 5);
  assert.equal(it.collector.of("press").length, 1);
});
