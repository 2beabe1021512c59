// One scene: pages of one origin in a browser, a collector, the network between them, and the
// presses that were made. Owns starting and ending all of it, and the comparison.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, firefox } from "playwright-core";
import { startCollector } from "../collector.mjs";
import { ARGS, AS_FIREFOX, CHROMIUM, MEDIA, until } from "../browser.mjs";
import { KEY, standIn } from "./collectors.mjs";
import { startProxy } from "./proxy.mjs";

/** How long anything may take. */
const PATIENCE = 60_000;
const BUTTONS = 12;

/** Starts a browser on a profile that outlives it. */
export function openBrowser(kind, profile) {
  if (kind === "firefox") {
    return firefox.launchPersistentContext(profile, { ...AS_FIREFOX, ...MEDIA });
  }
  return chromium.launchPersistentContext(profile, { executablePath: CHROMIUM, args: ARGS });
}

const PAGE = (endpoint, load) => `<!doctype html><html lang="en"><head><title>Shop</title><link rel="icon" href="data:,">
</head><body>${Array.from({ length: BUTTONS }, (_, at) => `<button data-upriver="m${load}-${at}">m${load}-${at}</button>`).join("\n")}
<a id="tab" target="_blank" href="/other">Other</a>
<script type="module" src="/start.js?endpoint=${encodeURIComponent(endpoint)}"></script></body></html>`;

/** Pages, collector and network; `collect`: makes the collector, told the pages' origin. */
export async function setUp(kind, { collect = standIn, random, browser = true } = {}) {
  // The pages come from a server of their own, which nothing happens to.
  const site = await startCollector();
  const collector = await collect(site.url);
  const proxy = await startProxy(collector.port, random);
  let load = 0;
  const again = site.serve.bind(site);
  site.serve = (request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    if (pathname === "/") site.pages.set("/", PAGE(proxy.url, load++));
    return again(request, response);
  };
  site.pages.set("/other", "<!doctype html><title>Other</title><p>Other");
  site.pages.set("/start.js", `import * as upriver from "/upriver/index.js"; window.upriver = upriver;
    upriver.init({ endpoint: new URL(import.meta.url).searchParams.get("endpoint"), key: "${KEY}" });`);
  const profile = await mkdtemp(join(tmpdir(), "upriver-profile-"));
  const it = {
    kind, site, collector, proxy, profile,
    url: site.url,
    pressed: [],
    context: browser ? await openBrowser(kind, profile) : undefined,
    /** Opens the shop in this page or a new one, and waits for the recorder. */
    async visit(page) {
      page ??= await it.context.newPage();
      await page.goto(`${site.url}/`);
      await page.waitForFunction(() => window.upriver?.stats().recorded > 0, undefined, { timeout: PATIENCE });
      // Opened after the recorder's own opening, and so is done after it.
      await it.kept(page);
      return page;
    },
    /** Presses the next button that was never pressed; later than the core's arrival. */
    async press(page) {
      const marker = await page.evaluate(() => {
        window.next = (window.next ?? -1) + 1;
        return document.querySelectorAll("button")[window.next].textContent;
      });
      it.pressed.push(marker);
      await page.click(`[data-upriver="${marker}"]`, { noWaitAfter: true });
      return marker;
    },
    state: (page) => page.evaluate(() => window.upriver.stats().transport),
    /** Batches that are written down. */
    kept: (page) => page.evaluate(KEPT),
    /** Ends the browser and starts it again on the same profile. */
    async reopen() {
      await it.context.close();
      it.context = await openBrowser(kind, profile);
    },
    /** Every press is there once, from a page of the shop that now has nothing more to send. */
    async settled(page) {
      const missing = async () => {
        const found = await collector.markers();
        return it.pressed.filter((marker) => !found.has(marker));
      };
      try {
        await until(async () => (await missing()).length === 0, "every press", PATIENCE);
        await until(async () => (await it.kept(page)) === 0, "an empty database", PATIENCE);
      } catch (error) {
        const stats = await page.evaluate(() => window.upriver.stats());
        throw new Error(`${error.message}; lost: ${await missing()} of ${JSON.stringify([...(await collector.markers())])}; kept: ${await it.kept(page)}; ${JSON.stringify(stats)}`);
      }
      const found = await collector.markers();
      const own = [...found].filter(([marker]) => /^m\d/.test(marker));
      const doubled = own.filter(([marker, count]) => count !== 1 || !it.pressed.includes(marker));
      if (doubled.length > 0) throw new Error(`not once: ${JSON.stringify(doubled)}`);
      if (collector.problems().length > 0) throw new Error(collector.problems().join());
    },
    async end() {
      await it.context?.close().catch(() => {});
      await proxy.stop();
      await collector.stop();
      await site.stop();
      await rm(profile, { recursive: true, force: true, maxRetries: 20 });
    },
  };
  return it;
}

/** In a page: how many batches of this site are written down; 0 where nothing can be. */
export const KEPT = `new Promise((done) => {
  try {
    const opening = indexedDB.open("upriver", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("batches", { keyPath: "key" });
    opening.onerror = () => done(0);
    opening.onsuccess = () => {
      const counting = opening.result.transaction("batches").objectStore("batches").count();
      counting.onsuccess = () => { opening.result.close(); done(counting.result); };
    };
  } catch { done(0); }
})`;
