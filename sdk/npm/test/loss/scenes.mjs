// What can happen to a press, one scene each: it must arrive, once.

import assert from "node:assert/strict";
import { until } from "../browser.mjs";
import { KEPT, openBrowser } from "./scene.mjs";
import { killBrowser, startPipe } from "./pipe.mjs";

const LONG = 60_000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const csp = (policy) => ({ "content-security-policy": policy });

/** Name → what happens. `only`: the one browser it is for. `fake`: needs the stand-in. */
export const SCENES = {
  "a press, then another page": {
    async run(it) {
      const page = await it.visit();
      await it.press(page);
      await page.goto(`${it.url}/other`);
      await it.settled(await it.visit(page));
    },
  },
  "refused with 503 over a navigation and a visit": {
    async run(it) {
      it.proxy.set("503");
      const page = await it.visit();
      await it.press(page);
      await it.visit(page);
      await it.press(page);
      await page.goto(`${it.url}/other`);
      it.proxy.set(undefined);
      await it.settled(await it.visit(page));
    },
  },
  "left before its database has written": {
    async run(it) {
      it.proxy.set("503");
      const page = await it.visit();
      // What a page asks for while it goes is not always written.
      await page.evaluate(() => (IDBDatabase.prototype.transaction = () => { throw new Error("gone"); }));
      await it.press(page);
      await page.goto(`${it.url}/other`);
      it.proxy.set(undefined);
      await it.settled(await it.visit(page));
      const left = await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("upriver.left")));
      assert.deepEqual(left, [], "what was set down is taken up");
    },
  },
  "the connection drops and comes back": {
    async run(it) {
      const page = await it.visit();
      await until(async () => (await it.state(page)) === "stream", "the stream", LONG);
      await it.press(page);
      it.proxy.set("refuse");
      await it.press(page);
      await until(async () => (await it.state(page)) === "offline", "offline", LONG);
      await it.press(page);
      it.proxy.set(undefined);
      await it.settled(page);
    },
  },
  "hidden, and its renderer gone 250 ms later, while offline": {
    only: "chromium",
    browser: false,
    async run(it) {
      it.proxy.set("hole");
      const browser = startPipe(it.profile);
      const page = await browser.open(`${it.url}/`);
      await until(() => page.evaluate("window.upriver?.stats().recorded > 0"), "the recorder", LONG);
      await page.evaluate(KEPT);
      const marker = await page.evaluate("document.querySelector('button').textContent");
      await page.press("button");
      it.pressed.push(marker);
      await browser.open(`${it.url}/other`);
      await until(() => page.evaluate("document.hidden"), "hidden", LONG);
      await pause(250);
      await page.crash();
      it.proxy.set(undefined);
      const next = await browser.open(`${it.url}/`);
      await until(async () => (await it.collector.markers()).has(marker), "the press", LONG);
      await until(async () => (await next.evaluate(KEPT)) === 0, "an empty database", LONG);
      await browser.close();
      it.context = await openBrowser(it.kind, it.profile);
      await it.settled(await it.visit());
    },
  },
  "hidden behind another tab, the browser killed 250 ms later": {
    only: "firefox",
    async run(it) {
      it.proxy.set("hole");
      const page = await it.visit();
      await it.press(page);
      await Promise.all([page.waitForEvent("popup"), page.click("#tab")]);
      await until(() => page.evaluate(() => document.hidden), "hidden", LONG);
      await pause(250);
      killBrowser(it.profile);
      await it.context.close().catch(() => {});
      it.proxy.set(undefined);
      it.context = await openBrowser(it.kind, it.profile);
      await it.settled(await it.visit());
    },
  },
  "offline, the browser closed and opened again": {
    async run(it) {
      it.proxy.set("refuse");
      const page = await it.visit();
      await it.press(page);
      await it.press(page);
      await page.close();
      await it.reopen();
      it.proxy.set(undefined);
      await it.settled(await it.visit());
    },
  },
  "others have used up what may outlive a page": {
    async run(it) {
      it.proxy.set("refuse");
      const page = await it.visit();
      await until(async () => (await it.state(page)) === "offline", "offline", LONG);
      // A request of 63 KiB that is never answered.
      let ended;
      it.site.slow["hole.js"] = new Promise((done) => (ended = done));
      await page.evaluate(() => {
        const body = new Uint8Array(63 * 1024);
        fetch("/upriver/hole.js", { method: "POST", keepalive: true, body }).catch(() => {});
      });
      it.proxy.set(undefined);
      await it.press(page);
      await page.goto(`${it.url}/other`);
      ended();
      await it.settled(await it.visit(page));
    },
  },
  "a policy without workers": {
    async run(it) {
      it.site.pageHeaders = csp("worker-src 'none'");
      const page = await it.visit();
      await it.press(page);
      await it.settled(page);
    },
  },
  "a policy without wasm": {
    async run(it) {
      it.site.pageHeaders = csp("script-src 'self'");
      const page = await it.visit();
      await it.press(page);
      await page.goto(`${it.url}/other`);
      await it.settled(await it.visit(page));
    },
  },
  "the collector is killed and comes back": {
    async run(it) {
      const page = await it.visit();
      await until(async () => (await it.state(page)) === "stream", "the stream", LONG);
      await it.press(page);
      await it.collector.kill();
      await it.press(page);
      await it.visit(page);
      await it.press(page);
      await it.collector.start();
      await it.settled(page);
    },
  },
  "answers come twice and in any order": {
    fake: true,
    async run(it) {
      it.collector.collector.shuffle = true;
      const page = await it.visit();
      for (let round = 0; round < 8; round++) {
        await it.press(page);
        await pause(120);
      }
      await it.settled(page);
      const stats = await page.evaluate(() => window.upriver.stats());
      assert.equal(stats.acked, stats.recorded);
    },
  },
  "two tabs, one of them gone": {
    async run(it) {
      it.proxy.set("refuse");
      const [one, two] = [await it.visit(), await it.visit()];
      await it.press(one);
      await it.press(two);
      await one.close();
      it.proxy.set(undefined);
      await it.press(two);
      await it.settled(await it.visit());
    },
  },
  "no database": {
    async run(it) {
      await it.context.addInitScript(() => {
        IDBFactory.prototype.open = () => {
          throw new DOMException("no", "SecurityError");
        };
      });
      const page = await it.visit();
      await it.press(page);
      await page.goto(`${it.url}/other`);
      await it.settled(await it.visit(page));
    },
  },
  "a full disk": {
    async run(it) {
      await it.context.addInitScript(() => {
        IDBObjectStore.prototype.put = () => {
          throw new DOMException("full", "QuotaExceededError");
        };
      });
      const page = await it.visit();
      await it.press(page);
      await page.goto(`${it.url}/other`);
      await it.settled(await it.visit(page));
    },
  },
  "the clock is set while a page runs and between pages": {
    async run(it) {
      it.proxy.set("refuse");
      const page = await it.visit();
      await it.press(page);
      await page.evaluate(() => {
        const real = Date.now;
        Date.now = () => real() + 3 * 3_600_000;
      });
      await it.press(page);
      await page.goto(`${it.url}/other`);
      it.proxy.set(undefined);
      await it.settled(await it.visit(page));
    },
  },
};
