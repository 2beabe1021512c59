// The shapes a page comes in: written from right to left, zoomed, in frames, in closed shadow roots,
// above everything else. Real input by the driver; what is asserted is what came over the wire, and
// where the page itself says that it was pressed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TEST_MAX, launch, leftOut, open, until } from "./browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const near = (value, expected, off) =>
  assert.ok(Math.abs(value - expected) <= off, `${value} is not within ${off} of ${expected}`);

/** A test with a shop of its own, and the events of it as they arrive. */
function shop(name, { needs, ...setup }, run) {
  test(name, { timeout: TEST_MAX, skip: leftOut(needs) }, async () => {
    const it = await open(browser, setup);
    const { page, collector } = it;
    try {
      await it.ready();
      await run({
        ...it,
        named: (event) => collector.descriptor(event.elementId ?? event.scroller)?.selector,
        /** Scrolls to a place and waits until that has happened. */
        rests: (read) => page.waitForFunction(read),
      });
      assert.deepEqual([collector.problems, it.errors], [[], []]);
    } finally {
      await it.close();
    }
  });
}

/** Where the page stood at an event, carried as a reader of the batch does. */
function stood(event) {
  const at = { ...(event.batch.page?.scroll ?? { x: 0, y: 0 }) };
  for (const [place, other] of event.batch.events.entries()) {
    if (event.batch.firstSeq + place === event.seq) break;
    if (other.kind === "page_view") Object.assign(at, other.page.scroll);
    if (other.kind === "scroll" && other.container === 0) {
      at.x += other.dx;
      at.y += other.dy;
    }
  }
  return at;
}

const ARABIC = `<script>document.documentElement.dir = "rtl"</script>
<div style="width: 3000px; height: 20px"></div>
<div id="shelf" style="width: 300px; height: 60px; overflow-x: auto; white-space: nowrap; background: #eee">
<div style="display: inline-block; width: 1200px; height: 30px"></div></div>`;

shop("a page from right to left is scrolled below 0, and so is a shelf on it", { body: ARABIC }, async (it) => {
  const { page } = it;
  // Over what does not scroll by itself.
  await page.mouse.move(500, 20);
  await page.mouse.wheel(-400, 0);
  await it.rests(() => scrollX === -400);
  await page.mouse.click(500, 20);
  const [press] = await it.all("press", 1);
  const scrolls = it.collector.of("scroll");
  assert.deepEqual([scrolls.reduce((sum, { dx }) => sum + dx, 0), scrolls[0].container], [-400, 0]);
  assert.deepEqual(stood(press), { x: -400, y: 0 });
  await page.evaluate(() => scrollTo(-700.5, 0));
  await it.rests(() => scrollX <= -700);
  await page.mouse.click(500, 20);
  const at = await page.evaluate(() => Math.floor(scrollX + 0.5));
  assert.equal(stood((await it.all("press", 2))[1]).x, at);
  await page.evaluate(() => scrollTo(0, 0));
  const shelf = await page.locator("#shelf").boundingBox();
  await page.mouse.move(shelf.x + 100, shelf.y + 20);
  await page.mouse.wheel(-250, 0);
  await it.rests(() => document.getElementById("shelf").scrollLeft === -250);
  const inner = async () => {
    await it.flush();
    return it.collector.of("scroll").filter(({ container }) => container > 0);
  };
  await until(async () => (await inner()).reduce((sum, { dx }) => sum + dx, 0) === -250, "the shelf's scroll");
  assert.equal(it.named((await inner())[0]), "#shelf");
});

shop("on a screen of more pixels, and where a page is zoomed, places stay in CSS pixels", {
  needs: ["contexts"],
  context: { deviceScaleFactor: 1.5, viewport: { width: 853, height: 480 } },
}, async (it) => {
  const { page } = it;
  await page.evaluate(() => (document.body.style.zoom = "1.25"));
  await page.evaluate(() =>
    addEventListener("pointerdown", ({ clientX, clientY }) => {
      const { left, top, width, height } = document.getElementById("buy").getBoundingClientRect();
      window.truth = [(clientX - left) / width, (clientY - top) / height, Math.floor(clientX), Math.floor(clientY)];
    }));
  const { x, y, width, height } = await page.locator("#buy").boundingBox();
  await page.mouse.click(x + width * 0.8, y + height * 0.3);
  const [press] = await it.all("press", 1);
  const [across, down, left, top] = await page.evaluate(() => window.truth);
  near(press.at.x, across, 0.002);
  near(press.at.y, down, 0.002);
  near(press.at.x, 0.8, 0.02);
  assert.deepEqual(press.client, { x: left, y: top });
  assert.equal(it.collector.of("page_view")[0].page.pixelRatioPercent, 150);
});

const CLOSED = `<div id="closed" style="width: 80px"></div><script>
  document.getElementById("closed").attachShadow({ mode: "closed" }).innerHTML = "<button>Secret</button>";
</script>`;

shop("of what a closed shadow root holds, its host is named", { body: CLOSED }, async (it) => {
  const { x, y } = await it.page.locator("#closed").boundingBox();
  await it.page.mouse.click(x + 20, y + 20);
  const [press] = await it.all("press", 1);
  assert.equal(it.named(press), "#closed");
  assert.ok(!Buffer.concat(it.collector.bytes).toString("latin1").includes("Secret"));
});

const TOP = `<dialog id="dialog"><button id="yes">Yes</button></dialog>
<div id="menu" popover style="inset: 100px auto auto 100px"><button id="item">Item</button></div>
<div id="stage"><button id="curtain">Curtain</button></div>`;

shop("dialogs, popovers and what fills the screen are on the top layer", { body: TOP }, async (it) => {
  const { page } = it;
  await page.evaluate(() => document.getElementById("dialog").showModal());
  await page.click("#yes");
  await page.evaluate(() => document.getElementById("dialog").close());
  await page.evaluate(() => document.getElementById("menu").showPopover());
  await page.click("#item");
  await page.evaluate(() => document.getElementById("menu").hidePopover());
  await page.evaluate(() => {
    const stage = document.getElementById("stage");
    stage.addEventListener("click", () => stage.requestFullscreen(), { once: true });
  });
  await page.click("#curtain");
  await it.rests(() => document.fullscreenElement !== null);
  await page.click("#curtain");
  const presses = await it.all("press", 4);
  assert.deepEqual(presses.map(it.named), ["#yes", "#item", "#curtain", "#curtain"]);
  assert.deepEqual(presses.map(({ how }) => how.layer), ["top", "top", "flow", "top"]);
});

const INNER = `<!doctype html><style>body { margin: 0; height: 900px }</style>
<div style="height: 20px"></div><button id="inner" style="width: 100px; height: 40px; border: 0"><b>Inner</b></button>
<p><a href="#x">First</a> <a href="#y">Second</a></p>`;
const FRAMES = `<iframe id="frame" style="position: absolute; left: 200px; top: 300px; width: 300px; height: 200px;
  border: 5px solid" src="/inner"></iframe>
<iframe id="twin" style="position: absolute; left: 600px; top: 300px" src="/twin"></iframe>`;

shop("presses and scrolls in frames of the same origin belong to the page, with the way through the frame", {
  needs: ["frames"],
  body: FRAMES,
  before: ({ collector }) => {
    collector.pages.set("/inner", INNER);
    collector.pages.set("/twin", `<!doctype html><script>document.upriver = true</script><button id="own">Own</button>`);
  },
}, async (it) => {
  const { page, collector } = it;
  const inner = page.frameLocator("#frame");
  await inner.locator("#inner").waitFor();
  // The next thing that happens in the page finds its frames.
  await page.mouse.move(20, 250);
  await it.flush();
  await inner.locator("#inner").click({ position: { x: 25, y: 20 } });
  await inner.locator("text=Second").click();
  await page.frameLocator("#twin").locator("#own").click();
  await page.click("#buy");
  const presses = await it.all("press", 3);
  assert.equal(presses.length, 3);
  assert.deepEqual(presses.map(it.named), ["#frame >>> #inner", "#frame >>> body>p>a:nth-of-type(2)", "#buy"]);
  const [press] = presses;
  near(press.at.x, 0.25, 0.01);
  near(press.at.y, 0.5, 0.02);
  // 5 px of the frame's border, 20 px above the button.
  assert.deepEqual(press.client, { x: 200 + 5 + 25, y: 300 + 5 + 20 + 20 });
  assert.equal(collector.descriptor(press.elementId).label, "Inner");
  assert.ok(presses[0].ms <= presses[1].ms && presses[1].ms <= presses[2].ms, "times of a frame are the page's");
  await page.mouse.move(350, 400);
  await page.mouse.wheel(0, 150);
  const scrolled = () => it.flush().then(() => collector.of("scroll").filter(({ container }) => container > 0));
  await until(async () => (await scrolled()).reduce((sum, { dy }) => sum + dy, 0) === 150, "the frame's scroll");
  assert.equal(it.named((await scrolled())[0]), "#frame");
});
