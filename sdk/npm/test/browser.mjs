// The browser and the page the tests look at. Owns starting both; knows nothing of what is tested.

import { chromium, firefox } from "playwright-core";
import { startCollector } from "./collector.mjs";
import { launchWebKit } from "./webkit.mjs";

/** Which browser is tested: chromium, firefox or webkit. */
export const KIND = process.env.BROWSER || "chromium";
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
/** How Debian's Firefox is started: as if it had a mouse, which without a screen it has not. */
export const AS_FIREFOX = {
  channel: "moz-firefox", executablePath: FIREFOX,
  firefoxUserPrefs: { "ui.primaryPointerCapabilities": 6, "ui.allPointerCapabilities": 6 },
};
/** What a page may be told of, and this driver does not know. */
export const MEDIA = { colorScheme: null, reducedMotion: null, forcedColors: null, contrast: null };
export const ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** How long anything may take on a busy machine, ms. */
export const PATIENCE = 60_000;
/** How long a whole test may take, ms. */
export const TEST_MAX = 240_000;

/** Starts the browser that is tested. */
export async function launch() {
  if (KIND === "webkit") return launchWebKit();
  if (KIND === "chromium") return chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  const browser = await firefox.launch(AS_FIREFOX);
  return { newContext: (how = {}) => browser.newContext({ ...MEDIA, ...how }), close: () => browser.close() };
}

/** What a test may need that not every driver gives, who gives it, and what is said where it is left out. */
const GIVEN = {
  devtools: [["chromium"], "needs Chromium's DevTools: its trace, its targets, or its own account of storage"],
  touch: [["chromium"], "the driver delivers no touch"],
  pen: [["chromium"], "the driver delivers no pen"],
  frames: [["chromium", "firefox"], "the driver's places are those of a frame only"],
  chooser: [["chromium", "firefox"], "the driver opens no chooser of files"],
  contexts: [["chromium", "firefox"], "the driver has no screens of other sizes and densities"],
  navigation: [["chromium"], "the browser has no Navigation API"],
};

/** Whether a test that needs this is left out here, and why. */
export const leftOut = (needs = []) =>
  needs.map((need) => GIVEN[need]).find(([by]) => !by.includes(KIND))?.[1] ?? false;

/** What the page does before anything else: keeps the listeners of the SDK, and the most there ever were. */
const SPY = `
  window.listeners = [];
  window.listenersMost = 0;
  const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype;
  const place = (on, kind, listener) =>
    window.listeners.findIndex((it) => it.on() === on && it.kind === kind && it.listener() === listener);
  EventTarget.prototype.addEventListener = function (kind, listener, options) {
    // By who calls: the test driver listens on the page as well.
    if (new Error().stack.includes("/upriver/") && place(this, kind, listener) < 0) {
      window.listeners.push({ kind, capture: !!options?.capture, passive: !!options?.passive,
        onWindow: this === window || this === window.navigation, on: () => this, listener: () => listener });
      window.listenersMost = Math.max(window.listenersMost, window.listeners.length);
    }
    return add.call(this, kind, listener, options);
  };
  EventTarget.prototype.removeEventListener = function (kind, listener, options) {
    const at = place(this, kind, listener);
    if (at >= 0) window.listeners.splice(at, 1);
    return remove.call(this, kind, listener, options);
  };
  window.listening = () => window.listeners.map(({ kind, capture, passive, onWindow }) => ({ kind, capture, passive, onWindow }));`;

const PAGE = (options, scripts, body) => `<!doctype html><html lang="en"><head><title>Shop</title>
<link rel="icon" href="data:,"><script>${SPY}</script>
<style>
  body { margin: 0; min-height: 4000px; }
  #gallery { width: 300px; overflow-x: auto; white-space: nowrap; touch-action: pan-x pan-y; }
  #gallery div { display: inline-block; width: 280px; height: 120px; background: #cde; }
  #swipe { width: 300px; height: 120px; background: #edc; touch-action: none; }
  #stick { position: sticky; top: 0; height: 30px; background: #fff; }
  #fixed { position: fixed; right: 0; bottom: 0; width: 90px; height: 40px; }
  button { width: 120px; height: 40px; background: rgb(10, 20, 30); border-radius: 6px; }
</style></head><body>
<div id="stick"><button id="stuck">Stuck</button></div>
<button id="buy"><span>Buy</span> now</button>
<button class="same" data-upriver="add">One</button><button class="same" data-upriver="add">Two</button>
<label id="label"><input id="check" type="checkbox" name="check"> Yes</label>
<label for="card">Card</label><input id="card" name="card" value="canary-before">
<textarea id="note">canary-note</textarea>
<form id="form" onsubmit="return false"><input id="field" name="field"><button id="send">Send</button></form>
<div id="role" role="button" tabindex="0">Role</div>
<div data-upriver-private><button id="private">Account of canary-private</button></div>
<x-box id="box"></x-box>
<div id="swipe"></div>
<div id="gallery"><div></div><div></div><div></div></div>
<button id="fixed">Fixed</button>
<button id="icon"><svg width="20" height="20"><g><path id="glyph" d="M0 0H20V20H0Z"/></g></svg></button>
<svg id="drawing" width="90" height="30"><g><svg width="40" height="30"><rect id="shape" width="40" height="30"/></svg></g></svg>
<a id="away" href="/away">Away</a>
${body}
<script>
  customElements.define("x-box", class extends HTMLElement {
    connectedCallback() { this.attachShadow({ mode: "open" }).innerHTML = "<p><button>Inner</button></p>"; }
  });
</script>
<script type="module">
  import * as upriver from "/upriver/index.js";
  window.upriver = upriver;
  window.api = upriver.init(${JSON.stringify(options)});
  ${scripts}
</script></body></html>`;

/** Nothing but what a test is about. */
export const BARE = (options, html, scripts = "") => `<!doctype html><html lang="en"><head><title>Shop</title>
<link rel="icon" href="data:,"></head><body>${html}<script type="module">
  import * as upriver from "/upriver/index.js";
  window.upriver = upriver;
  upriver.init(${JSON.stringify(options)});
  ${scripts}
</script></body></html>`;

/** A collector and a page of the shop in a browser context of its own. */
export async function open(browser, { context = {}, crossOrigin = false, options = {}, scripts = "", body = "", html, before, path = "/" } = {}) {
  const collector = await startCollector();
  // Another origin than the page's, where a preflight would be asked for all but simple requests.
  const endpoint = crossOrigin ? collector.url.replace("127.0.0.1", "localhost") : collector.url;
  const all = { endpoint, key: "test-key", ...options };
  collector.pages.set("/", html === undefined ? PAGE(all, scripts, body) : BARE(all, html, scripts));
  collector.pages.set("/away", "<!doctype html><title>Away</title><p>Away");
  const made = await browser.newContext(context);
  made.setDefaultTimeout(PATIENCE);
  const page = await made.newPage();
  // Where the driver cannot, the server puts scripts before all others.
  if (page.inits) collector.inits = page.inits;
  const errors = [];
  // Firefox calls a stream that is refused an error of the page.
  page.on("pageerror", (error) => /establish a connection|was interrupted/.test(error) || errors.push(String(error)));
  page.on("console", (message) => {
    if (message.text().startsWith("upriver:")) errors.push(message.text());
  });
  await before?.({ page, collector });
  await page.goto(collector.url + path);
  const shop = {
    collector, page, errors, context: made,
    cdp: () => made.newCDPSession(page),
    stats: () => page.evaluate(() => window.upriver.stats()),
    flush: () => page.evaluate(() => window.upriver.flush()),
    /** Waits until the page has said so many errors: some drivers tell of them only when the page is asked. */
    complaints: (count) => until(() => page.evaluate("0").then(() => errors.length >= count), `${count} complaints`),
    /** Waits for the recorder to be there. */
    ready: () => page.waitForFunction(() => window.upriver?.stats().recorded > 0),
    /** Waits until the browser has drawn what was done. */
    drawn: () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))),
    /** Events of a kind, once there are so many. */
    async all(kind, count = 1) {
      await until(() => shop.flush().then(() => collector.of(kind).length >= count), `${count} of ${kind}`);
      return collector.of(kind);
    },
    /** Waits for the stream, which is opened meanwhile. */
    streams: () => until(async () => (await shop.stats()).transport === "stream", "the stream"),
    async close() {
      await made.close();
      await collector.stop();
    },
  };
  return shop;
}

/** Has a page with a touch screen told that there is a mouse as well. */
export const hovering = ({ page }) =>
  page.addInitScript(() => {
    const { matchMedia } = window;
    window.matchMedia = (query) => matchMedia.call(window, query === "(any-hover:hover)" ? "all" : query);
  });

/** Waits until something holds; fails with what it was. */
export async function until(holds, what, ms = PATIENCE) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`never came to be: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** The events of Chromium's trace, of these categories, while something is done. */
export async function traced(cdp, includedCategories, work) {
  const events = [];
  const more = ({ value }) => events.push(...value);
  cdp.on("Tracing.dataCollected", more);
  const complete = new Promise((done) => cdp.once("Tracing.tracingComplete", done));
  await cdp.send("Tracing.start", { traceConfig: { includedCategories, recordMode: "recordAsMuchAsPossible" }, transferMode: "ReportEvents" });
  await work();
  await cdp.send("Tracing.end");
  await complete;
  cdp.off("Tracing.dataCollected", more);
  return events;
}
