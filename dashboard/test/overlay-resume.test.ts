// Cuts between the overlay on a shop's own page and a real collector: what was missed comes, once, and
// nothing else. With a ticket that is still good, and with one that has ended meanwhile.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openBrowser, openPage } from "./browser";
import { startCollector, type Collector } from "./collector.mjs";
import { shopPage } from "./fixture/shop.mjs";
import { hour, judge, listen, overheard } from "./talk";

const PATH = "/product/kettle";

let browser: Browser;
let collector: Collector;
let shop: Server;
let origin: string;

beforeAll(async () => { browser = await openBrowser(); });
afterAll(async () => { await browser.close(); });
beforeEach(async () => {
  shop = createServer((_, response) => response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(shopPage(collector.relay.origin)));
  await new Promise<void>((done) => shop.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  shop.closeAllConnections();
  shop.close();
  await collector.stop();
});

/** What the overlay's panel says. Its shadow root is closed: only what a screen reader is told gets out. */
async function panel(page: Page): Promise<{ status: string | undefined; total: string | undefined; notice: string | undefined }> {
  const devtools = await page.context().newCDPSession(page);
  const { nodes } = await devtools.send("Accessibility.getFullAXTree");
  await devtools.detach();
  const texts = nodes.filter((node) => node.role?.value === "StaticText").map((node) => String(node.name?.value ?? ""));
  const first = (like: RegExp): string | undefined => texts.find((text) => like.test(text));
  return { status: first(/^(live|not live|connecting)$/), total: first(/^\d+ press(es)?$/), notice: first(/^The connection is/) };
}

/** Tells presses, and waits until the collector has counted them. */
async function press(times: number, all: number): Promise<void> {
  for (let time = 0; time < times; time += 1) await collector.press("#more");
  await expect.poll(async () => (await collector.get("overview")).presses).toBe(all);
}

const complete = (): Promise<void> => expect.poll(async () => (await collector.get("overview")).basis?.complete).toBe(true);

describe.each([["WebSocket", true], ["server-sent events", false]] as const)("a cut of the overlay over %s", (_, websocket) => {
  it("is made good by what was missed, and by nothing else", async () => {
    collector = await startCollector({ websocket });
    await complete();
    const begun = hour();
    await press(1, 1);
    const { page } = await openPage(browser);
    await listen(page);
    await page.goto(`${origin}${PATH}#upriver-overlay=${await collector.ticket()}`);
    await expect.poll(() => panel(page)).toMatchObject({ status: "live", total: "1 press" });
    const before = Math.max(...(await overheard(page)).heard.map((message) => message.connection));
    let all = 1;
    let total = "1 press";
    for (const missed of [2, 3]) {
      collector.relay.cut();
      await expect.poll(() => panel(page)).toMatchObject({ status: "not live", notice: expect.stringContaining("tried again") as string });
      await press(missed, (all += missed));
      expect(await panel(page)).toMatchObject({ status: "not live", total });
      collector.relay.mend();
      total = `${all} presses`;
      await expect.poll(() => panel(page)).toEqual({ status: "live", total, notice: undefined });
    }
    await press(1, (all += 1));
    await expect.poll(() => panel(page)).toMatchObject({ status: "live", total: `${all} presses` });

    const talk = await overheard(page);
    const resumed = talk.asked.filter(({ connection }) => connection > before);
    expect(resumed.length).toBeGreaterThanOrEqual(2);
    expect(resumed.filter(({ url }) => !url.includes("&after="))).toEqual([]);
    expect(talk.heard.filter(({ connection }) => connection > before).length).toBeGreaterThanOrEqual(3);
    judge(talk, [], begun);
  });
});

describe("an overlay whose ticket has ended", () => {
  it("gets another one from the dashboard around it, and goes on where it was", async () => {
    collector = await startCollector({ site: `base_url = "${origin}"` });
    await complete();
    const begun = hour();
    await press(1, 1);
    const { page } = await openPage(browser);
    await listen(page);
    await page.goto(collector.login);
    await page.getByText("Drawn live on the page").waitFor();
    const frame = page.frames()[1]!;
    const before = Math.max(...(await overheard(frame)).heard.map((message) => message.connection));
    collector.relay.cut();
    await page.getByText("The page's heat map is not live").waitFor();
    await press(2, 3);
    collector.relay.age();
    collector.relay.mend();
    await page.getByText("Drawn live on the page").waitFor();
    await press(1, 4);
    await expect.poll(async () => (await overheard(frame)).heard.filter(({ connection }) => connection > before).length).toBeGreaterThanOrEqual(2);
    const talk = await overheard(frame);
    const resumed = talk.asked.filter(({ connection }) => connection > before);
    expect(resumed.length).toBeGreaterThan(0);
    expect(resumed.filter(({ url }) => !url.includes("&after="))).toEqual([]);
    judge(talk, [], begun);
  });

  it("says in a tab of its own that it has to be opened again", async () => {
    collector = await startCollector();
    await press(1, 1);
    const { page } = await openPage(browser);
    await page.goto(`${origin}${PATH}#upriver-overlay=${await collector.ticket()}`);
    await expect.poll(() => panel(page)).toMatchObject({ status: "live", total: "1 press" });
    collector.relay.age();
    collector.relay.cut();
    collector.relay.mend();
    const notice = expect.stringContaining("Open this page again from the dashboard") as string;
    await expect.poll(() => panel(page)).toEqual({ status: "not live", total: "1 press", notice });
  });
});
