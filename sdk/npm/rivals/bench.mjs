// One scripted visit, played with no SDK, with Upriver and with its rivals, in one browser.
// Owns running and measuring; `page.mjs` has the visit, `sink.mjs` reads what was sent.
//
// Prints one JSON document: for each contender the medians of its runs, and the runs themselves.
// Usage: node bench.mjs [--runs N] [--only NAME,NAME]

import { createServer } from "node:http";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { launch } from "../test/browser.mjs";
import { startCollector } from "../test/collector.mjs";
import { CANARY, PRESSES, page, play } from "./page.mjs";
import { Sink } from "./sink.mjs";

const { values } = parseArgs({ options: { runs: { type: "string", default: "3" }, only: { type: "string", default: "" } } });
const RUNS = Number(values.runs);
/** Upriver twice: over its stream, and in requests where a proxy lets none through. `empty` is a module of
 * nothing: what any script of its own costs a page's load. */
const ALL = ["none", "empty", "upriver", "upriver-stream", "posthog", "clarity", "rrweb", "snowplow", "amplitude", "countly"];
const CONTENDERS = values.only ? ["none", ...values.only.split(",")] : ALL;
const HERE = fileURLToPath(new URL(".", import.meta.url));
/** Loads of the page in each run besides the visit's: one alone tells little, others use the machine too. */
const LOADS = 7;
/** How long the page is left alone after each, ms. */
const SETTLED_MS = 300;
/** What is still to come after the page was left, ms. */
const LAST_WORDS_MS = 2_500;

const sourceOf = (name) => name.replace("-stream", "");
const log = (text) => process.stderr.write(`${text}\n`);

async function bundle(name, sink, outdir) {
  await build({
    entryPoints: { main: join(HERE, `contenders/${sourceOf(name)}.js`) }, outdir, bundle: true, splitting: true, format: "esm",
    minify: true, target: "es2022", define: { SINK: JSON.stringify(sink), "process.env.NODE_ENV": '"production"' }, logLevel: "error",
  });
}

/** Serves the page with one contender, and takes what it sends. */
async function start(name, folder) {
  const sink = new Sink(sourceOf(name));
  const collector = name.endsWith("-stream") ? await startCollector() : undefined;
  const loaded = new Map();
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const cors = {
      "access-control-allow-origin": request.headers.origin ?? "*", "access-control-allow-credentials": "true",
      "access-control-allow-headers": request.headers["access-control-request-headers"] ?? "*",
    };
    if (pathname.startsWith("/sink")) {
      const answer = sink.take({ method: request.method, url: request.url, body: Buffer.concat(chunks) });
      return response.writeHead(200, { ...cors, "content-type": "application/json" }).end(answer);
    }
    if (/^\/js\/[\w-]+\.js$/.test(pathname)) {
      const bytes = await readFile(join(folder, pathname.slice(4)));
      loaded.set(pathname, gzipSync(bytes, { level: 9 }).length);
      return response.writeHead(200, { "content-type": "text/javascript" }).end(bytes);
    }
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(pathname === "/left" ? "<!doctype html><title>Left</title>" : page(name === "none" ? "" : "/js/main.js"));
  });
  // No stream gets through here; each try at one is told apart from requests.
  server.on("upgrade", (_request, socket) => {
    sink.streamsTried += 1;
    // A page that is left meanwhile resets it.
    socket.on("error", () => {});
    socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${server.address().port}`;
  await bundle(name, collector?.url ?? `${url}/sink`, folder);
  return {
    url, sink, loaded, collector,
    async close() {
      server.closeAllConnections();
      server.close();
      await collector?.stop();
    },
  };
}

/** Everything the page's origin has stored, as text. */
const stored = () => `(async () => {
  const texts = [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)];
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise((done, failed) => Object.assign(indexedDB.open(name), { onsuccess: (e) => done(e.target.result), onerror: failed }));
    for (const store of database.objectStoreNames) {
      const all = await new Promise((done) => (database.transaction(store).objectStore(store).getAll().onsuccess = (e) => done(e.target.result)));
      texts.push(JSON.stringify(all, (_, value) => (ArrayBuffer.isView(value) ? String.fromCharCode(...value) : value)));
    }
    database.close();
  }
  return texts.join("\\n");
})()`;

async function visitor(browser, userAgent) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, userAgent });
  // Some contenders record nothing in a browser that says that it is driven.
  await context.addInitScript(() => Object.defineProperty(Navigator.prototype, "webdriver", { get: () => false }));
  return context;
}

const loadOf = (tab) => tab.evaluate(() => performance.getEntriesByType("navigation")[0].loadEventEnd);

/** Serves the page with one contender while this runs. */
async function serving(name, run) {
  const folder = await mkdtemp(join(tmpdir(), "upriver-bench-"));
  const served = await start(name, folder);
  try {
    return await run(served);
  } finally {
    await served.close();
    await rm(folder, { recursive: true });
  }
}

/** How long the page takes to load for a visitor who has never been there, ms, by so many. */
async function loads(browser, userAgent, served) {
  const all = [];
  for (let load = 0; load < LOADS; load++) {
    const context = await visitor(browser, userAgent);
    const tab = await context.newPage();
    await tab.goto(served.url, { waitUntil: "load" });
    all.push(await loadOf(tab));
    await tab.waitForTimeout(SETTLED_MS);
    await context.close();
  }
  return all;
}

async function visit(browser, userAgent, served) {
  const context = await visitor(browser, userAgent);
  try {
    const tab = await context.newPage();
    const cdp = await context.newCDPSession(tab);
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    await tab.goto(served.url, { waitUntil: "load" });
    const load = await loadOf(tab);
    await play(tab);
    await cdp.send("HeapProfiler.collectGarbage");
    const { metrics } = await cdp.send("Performance.getMetrics");
    const figure = (wanted) => metrics.find((metric) => metric.name === wanted).value;
    const pressed = await tab.evaluate(() => window.pressed);
    if (pressed !== PRESSES) throw new Error(`the visit made ${pressed} presses instead of ${PRESSES}: it is void`);
    served.sink.look(Buffer.from(await tab.evaluate(stored())));
    const result = {
      loadsMs: [load], scriptMs: figure("ScriptDuration") * 1_000, layoutMs: (figure("LayoutDuration") + figure("RecalcStyleDuration")) * 1_000,
      taskMs: figure("TaskDuration") * 1_000, heapBytes: figure("JSHeapUsedSize"), listeners: figure("JSEventListeners"),
    };
    await tab.goto(`${served.url}/left`);
    await tab.waitForTimeout(LAST_WORDS_MS);
    return { ...result, ...sent(served) };
  } finally {
    await context.close();
  }
}

function sent({ sink, loaded, collector }) {
  const gzipBytes = [...loaded.values()].reduce((sum, bytes) => sum + bytes, 0);
  for (const bytes of collector?.bytes ?? []) sink.look(bytes);
  return {
    gzipBytes,
    requests: collector ? collector.batches.length : sink.requests,
    preflights: sink.preflights,
    streamsTried: sink.streamsTried,
    bodyBytes: collector ? collector.bytes.reduce((sum, bytes) => sum + bytes.length, 0) : sink.bodyBytes,
    presses: collector ? collector.of("press").length : sink.presses,
    leaks: sink.leaks,
  };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

const runs = Object.fromEntries(CONTENDERS.map((name) => [name, []]));
const browser = await launch();
try {
  const asking = await browser.newPage();
  const userAgent = (await asking.evaluate(() => navigator.userAgent)).replace("Headless", "");
  await asking.close();
  // Round by round, so that what the machine does besides meets all alike.
  for (let round = 0; round < RUNS; round++) {
    for (const name of CONTENDERS) {
      const run = await serving(name, (served) => visit(browser, userAgent, served));
      run.loadsMs.push(...(await serving(name, (served) => loads(browser, userAgent, served))));
      runs[name].push(run);
      log(`${round + 1}/${RUNS} ${name}: ${run.presses} presses, ${run.requests} requests, ${run.bodyBytes} B, script ${run.scriptMs.toFixed(1)} ms`);
    }
  }
} finally {
  await browser.close();
}
const contenders = CONTENDERS.map((name) => {
  const all = runs[name];
  const keys = Object.keys(all[0]).filter((key) => typeof all[0][key] === "number");
  const medians = Object.fromEntries(keys.map((key) => [key, median(all.map((run) => run[key]))]));
  const loadMs = median(all.flatMap(({ loadsMs }) => loadsMs));
  return { name, ...medians, loadMs, presses: Math.min(...all.map(({ presses }) => presses)), leaks: all.some(({ leaks }) => leaks), runs: all };
});
console.log(JSON.stringify({ presses: PRESSES, canary: CANARY.length, contenders }));
