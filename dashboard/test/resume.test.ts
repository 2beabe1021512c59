// Cuts between the dashboard and a real collector: what was missed comes, once, and nothing else.

import type { Browser, Page } from "playwright";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openBrowser, openPage } from "./browser";
import { startCollector, type Collector } from "./collector.mjs";

let browser: Browser;
let collector: Collector;

beforeAll(async () => { browser = await openBrowser(); });
afterAll(async () => { await browser.close(); });
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await collector.stop();
});

/** A message of the collector as the page heard it, and what it was asked for by. */
interface Heard {
  connection: number;
  /** The resource, without the cursor it was asked for with. */
  url: string;
  seq: number;
  type: string;
}

/** What was asked for and what came, over the page's live connections of either kind, in order. */
type Talk = { connection: number; asked: string[]; said?: undefined } | { connection: number; asked?: undefined; said: string };

/** Writes down, in the page, all that its live connections ask for and bring. */
const listen = (page: Page): Promise<unknown> => page.addInitScript(() => {
  const talk = ((window as unknown as { talk: Talk[] }).talk = []) as Talk[];
  let connections = 0;
  const [Socket, Events] = [window.WebSocket, window.EventSource];
  window.WebSocket = class extends Socket {
    #connection = (connections += 1);
    constructor(url: string | URL) {
      super(url);
      this.addEventListener("message", ({ data }) => talk.push({ connection: this.#connection, said: data as string }));
    }
    override send(text: string): void {
      talk.push({ connection: this.#connection, asked: [text] });
      super.send(text);
    }
  };
  window.EventSource = class extends Events {
    constructor(url: string | URL) {
      super(url);
      const connection = (connections += 1);
      talk.push({ connection, asked: new URL(url, location.href).searchParams.getAll("watch") });
      for (const name of ["snapshot", "delta"]) {
        this.addEventListener(name, (event) => talk.push({ connection, said: (event as MessageEvent<string>).data }));
      }
    }
  };
});

/** All that `listen` wrote down. */
async function overheard(page: Page): Promise<{ heard: Heard[]; asked: { connection: number; url: string }[] }> {
  const heard: Heard[] = [];
  const asked: { connection: number; url: string }[] = [];
  const urls = new Map<string, string>();
  const bare = (url: string): string => url.replace(/&after=[^&]*/, "");
  for (const { connection, said, asked: texts } of await page.evaluate(() => (window as unknown as { talk: Talk[] }).talk)) {
    for (const text of texts ?? []) {
      const { subscribe } = text.startsWith("{") ? (JSON.parse(text) as { subscribe?: { id: number; url: string } }) : { subscribe: { id: text, url: text } };
      if (!subscribe) continue;
      urls.set(`${connection} ${subscribe.id}`, bare(subscribe.url));
      asked.push({ connection, url: subscribe.url });
    }
    if (said === undefined) continue;
    const { id, watch, update } = JSON.parse(said) as { id?: number; watch?: string; update?: Heard };
    if (update) heard.push({ ...update, connection, url: urls.get(`${connection} ${id ?? watch}`)! });
  }
  return { heard, asked };
}

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

const hour = (): number => Math.floor(Date.now() / 3_600_000);

/**
 * What came is a whole: each connection goes on where the page was, every version comes once, and all of it
 * only at the beginning. At the full hour numbers begin to count at another moment; then all of it comes again.
 */
function judge({ heard, asked }: Awaited<ReturnType<typeof overheard>>, polled: string[], begun: number): void {
  const hourTurned = hour() !== begun;
  const seqs = new Map<string, number>();
  for (const { url, connection } of asked) {
    const bare = url.replace(/&after=.*/, "");
    const [, cursor] = /&after=[0-9a-f]+-([0-9a-f]+)$/.exec(url) ?? [];
    const after = cursor === undefined ? undefined : parseInt(cursor, 16);
    let held = seqs.get(bare);
    // What a plain request has brought meanwhile is newer.
    if (held !== undefined && !polled.some((path) => path.startsWith(bare))) expect({ bare, after }).toEqual({ bare, after: held });
    if (after !== undefined) {
      expect(after).toBeGreaterThanOrEqual(held ?? 0);
      held = after;
    }
    for (const { type, seq } of heard.filter((message) => message.url === bare && message.connection === connection)) {
      if (type === "delta" || !(held === undefined || hourTurned)) {
        expect({ bare, type, seq }).toEqual({ bare, type: "delta", seq: (held ?? 0) + 1 });
      }
      held = seq;
    }
    if (held !== undefined) seqs.set(bare, held);
  }
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
