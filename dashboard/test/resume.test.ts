// Cuts between the dashboard and a real collector: what was missed comes, once, and nothing else.

import type { Browser, Page } from "playwright";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openBrowser, openPage } from "./browser";
import { startCollector, type Collector } from "./collector.mjs";
import { hour, judge, listen, overheard } from "./talk";

let browser: Browser;
let collector: Collector;

beforeAll(async () => { browser = await openBrowser(); });
afterAll(async () => { await browser.close(); });
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await collector.stop();
});

const status = (page: Page): Promise<string | null> => page.getByRole("banner").getByRole("status").textContent();
/** The site's own events by name, as the activity stream shows them, newest first. */
const shown = (page: Page): Promise<(string | null)[]> => page.locator(".activity .entry[data-kind=custom] b").allTextContents();

/** Waits until the collector has read what was before it was started: its numbers then mean something else. */
const complete = (): Promise<void> => expect.poll(async () => (await collector.get("overview")).basis?.complete).toBe(true);

/** Tells events, and waits until the collector has counted them. */
async function tell(names: string[], all: number): Promise<void> {
  for (const name of names) await collector.tell(name);
  await expect.poll(async () => (await collector.get("overview")).customs).toBe(all);
}

describe.each([["WebSocket", true, "live"], ["server-sent events", false, "live (events)"]] as const)("a cut over %s", (_, websocket, live) => {
  it("is made good by what was missed, and by nothing else", async () => {
    collector = await startCollector({ websocket });
    await complete();
    const begun = hour();
    await tell(["first"], 1);
    const { page } = await openPage(browser);
    await listen(page);
    await page.goto(collector.login);
    await expect.poll(() => status(page)).toBe(live);
    await expect.poll(() => shown(page)).toEqual(["first"]);
    await expect.poll(() => page.locator("[data-link]:not([data-link=live], .funnel, .heat)").count()).toBe(0);
    const before = Math.max(...(await overheard(page)).heard.map((message) => message.connection));

    const polled: string[] = [];
    page.on("request", (request) => {
      const { pathname, search } = new URL(request.url());
      if (pathname.startsWith("/v1/live/")) polled.push(pathname + search);
    });
    const names = ["first"];
    for (const round of [1, 2]) {
      collector.relay.cut();
      await expect.poll(() => status(page)).toMatch(/^stale since/);
      const missed = [`missed ${round}a`, `missed ${round}b`];
      names.push(...missed);
      await tell(missed, names.length);
      expect(await shown(page)).not.toContain(missed[0]);
      collector.relay.mend();
      await expect.poll(() => shown(page)).toEqual([...names].reverse());
      await expect.poll(() => status(page)).toBe(live);
    }
    names.push("after it");
    await tell(["after it"], names.length);
    await expect.poll(() => shown(page)).toEqual([...names].reverse());
    await expect.poll(() => page.locator(".visitors .entry").count()).toBe(1);

    const talk = await overheard(page);
    const { heard, asked } = talk;
    const resumed = asked.filter((one) => one.connection > before);
    expect(resumed.length).toBeGreaterThan(10);
    expect(resumed.filter(({ url }) => !url.includes("after="))).toEqual([]);
    expect(heard.some((message) => message.connection > before && message.url.includes("/activity?"))).toBe(true);
    expect(polled.filter((path) => !path.includes("after="))).toEqual([]);
    judge(talk, polled, begun);
  });
});

describe("a collector that was killed", () => {
  it("brings all of it again, and it is the same", async () => {
    collector = await startCollector();
    await tell(["first"], 1);
    const { page } = await openPage(browser);
    await listen(page);
    await page.goto(collector.login);
    await expect.poll(() => shown(page)).toEqual(["first"]);
    await collector.crash();
    await complete();
    await tell(["second"], 2);
    await expect.poll(() => status(page)).toBe("live");
    await expect.poll(() => shown(page)).toEqual(["second", "first"]);
    const { heard } = await overheard(page);
    const last = Math.max(...heard.map((message) => message.connection));
    expect(heard.find((message) => message.connection === last && message.url.includes("/activity?"))!.type).toBe("snapshot");
  });
});
