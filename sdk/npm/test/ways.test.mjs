// The ways to load the package besides the default: the script tag, the wasm as a file, and plain
// JavaScript where a page's policy refuses wasm. Each must record like the default does.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { PATIENCE, TEST_MAX, launch, until } from "./browser.mjs";
import { startCollector } from "./collector.mjs";

const LONG = { timeout: TEST_MAX };
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const page = (head) => `<!doctype html><html lang="en"><head><title>Shop</title>
<link rel="icon" href="data:,">${head}</head><body><button id="buy">Buy</button></body></html>`;
const module = (code) => `<script type="module" nonce="n">${code}</script>`;
const starts = (from, url, more = "") => module(`
  import * as upriver from "/upriver/${from}.js";
  window.upriver = upriver;
  upriver.init({ endpoint: "${url}", key: "test-key"${more} });`);

/** Opens a page, presses the button, and waits for the press. */
async function record(html, headers = {}) {
  const collector = await startCollector();
  collector.pageHeaders = headers;
  collector.pages.set("/", html(collector.url));
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  const tab = await context.newPage();
  const errors = [];
  // Firefox tells as an error of the page that the policy refused what it was asked to refuse.
  tab.on("pageerror", (error) => /^Content-Security-Policy: /.test(error) || errors.push(String(error)));
  tab.on("console", (message) => message.text().startsWith("upriver:") && errors.push(message.text()));
  try {
    await tab.goto(collector.url);
    await tab.click("#buy");
    await tab.evaluate(() => window.upriver.flush());
    await until(() => collector.of("press").length > 0, "a press arrives");
    assert.equal(collector.of("press").length, 1);
    assert.equal(collector.descriptor(collector.of("press")[0].elementId).selector, "#buy");
    assert.deepEqual([errors, collector.problems], [[], []]);
    return {
      custom: collector.of("custom").map(({ name }) => name),
      asked: collector.requests.map(({ path }) => path).filter((path) => path.startsWith("/upriver/")),
    };
  } finally {
    await context.close();
    await collector.stop();
  }
}

test("a script tag starts by its attributes, and makes the calls that waited for it", LONG, async () => {
  const { custom, asked } = await record((url) => page(`
    <script>(window.upriver = window.upriver || []).push(["track", "early", { first: true }]);</script>
    <script async src="/upriver/upriver.js" data-endpoint="${url}" data-key="test-key"></script>`));
  assert.deepEqual(custom, ["early"]);
  assert.deepEqual(asked.sort(), ["/upriver/slim-core.js", "/upriver/upriver.js", "/upriver/upriver.wasm"]);
});

test("the slim module finds its wasm beside itself", LONG, async () => {
  const { asked } = await record((url) => page(starts("slim", url)));
  assert.deepEqual(asked.sort(), ["/upriver/slim-core.js", "/upriver/slim.js", "/upriver/upriver.wasm"]);
});

test("the slim module takes the wasm from where the site says", LONG, async () => {
  const { asked } = await record((url) => page(starts("slim", url, `, wasm: "/upriver/upriver.wasm?1"`)));
  assert.ok(asked.includes("/upriver/upriver.wasm"));
  const bytes = await readFile(new URL("../dist/upriver.wasm", import.meta.url), "base64");
  const compiled = `await WebAssembly.compile(Uint8Array.from(atob("${bytes}"), (letter) => letter.charCodeAt(0)))`;
  const given = await record((url) => page(starts("slim", url, `, wasm: ${compiled}`)));
  assert.ok(!given.asked.includes("/upriver/upriver.wasm"));
});

test("where the policy refuses wasm, plain JavaScript records the same", LONG, async () => {
  for (const from of ["index", "slim"]) {
    const policy = "default-src 'none'; script-src 'self' 'nonce-n'; connect-src 'self'; img-src data:";
    const { asked } = await record((url) => page(starts(from, url)), { "content-security-policy": policy });
    assert.ok(asked.includes("/upriver/plain.js"), `${from} asked for ${asked}`);
  }
});

test("where the policy allows wasm, no plain JavaScript is loaded", LONG, async () => {
  const policy = "default-src 'none'; script-src 'self' 'nonce-n' 'wasm-unsafe-eval'; connect-src 'self'; img-src data:";
  const { asked } = await record((url) => page(starts("index", url)), { "content-security-policy": policy });
  assert.deepEqual(asked.sort(), ["/upriver/core.js", "/upriver/index.js", "/upriver/recorder.js"]);
});
