// What a site says and hears through the API: who the visitor is, its release, signals.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { TEST_MAX, launch, open, until } from "./browser.mjs";
import { signal } from "./wire.mjs";

const LONG = { timeout: TEST_MAX };
const USER = "ada@example.com";
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

async function shop(more, run) {
  const it = await open(browser, more);
  try {
    await it.ready();
    await run(it);
    assert.deepEqual(it.collector.problems, []);
  } finally {
    await it.close();
  }
}

const everything = ({ collector }) => Buffer.concat(collector.bytes).toString("latin1");

test("a user is told as a hash, unless the site says otherwise", LONG, () =>
  shop({}, async (it) => {
    await it.page.evaluate((user) => {
      upriver.identify(user);
      upriver.track("after");
      return upriver.flush();
    }, USER);
    const [hashed] = it.collector.of("identify");
    const digest = createHash("sha256").update(USER).digest("hex");
    assert.deepEqual([hashed.user, hashed.hashed], [digest, true]);
    assert.ok(!everything(it).includes("ada@"), "the address itself is on the wire");
    await it.page.evaluate(() => (upriver.identify("customer-77", { hash: false }), upriver.flush()));
    const plain = it.collector.of("identify")[1];
    assert.deepEqual([plain.user, plain.hashed], ["customer-77", false]);
    await it.page.evaluate(() => (upriver.identify(""), upriver.identify(7), upriver.flush()));
    assert.equal(it.collector.of("identify").length, 2);
    await it.complaints(1);
    assert.deepEqual(it.errors, ["upriver: identify: a name must be a text that is not empty"]);
  }));

test("where the browser cannot hash, nothing is told in clear", LONG, () =>
  shop({ before: ({ page }) => page.addInitScript(() =>
    Object.defineProperty(Crypto.prototype, "subtle", { get: () => undefined })) }, async (it) => {
    await it.page.evaluate((user) => (upriver.identify(user), upriver.flush()), USER);
    assert.equal(it.collector.of("identify").length, 0);
    assert.ok(!everything(it).includes("ada@"));
    await it.complaints(1);
    assert.deepEqual(it.errors, ["upriver: identify: hashing needs an https: page; nothing was sent"]);
  }));

test("every page view carries the release", LONG, () =>
  shop({ options: { release: "2026.11.2" } }, async (it) => {
    await it.page.evaluate(() => (upriver.page(), upriver.flush()));
    const views = it.collector.of("page_view");
    assert.deepEqual(views.map(({ page }) => page.release), ["2026.11.2", "2026.11.2"]);
  }));

const HEAR = `window.heard = []; upriver.on("signal", (signal) => window.heard.push(signal));
  upriver.on("signal", () => { throw new Error("the site's own"); });`;
const heard = (it, count) =>
  until(async () => {
    const all = await it.page.evaluate(() => window.heard);
    return all.length >= count && all;
  }, `${count} signals`);

test("a signal over the stream is told once, with its payload, and does no harm", LONG, () =>
  shop({ scripts: HEAR }, async (it) => {
    const { collector, page } = it;
    await it.streams();
    const offer = { code: "Frühling <b>", percent: 10, deep: [1, { a: null }] };
    const expires = Date.now() + 60_000;
    const largest = Number.MAX_SAFE_INTEGER;
    collector.say(signal(largest, "offer", JSON.stringify(offer), expires));
    collector.say(signal(largest, "offer", JSON.stringify(offer), expires));
    collector.say(signal(7, "broken", "{not json"));
    collector.say(signal(8, "empty", "null"));
    const all = await heard(it, 2);
    assert.deepEqual(all, [
      { id: largest, name: "offer", payload: offer, expires },
      { id: 8, name: "empty", payload: null, expires: 0 },
    ]);
    // The stream lives on, and so does recording.
    await page.click("#buy");
    await it.flush();
    assert.equal((await it.stats()).transport, "stream");
    assert.equal(collector.of("press").length, 1);
    await until(() => it.errors.some((error) => error.includes("broken")), "the complaint");
    assert.equal(it.errors.filter((error) => error.includes('signal "broken" is not JSON')).length, 1);
  }));

test("signals ride on the answers to requests, and one that came before is not told again", LONG, () =>
  shop({ scripts: HEAR }, async (it) => {
    const { collector, page } = it;
    await it.streams();
    collector.say(signal(1, "first", '"by stream"'));
    await heard(it, 1);
    collector.refuseStream = true;
    collector.cut();
    await until(async () => (await it.stats()).transport !== "stream", "the end of the stream");
    collector.ahead.push(signal(1, "first", '"again"'), signal(2, "second", '{"by":"answer"}', 5));
    await page.evaluate(() => upriver.track("over-http"));
    await it.flush();
    const all = await heard(it, 2);
    assert.deepEqual(all.map(({ id, payload }) => [id, payload]), [[1, "by stream"], [2, { by: "answer" }]]);
    // What comes into view meanwhile is recorded too.
    await until(async () => {
      await it.flush();
      const { acked, recorded } = await it.stats();
      return acked === recorded;
    }, "that all is acknowledged", 30_000);
  }));

test("a listener that was taken off hears nothing more", LONG, () =>
  shop({ scripts: `${HEAR} window.end = upriver.on("signal", ({ id }) => (window.last = id));` }, async (it) => {
    await it.streams();
    it.collector.say(signal(1, "a", "1"));
    await heard(it, 1);
    await it.page.evaluate(() => window.end());
    it.collector.say(signal(2, "b", "2"));
    await heard(it, 2);
    assert.equal(await it.page.evaluate(() => window.last), 1);
  }));
