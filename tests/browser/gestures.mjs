// `cargo xtask bench latency`: presses in a real page, and when somebody else hears of each.
//
// Owns the page, the presses and the times: the press by the browser's own time stamp of the event, the changed number
// when it has arrived at another program, the signal when the page's own listener is called. All by this machine's clock.
// Argument: a JSON file with the addresses of a running collector. Prints one line of JSON.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';
import { personAgent } from './visitor.mjs';

const told = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const waitMsMax = 10_000;
/** Between two presses: long enough to be two, and never in step with what the collector does at intervals. */
const restMs = () => 200 + 300 * Math.random();
const now = () => performance.timeOrigin + performance.now();

const html = `<!doctype html><html lang="en"><head><title>Latency</title><link rel="icon" href="data:,"></head><body>
<h1>Latency</h1><button id="offer">Offer</button><script type="module">
  import * as upriver from "/upriver/index.js";
  window.heard = {};
  upriver.on("signal", ({ name }) => { window.heard[name] ??= performance.timeOrigin + performance.now(); });
  window.upriver = upriver;
  addEventListener("pointerdown", ({ timeStamp }) => { window.down = performance.timeOrigin + timeStamp; }, true);
  upriver.init({ endpoint: ${JSON.stringify(told.collector)}, key: ${JSON.stringify(told.key)} });
</script></body></html>`;

const server = createServer((request, response) => {
  const own = /^\/upriver\/([\w-]+\.js)$/.exec(request.url)?.[1];
  response.writeHead(200, { 'content-type': own ? 'text/javascript' : 'text/html' });
  response.end(own ? readFileSync(`${told.sdk}/${own}`) : html);
});

/** Follows the heat map of the pages as another program does, and keeps when each total arrived. */
async function follow(arrived) {
  const url = `${told.collector}/v1/live/heatmap?${new URLSearchParams({ site: told.site, page: '/latency/*' })}`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${told.readToken}`, accept: 'text/event-stream' } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  let text = '';
  for await (const bytes of answer.body) {
    const at = now();
    text += Buffer.from(bytes).toString();
    const messages = text.split('\n\n');
    text = messages.pop();
    for (const message of messages) {
      const data = message.split('\n').find((line) => line.startsWith('data:'));
      if (data) arrived(JSON.parse(data.slice(5)).data.total, at);
    }
  }
}

/** Resolves with what `look` finds, looked for every other millisecond; nothing when it takes too long. */
async function until(look) {
  for (const begun = Date.now(); Date.now() - begun < waitMsMax; ) {
    const found = await look();
    if (found !== undefined && found !== null) return found;
    await new Promise((next) => setTimeout(next, 2));
  }
  return undefined;
}

async function visit(browser, deadline, shown, figures) {
  const context = await browser.newContext({ userAgent: personAgent(browser) });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${told.port}/`);
  await page.waitForFunction(() => window.upriver?.stats().transport === 'stream', undefined, { timeout: waitMsMax });
  for (let rule = 0; rule < told.rules && now() < deadline; rule += 1) {
    await page.evaluate((rule) => history.pushState(null, '', `/latency/${rule}`), rule);
    await page.waitForTimeout(restMs());
    const before = shown.at(-1)?.[0] ?? 0;
    const seen = shown.length;
    await page.click('#offer');
    const down = await page.evaluate(() => window.down);
    figures.presses += 1;
    const changed = await until(() => shown.slice(Math.max(0, seen - 1)).find(([total]) => total > before));
    if (changed) figures.changed_ms.push(changed[1] - down);
    const heard = await page.waitForFunction((name) => window.heard[name], `offer-${rule}`, { timeout: waitMsMax, polling: 10 }).catch(() => undefined);
    if (heard) figures.signal_ms.push((await heard.jsonValue()) - down);
  }
  await context.close();
}

const figures = { presses: 0, changed_ms: [], signal_ms: [] };
await new Promise((done) => server.listen(told.port, '127.0.0.1', done));
const browser = await chromium.launch({ executablePath: told.chromium, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });
try {
  const shown = [];
  follow((total, at) => shown.push([total, at])).catch((error) => { console.error(error); process.exit(1); });
  const deadline = now() + told.seconds * 1_000;
  while (now() < deadline) await visit(browser, deadline, shown, figures);
  console.log(JSON.stringify(figures));
} finally {
  await browser.close();
}
process.exit(0);
