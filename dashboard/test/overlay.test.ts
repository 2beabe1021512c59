// The overlay on a real page: the heat is where the element is, to a pixel, as seen in the picture.

import type { Browser, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openBrowser, openPage } from "./browser";
import { spot } from "./fixture/data.mjs";
import { startFixture, type Fixture } from "./fixture/server.mjs";

let browser: Browser;
let fixture: Fixture;

beforeAll(async () => { browser = await openBrowser(); });
afterAll(async () => { await browser.close(); });
beforeEach(async () => { fixture = await startFixture(); });
afterEach(async () => {
  fixture.close();
  for (const context of browser.contexts()) await context.close();
});

/** One element with all its presses around its middle, so that the heat's middle is the element's. */
function only(selector: string): void {
  const cells = spot(7.5, 7.5, 100_000) as [number, number][];
  fixture.data.shop.heatmap.elements = [
    { element: "00000000000000aa", selector, label: "It", role: "button", total: 100_000, cells },
  ];
}

async function openShop(viewport = { width: 1100, height: 800 }): Promise<{ page: Page; complaints: string[] }> {
  const opened = await openPage(browser, { viewport });
  await opened.page.goto(`${fixture.shop}/product/kettle#upriver-overlay=${fixture.ticket()}`);
  await expect.poll(() => fixture.opened.length).toBeGreaterThan(0);
  return opened;
}

/** Two frames: whatever was scheduled has been drawn. */
const settle = (page: Page): Promise<void> =>
  page.evaluate(() => new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));

interface Clip {
  x: number;
  y: number;
  width: number;
  height: number;
}

/**
 * The heat in a part of the picture: how many pixels it colours and where their middle is, CSS
 * pixels. The heat is what differs between the page with it and the same page without.
 */
async function heat(page: Page, clip: Clip): Promise<{ x: number; y: number; weight: number }> {
  await settle(page);
  const hot = (await page.screenshot({ clip })).toString("base64");
  const host = await page.evaluateHandle(() => document.documentElement.lastElementChild as HTMLElement);
  await host.evaluate((element) => element.remove());
  const cold = (await page.screenshot({ clip })).toString("base64");
  await host.evaluate((element) => document.documentElement.append(element));
  const found = await page.evaluate(async ([hot, cold]) => {
    const pixels = async (data: string): Promise<ImageData> => {
      const image = new Image();
      image.src = `data:image/png;base64,${data}`;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext("2d")!;
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, image.width, image.height);
    };
    const [a, b] = [await pixels(hot!), await pixels(cold!)];
    let x = 0, y = 0, weight = 0;
    for (let i = 0; i < a.data.length; i += 4) {
      const differs = Math.abs(a.data[i]! - b.data[i]!) + Math.abs(a.data[i + 1]! - b.data[i + 1]!) + Math.abs(a.data[i + 2]! - b.data[i + 2]!);
      if (differs < 12) continue;
      x += ((i / 4) % a.width) + 0.5;
      y += Math.floor(i / 4 / a.width) + 0.5;
      weight += 1;
    }
    return { x: x / weight, y: y / weight, weight };
  }, [hot, cold]);
  return { ...found, x: clip.x + found.x, y: clip.y + found.y };
}

/** Waits until the middle of the heat is the middle of the element, to a pixel. */
async function expectAnchored(page: Page, selector: string): Promise<void> {
  await expect.poll(async () => {
    const box = (await page.locator(selector).boundingBox())!;
    const left = Math.max(0, box.x - 40);
    const top = Math.max(0, box.y - 40);
    const { x, y, weight } = await heat(page, { x: left, y: top, width: box.x + box.width + 40 - left, height: box.y + box.height + 40 - top });
    const off = Math.max(Math.abs(x - (box.x + box.width / 2)), Math.abs(y - (box.y + box.height / 2)));
    return weight > 50 && off <= 1 ? "anchored" : `${weight} pixels of heat, their middle ${off} px off`;
  }).toBe("anchored");
}

describe("overlay", () => {
  it("stays on its element after scroll, resize and a change of layout", async () => {
    only("#more");
    const { page, complaints } = await openShop();
    await expectAnchored(page, "#more");
    // By script, so that no pointer moves and makes the overlay look again.
    await page.evaluate(() => scrollTo(0, 137));
    await expectAnchored(page, "#more");
    // Tall enough for the panel, which is opaque, to stay clear of the element.
    await page.setViewportSize({ width: 700, height: 1300 });
    await expectAnchored(page, "#more");
    // No event of the window tells of this one.
    await page.evaluate(() => { const bar = document.createElement("div"); bar.style.height = "53px"; document.body.prepend(bar); scrollTo(0, 0); });
    await page.locator("#more").scrollIntoViewIfNeeded();
    await expectAnchored(page, "#more");
    expect(complaints).toEqual([]);
  });

  it("stays on a fixed element while the page scrolls under it", async () => {
    only("#sticky");
    const { page } = await openShop();
    await expectAnchored(page, "#sticky");
    await page.evaluate(() => scrollTo(0, 411));
    await expectAnchored(page, "#sticky");
  });

  it("does not draw outside of a gallery that has scrolled its element away", async () => {
    only("#gallery li:nth-child(1)");
    const { page } = await openShop({ width: 1100, height: 1000 });
    await expectAnchored(page, "#gallery li:nth-child(1)");
    // Now the heat's middle would be at x = 35, left of the gallery, whose edge is at 55. It may glow over the edge by the reach of the blur, not more.
    await page.locator("#gallery").evaluate((gallery) => { gallery.scrollLeft = 150; });
    const box = (await page.locator("#gallery").boundingBox())!;
    // First what is drawn after the scroll, or the picture from before it would pass.
    const right = box.x + 150;
    await expect.poll(async () => (await heat(page, { x: right, y: box.y, width: 60, height: box.height })).weight).toBe(0);
    expect((await heat(page, { x: box.x, y: box.y, width: 60, height: box.height })).weight).toBeGreaterThan(50);
    expect((await heat(page, { x: 0, y: box.y, width: 24, height: box.height })).weight).toBe(0);
  });

  it("draws what lies over the page where it lies, and it scrolls with the page", async () => {
    const cells = spot(8, 8, 100_000) as [number, number][];
    // A blot in the middle of the page's first screen, in a grid of 16 × 16 over the whole page.
    const whole = { ...fixture.data.shop.heatmap, kind: "move", unit: "ms", over: "document" };
    fixture.data.shop.heatmap = { ...whole, total: 100_000, elements: [{ element: "0".repeat(16), selector: "", label: "", role: "", total: 100_000, cells }] } as never;
    const { page } = await openShop({ width: 1100, height: 2_600 });
    const size = await page.evaluate(() => ({ x: document.documentElement.scrollWidth, y: document.documentElement.scrollHeight }));
    const middle = { x: (8.5 / 16) * size.x, y: (8.5 / 16) * size.y };
    const near = { x: middle.x - 250, y: middle.y - 350, width: 500, height: 700 };
    await expect.poll(async () => {
      const { x, y, weight } = await heat(page, near);
      return weight > 50 && Math.max(Math.abs(x - middle.x), Math.abs(y - middle.y)) < 30;
    }).toBe(true);
    await page.setViewportSize({ width: 1100, height: 1_600 });
    await page.evaluate(() => scrollTo(0, 400));
    await expect.poll(async () => {
      const { x, y, weight } = await heat(page, { ...near, y: near.y - 400 });
      return weight > 50 && Math.max(Math.abs(x - middle.x), Math.abs(y + 400 - middle.y)) < 30;
    }).toBe(true);
  });

  it("ignores selectors that are wrong or find nothing, and keeps the page usable", async () => {
    only("#buy");
    const [row] = fixture.data.shop.heatmap.elements;
    fixture.data.shop.heatmap.elements.push(
      { ...row!, element: "00000000000000ab", selector: "a[[[" },
      { ...row!, element: "00000000000000ac", selector: "" },
      { ...row!, element: "00000000000000ad", selector: "#never" },
    );
    const { page, complaints } = await openShop();
    await expectAnchored(page, "#buy");
    await page.evaluate(() => document.querySelector("#buy")!.addEventListener("click", () => { document.title = "pressed"; }));
    await page.click("#buy");
    expect(await page.title()).toBe("pressed");
    expect(complaints).toEqual([]);
  });

  it("follows a route change inside the page", async () => {
    const { page } = await openShop();
    await page.evaluate(() => history.pushState(null, "", "/cart"));
    // The ticket is spent in this fixture, as it is a minute after its making with the collector:
    // the panel must say that nothing is live any more.
    const devtools = await page.context().newCDPSession(page);
    await expect.poll(async () => {
      const { nodes } = await devtools.send("Accessibility.getFullAXTree");
      return nodes.some((node) => String(node.name?.value ?? "").includes("no longer live"));
    }).toBe(true);
    expect(fixture.opened.some((opened) => opened.includes("page=%2Fcart"))).toBe(false);
    // Its shadow root is closed: the page cannot reach in.
    expect(await page.locator("css=section[aria-label='Upriver heat map']").count()).toBe(0);
  });

  it("is gone without a trace after stop", async () => {
    const { page } = await openShop();
    const before = await page.evaluate(() => document.documentElement.children.length);
    await page.evaluate(() => (window as unknown as { overlay: { stop(): void } }).overlay.stop());
    expect(await page.evaluate(() => document.documentElement.children.length)).toBe(before - 1);
  });
});
