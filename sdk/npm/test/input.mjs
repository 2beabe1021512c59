// Input whose times are its own: a gesture of 80 ms is one of 80 ms to the page, however long a busy
// machine takes to deliver it. What a gesture is follows from the times of its events, so no test needs
// a fast machine. Owns Chromium's way of saying when an input happened; knows nothing of what is tested.

import { KIND } from "./browser.mjs";

/** Between two steps of a gesture, ms: a frame. */
const STEP = 16;
/** A finger that stands still for longer has its gesture taken over by the browser, which counts by
 * its own clock, ms. */
const STANDS_MAX = 400;
const ATTEMPTS = 8;

/** What is done was done too slowly to be what it was meant to be; it is no fault of what is tested. */
export class TooSlow extends Error {}

/** Does something again as long as the machine was too slow for it. */
export async function attempts(once) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await once();
    } catch (error) {
      if (!(error instanceof TooSlow) || attempt === ATTEMPTS) throw error;
      console.log(`# again: ${error.message}`);
    }
  }
}

/** Fails as {@link TooSlow} when this takes longer, ms. */
export async function within(ms, what, run) {
  const begun = Date.now();
  const result = await run();
  const took = Date.now() - begun;
  if (took > ms) throw new TooSlow(`${what} took ${took} ms`);
  return result;
}

/** Tells the times of a gesture's steps, a frame apart, in the driver's unit (s); none is in the future.
 * `late`: they are told no later than so, ms; a gesture that is delivered too slowly takes longer then. */
function pace(late = Infinity) {
  let next = Date.now();
  return async () => {
    const at = Math.max(next, Date.now() - late);
    next = at + STEP;
    while (Date.now() < at) await new Promise((done) => setTimeout(done, at - Date.now()));
    return at / 1000;
  };
}

/** Touches one after the other, a frame apart; each is a list of places, the last is lifted. */
export async function touches(cdp, ...steps) {
  const step = pace();
  const send = async (type, touchPoints) =>
    cdp.send("Input.dispatchTouchEvent", { type, touchPoints, timestamp: await step() });
  await within(STANDS_MAX, "putting a finger down and moving it", async () => {
    await send("touchStart", steps[0]);
    if (steps.length > 1) await send(steps[1].length > steps[0].length ? "touchStart" : "touchMove", steps[1]);
    else await send("touchEnd", []);
  });
  for (const places of steps.slice(2)) await send("touchMove", places);
  if (steps.length > 1) await send("touchEnd", []);
}

/** A finger that touches an element, as its place is now. */
export async function tap(page, cdp, selector) {
  const { x, y, width, height } = await page.locator(selector).boundingBox();
  await touches(cdp, [{ x: x + width / 2, y: y + height / 2 }]);
}

/** A finger that goes from one place to another. */
export function drag(cdp, from, to, steps) {
  const at = (a, b, step) => a + ((b - a) * step) / steps;
  const place = (_, step) => [{ x: at(from.x, to.x, step), y: at(from.y, to.y, step) }];
  return touches(cdp, ...Array.from({ length: steps + 1 }, place));
}

/** A mouse or pen that goes from place to place, a frame apart; `pressed`: with its button held. Where the
 * driver tells no times, as fast as it goes. */
export async function strokes(page, places, { pointerType = "mouse", pressed = false, late } = {}) {
  if (KIND !== "chromium") {
    for (const [x, y] of places) await page.mouse.move(x, y);
    return;
  }
  const cdp = await page.context().newCDPSession(page);
  const step = pace(late);
  const send = async (type, [x, y]) =>
    cdp.send("Input.dispatchMouseEvent", {
      type, x, y, pointerType, button: pressed ? "left" : "none", buttons: +pressed, clickCount: +pressed,
      force: pressed ? 0.5 : 0, timestamp: await step(),
    });
  if (pressed) await send("mousePressed", places[0]);
  for (const place of places.slice(+pressed)) await send("mouseMoved", place);
  if (pressed) await send("mouseReleased", places.at(-1));
}
