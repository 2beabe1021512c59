// The examples as they are, built by Vite and used in a browser: nothing before the visitor agrees,
// then what was pressed and said, and a signal that shows.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build, preview } from "vite";
import { launch, until } from "../../npm/test/browser.mjs";
import { startCollector } from "../../npm/test/collector.mjs";
import { signal } from "../../npm/test/wire.mjs";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
let browser;
let work;
before(async () => {
  browser = await launch();
  await mkdir(join(PROJECT, "work"), { recursive: true });
  work = await mkdtemp(join(PROJECT, "work/"));
});
after(async () => {
  await browser.close();
  await rm(work, { recursive: true, force: true });
});

for (const name of ["react", "vue"]) {
  test(name, { timeout: 120_000 }, async () => {
    const root = join(PROJECT, name);
    const options = { root, configFile: false, logLevel: "error", build: { outDir: join(work, name) } };
    await build(options);
    const served = await preview({ ...options, preview: { host: "127.0.0.1", port: 0 } });
    const collector = await startCollector();
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      const errors = [];
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      const { port } = served.httpServer.address();
      await page.goto(`http://127.0.0.1:${port}/?collector=${encodeURIComponent(collector.url)}`);
      await page.getByText("May we count").waitFor({ timeout: 30_000 });
      await page.click("[data-upriver=add]");
      assert.deepEqual([collector.batches.length, await page.evaluate(() => localStorage.length)], [0, 0]);
      await page.getByText("Yes", { exact: true }).click();
      await page.click("[data-upriver=buy]");
      await until(() => collector.of("conversion").length === 1, "the order", 30_000);
      assert.deepEqual(collector.of("consent").map(({ state }) => state), ["granted"]);
      assert.deepEqual(collector.of("custom").map(({ name, props }) => [name, props]), [["added", { product: "kettle", count: 1 }]]);
      assert.equal(collector.of("conversion")[0].valueMicros, 19_900_000);
      assert.ok(collector.of("exposure").length > 0);
      assert.equal(collector.of("page_view")[0].page.release, "1.0.0");
      const pressed = collector.of("press").map(({ elementId }) => collector.descriptor(elementId).selector);
      assert.ok(pressed.includes('[data-upriver="add"]') && pressed.includes('[data-upriver="buy"]'), pressed.join());
      await until(() => collector.sockets.size > 0, "the stream", 30_000);
      collector.say(signal(1, "offer", '{"percent":15}'));
      await page.getByText("15 % off for you").waitFor({ timeout: 30_000 });
      assert.deepEqual([errors, collector.problems], [[], []]);
    } finally {
      await context.close();
      await collector.stop();
      served.httpServer.closeAllConnections();
      await new Promise((done) => served.httpServer.close(done));
    }
  });
}
