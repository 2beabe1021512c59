// What a visitor agreed to, held against everything the browser sends and stores from the first
// moment of the document: requests, streams and their frames, web storage, cookies, databases, caches.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { KIND, TEST_MAX, launch, open, until } from "./browser.mjs";

const LONG = { timeout: TEST_MAX };
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** Writes that the browser's own protocol does not tell of. */
const SPY = `
  window.written = [];
  const note = (what) => window.written.push(what);
  const cookie = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
  Object.defineProperty(document, "cookie", { get: () => cookie.get.call(document),
    set: (text) => { note("cookie"); cookie.set.call(document, text); } });
  for (const [kind, names] of [["IDBFactory", ["open"]], ["CacheStorage", ["open"]], ["Navigator", ["sendBeacon"]],
    ["StorageManager", ["getDirectory"]]]) {
    // Not all are there on the empty page that comes first.
    const owner = window[kind] ?? class {};
    for (const name of names) {
      const original = owner.prototype[name];
      if (original) owner.prototype[name] = function (...args) { note(name); return original.apply(this, args); };
    }
  }`;

/** Those of web storage, where the browser tells of none. */
const STORAGE = `
  for (const [name, what] of [["setItem", "Added"], ["removeItem", "Removed"]]) {
    const original = Storage.prototype[name];
    Storage.prototype[name] = function (key, ...rest) {
      if (what === "Added" || this.getItem(key) !== null) window.written.push(what + " " + key);
      return original.call(this, key, ...rest);
    };
  }`;

/** Opens the page and notes everything that leaves it or stays behind. */
async function watched(options, more = {}) {
  const told = [];
  const it = await open(browser, {
    ...more,
    options,
    before: async ({ page, collector }) => {
      await page.addInitScript(SPY);
      const asked = (url, method) => {
        const { pathname, protocol } = new URL(url);
        // The page and the SDK's own files are what it means to have the SDK on a page.
        const files = /^\/(upriver\/\w+\.js|away)?$/.test(pathname) && method === "GET";
        if (!(files || protocol === "data:")) told.push(`${method} ${pathname}`);
      };
      if (KIND !== "chromium") {
        await page.addInitScript(STORAGE);
        // As the page's server and the collector have it, which are one: whatever goes there.
        const { serve, upgrade, take } = collector;
        Object.assign(collector, {
          serve: (request, response) => (asked(`http://x${request.url}`, request.method), serve.call(collector, request, response)),
          upgrade: (...all) => (told.push("stream"), upgrade.apply(collector, all)),
          take: (bytes, via) => (via === "stream" && told.push("frame"), take.call(collector, bytes, via)),
        });
        return more.before?.({ page, collector });
      }
      const cdp = await page.context().newCDPSession(page);
      await Promise.all([cdp.send("Network.enable"), cdp.send("DOMStorage.enable")]);
      cdp.on("Network.requestWillBeSent", ({ request }) => asked(request.url, request.method));
      cdp.on("Network.webSocketCreated", () => told.push("stream"));
      cdp.on("Network.webSocketFrameSent", () => told.push("frame"));
      for (const what of ["Added", "Updated", "Removed"]) {
        cdp.on(`DOMStorage.domStorageItem${what}`, ({ key }) => told.push(`${what} ${key}`));
      }
      await more.before?.({ page, collector });
    },
  });
  return Object.assign(it, {
    /** Everything noted since it was last asked; what the browser tells by itself may come later. */
    async told() {
      const written = await it.page.evaluate(() => window.written.splice(0));
      return [...told.splice(0), ...written];
    },
    stored: () => it.page.evaluate(() => ({ ...localStorage, ...sessionStorage })),
    state: async () => (await it.stats()).transport,
    say: (name, ...args) => it.page.evaluate(([name, args]) => window.upriver[name](...args), [name, args]),
  });
}

const quiet = (ms = 700) => new Promise((done) => setTimeout(done, ms));

/** Presses, moves, scrolls, speaks and routes, as a visitor and a site do. */
async function live(it) {
  await it.page.click("#buy");
  for (let step = 0; step < 30; step++) await it.page.mouse.move(200 + step * 5, 300);
  await it.page.mouse.wheel(0, 200);
  await it.page.evaluate(() => {
    upriver.track("looked", { at: 1 });
    history.pushState(null, "", "/second?secret=1");
    upriver.expose("button", "green");
  });
  await it.page.click("#fixed");
}

test("a control: without asking, the same visit sends and stores, and all of it is noted", LONG, async () => {
  const it = await watched({});
  try {
    await live(it);
    await it.flush();
    await it.page.evaluate(() => {
      document.cookie = "a=b";
      indexedDB.open("x");
    });
    const told = [];
    for (const what of ["stream", "frame", "Added upriver.visitor", "Added upriver.visit", "cookie", "open"]) {
      await until(async () => (told.push(...(await it.told())), told.includes(what)), `a note of ${what}`);
    }
    assert.equal(it.collector.of("consent").length, 0);
  } finally {
    await it.close();
  }
});

test("until the visitor agrees nothing is sent or stored; then all of it goes out, the answer first", LONG, async () => {
  const it = await watched({ consent: "required" }, {
    path: "/?utm_source=mail&utm_campaign=spring",
    scripts: `window.states = []; upriver.on("state", (state) => window.states.push(state));`,
  });
  const { page, collector } = it;
  try {
    await until(async () => (await it.state()) === "pending", "the wait for an answer");
    await live(it);
    await it.flush();
    await quiet();
    assert.deepEqual(await it.told(), []);
    assert.deepEqual(await it.stored(), {});
    assert.equal(await it.state(), "pending");
    await it.say("optIn");
    await until(() => collector.of("press").length === 2, "what waited");
    await it.flush();
    const [consent] = collector.of("consent");
    assert.deepEqual([consent.seq, consent.state], [0, "granted"]);
    const [landed, second] = collector.of("page_view");
    // The page and the campaign it began with, not those of the time of the answer.
    assert.deepEqual([landed.page.path, landed.page.campaign.campaign, landed.navigation], ["/", "spring", "load"]);
    assert.deepEqual([second.page.path, second.navigation], ["/second", "route"]);
    assert.deepEqual(collector.of("custom").map(({ name, props }) => [name, props]), [["looked", { at: 1 }]]);
    const presses = collector.of("press").map((press) => collector.descriptor(press.elementId).selector);
    assert.deepEqual(presses, ["#buy", "#fixed"]);
    const order = [...collector.events.values()].sort((a, b) => a.seq - b.seq).map(({ kind }) => kind);
    assert.ok(order.indexOf("custom") < order.indexOf("exposure") && order.indexOf("press") < order.indexOf("custom"), order.join());
    assert.deepEqual(Object.keys(await it.stored()).sort(), ["upriver.visit", "upriver.visitor"]);
    assert.deepEqual(await page.evaluate(() => window.states), ["starting", "pending", "starting", "stream"]);
    assert.deepEqual([collector.problems, it.errors], [[], []]);
  } finally {
    await it.close();
  }
});

test("a visitor who refuses leaves nothing behind; later agreement begins anew", LONG, async () => {
  const it = await watched({ consent: "required" });
  const { collector } = it;
  try {
    await until(async () => (await it.state()) === "pending", "the wait for an answer");
    await live(it);
    await it.say("optOut");
    await live(it);
    await it.flush();
    await quiet();
    assert.deepEqual(await it.told(), []);
    assert.deepEqual(await it.stored(), {});
    assert.deepEqual(await it.stats(), { recorded: 0, acked: 0, dropped: 0, refused: 0, transport: "off" });
    await it.say("optIn");
    await it.page.click("#buy");
    await until(() => collector.of("press").length > 0, "the press after");
    await it.flush();
    assert.deepEqual([collector.of("press").length, collector.of("custom").length], [1, 0]);
    assert.equal((await it.stats()).recorded, collector.events.size);
    assert.deepEqual([collector.problems, it.errors], [[], []]);
  } finally {
    await it.close();
  }
});

test("taken back, recording ends at once and the storage is empty", LONG, async () => {
  const it = await watched({}, { scripts: `localStorage.setItem("own", "kept");` });
  const { collector } = it;
  try {
    await live(it);
    await it.flush();
    await it.page.evaluate(() => {
      upriver.track("too-late");
      window.flushed = upriver.flush().then(() => true);
      upriver.optOut();
    });
    assert.equal(await it.page.evaluate(() => window.flushed), true);
    // What was handed to the browser before is on its way.
    await quiet();
    const removed = (await it.told()).filter((what) => what.startsWith("Removed"));
    assert.deepEqual(removed.sort(), ["Removed upriver.visit", "Removed upriver.visitor"]);
    const before = collector.events.size;
    await live(it);
    await quiet();
    assert.deepEqual(await it.told(), []);
    await it.page.goto(`${collector.url}/away`);
    await quiet();
    assert.deepEqual((await it.page.evaluate(() => ({ ...localStorage }))), { own: "kept" });
    assert.equal(collector.events.size, before);
    assert.ok(!collector.of("custom").some(({ name }) => name === "too-late"));
    assert.deepEqual(collector.problems, []);
  } finally {
    await it.close();
  }
});

test("cookieless, everything is recorded and nothing stored: the visitor is new with each load", LONG, async () => {
  for (const [options, answered] of [[{ consent: "cookieless" }, false], [{ consent: "required" }, true]]) {
    const it = await watched(options);
    const { collector, page } = it;
    try {
      if (answered) {
        await until(async () => (await it.state()) === "pending", "the wait for an answer");
        await it.say("optIn", { cookieless: true });
      }
      await live(it);
      await until(() => collector.of("press").length === 2, "the presses");
      await it.flush();
      assert.deepEqual([collector.of("consent")[0].seq, collector.of("consent")[0].state], [0, "cookieless"]);
      await page.goto(collector.url);
      if (answered) {
        await until(async () => (await it.state()) === "pending", "the wait for an answer");
        await it.say("optIn", { cookieless: true });
      }
      await page.click("#buy");
      await until(() => collector.of("press").length === 3, "the press after");
      await it.flush();
      assert.equal(new Set(collector.batches.map(({ visitor }) => visitor)).size, 2);
      const told = await it.told();
      assert.ok(told.includes("frame"));
      assert.deepEqual(told.filter((what) => !/^(stream|frame|POST \/v1\/batch)$/.test(what)), []);
      assert.deepEqual(await it.stored(), {});
      assert.deepEqual([collector.problems, it.errors], [[], []]);
    } finally {
      await it.close();
    }
  }
});

test("from stored names to cookieless, the visitor becomes another and the names go", LONG, async () => {
  const it = await watched({});
  const { collector } = it;
  try {
    await it.page.click("#buy");
    await it.flush();
    assert.equal(Object.keys(await it.stored()).length, 2);
    await it.say("optIn", { cookieless: true });
    await it.page.click("#buy");
    await until(() => collector.of("press").length === 2, "the second press");
    const [first, second] = collector.of("press").map(({ batch }) => batch.visitor);
    assert.notEqual(first, second);
    assert.deepEqual(await it.stored(), {});
    assert.deepEqual([collector.problems, it.errors], [[], []]);
  } finally {
    await it.close();
  }
});

test("an answer is kept only if the site wants it, as one letter, and counts on the pages to come", LONG, async () => {
  for (const rememberConsent of [false, true]) {
    const it = await watched({ consent: "required", rememberConsent });
    const { page, collector } = it;
    const pending = () => until(async () => (await it.state()) === "pending", "the wait for an answer");
    try {
      await pending();
      assert.deepEqual(await it.stored(), {});
      await it.say("optOut");
      assert.deepEqual(await it.stored(), rememberConsent ? { "upriver.consent": "0" } : {});
      await page.reload();
      if (!rememberConsent) {
        await pending();
        continue;
      }
      await until(async () => (await it.state()) === "off", "the refusal kept");
      assert.equal(collector.batches.length, 0);
      await it.say("optIn");
      assert.equal((await it.stored())["upriver.consent"], "1");
      await page.reload();
      await page.click("#buy");
      await until(() => collector.of("press").length === 1, "the press");
      assert.equal(collector.of("consent").filter(({ batch }) => batch.stream === collector.of("press")[0].batch.stream).length, 0);
    } finally {
      await it.close();
    }
  }
});

test("a privacy signal stops everything before the first byte, whatever the site asks for", LONG, async () => {
  for (const [name, value] of [["globalPrivacyControl", true], ["doNotTrack", "1"]]) {
    for (const consent of ["granted", "cookieless", "required"]) {
      const it = await watched({ consent, rememberConsent: true }, {
        before: ({ page }) => page.addInitScript(([name, value]) =>
          Object.defineProperty(Navigator.prototype, name, { get: () => value }), [name, value]),
        scripts: `upriver.optIn();`,
      });
      try {
        await live(it);
        await it.flush();
        await quiet(300);
        assert.deepEqual(await it.told(), []);
        assert.deepEqual([await it.state(), await it.stored()], ["off", {}]);
      } finally {
        await it.close();
      }
    }
  }
});

test("an unknown word for consent is not taken for agreement", LONG, async () => {
  const it = await watched({ consent: "require" });
  try {
    await until(async () => (await it.state()) === "pending", "the wait for an answer");
    await live(it);
    await quiet(300);
    assert.deepEqual(await it.told(), []);
  } finally {
    await it.close();
  }
});

test("however long the answer takes, what waits is bounded and presses have room", LONG, async () => {
  const it = await watched({ consent: "required" });
  try {
    await until(async () => (await it.state()) === "pending", "the wait for an answer");
    for (let step = 0; step < 300; step++) await it.page.mouse.move(100 + (step % 90), 300 + (step % 7));
    await it.page.click("#buy");
    await it.page.evaluate(() => {
      for (let count = 0; count < 800; count++) upriver.track("many", { count });
    });
    await it.say("optIn");
    await until(() => it.collector.of("press").length === 1, "the press");
    await it.flush();
    const many = it.collector.of("custom").length;
    assert.ok(many > 200 && many < 500, `${many} calls were kept`);
  } finally {
    await it.close();
  }
});
