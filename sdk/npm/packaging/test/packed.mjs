// A packed page in a browser: serving what a bundler made together with a collector, pressing a
// button, and waiting for the press. Knows nothing of bundlers.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, until } from "../../test/browser.mjs";
import { startCollector } from "../../test/collector.mjs";

export const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript",
  ".wasm": "application/wasm", ".css": "text/css",
};

/** The page of a folder: bundlers that take no page are given this one. */
export const page = (script) => `<!doctype html><html lang="en"><head><title>Packed</title>
<link rel="icon" href="data:,"><script type="module" src="${script}"></script></head>
<body><button id="buy">Buy</button></body></html>`;

/** Serves a folder's files; `html`: the page, for a folder that has none. */
export async function serve(folder, html) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    try {
      if (pathname === "/" && html) return response.writeHead(200, { "content-type": TYPES[".html"] }).end(html);
      const bytes = await readFile(join(folder, pathname === "/" ? "index.html" : decodeURIComponent(pathname)));
      response.writeHead(200, { "content-type": TYPES[extname(pathname)] ?? TYPES[".html"] }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Opens the page, presses its button once, and checks that just this arrives. */
export async function recordsOn(url) {
  const collector = await startCollector();
  const browser = await launch();
  try {
    const tab = await (await browser.newContext()).newPage();
    const errors = [];
    tab.on("pageerror", (error) => errors.push(String(error)));
    tab.on("console", (message) => message.text().startsWith("upriver:") && errors.push(message.text()));
    // The page names its own origin as the collector; what goes there is sent on to ours.
    await tab.routeWebSocket(/\/v1\/stream/, (socket) => socket.close());
    await tab.route(/\/v1\/batch/, async (route) => {
      const asked = route.request();
      const response = await fetch(collector.url + new URL(asked.url()).pathname, {
        method: "POST", body: asked.postDataBuffer(),
      });
      await route.fulfill({ status: response.status, body: Buffer.from(await response.arrayBuffer()) });
    });
    await tab.goto(url);
    await tab.waitForFunction(() => window.flush, undefined, { timeout: 60_000 });
    await tab.click("#buy");
    await tab.evaluate(() => window.flush());
    await until(() => collector.of("press").length > 0, "the press arrives", 30_000);
    assert.equal(collector.of("press").length, 1);
    assert.equal(collector.of("page_view").length, 1);
    assert.deepEqual([errors, collector.problems], [[], []]);
  } finally {
    await browser.close();
    await collector.stop();
  }
}
