// Owns what the tests stand on: the shop's own server as a process, a browser, and a listener in the collector's
// place that keeps every byte a page sends. Knows nothing of what is tested.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gunzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';

const folder = join(import.meta.dirname, '..');
export const waitMsMax = 15_000;

/** Starts `serve.mjs` on a free port; resolves when it listens. `stop` resolves to the exit code. */
export async function openShop({ endpoint = '', key = '', root } = {}) {
  const more = root === undefined ? [] : ['--root', root];
  const server = spawn(process.execPath, [join(folder, 'serve.mjs'), '--port', '0', '--endpoint', endpoint, '--key', key, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((done) => server.once('exit', (code) => done(code)));
  const address = await new Promise((done, fail) => {
    createInterface(server.stdout).once('line', (line) => done(line.replace('listening on ', '')));
    ended.then((code) => fail(new Error(`the shop ended with ${code} before it listened; is dist built?`)));
  });
  const stop = () => {
    server.kill('SIGTERM');
    return ended;
  };
  return { address, stop };
}

/** Whether a body is compressed: told as the collector tells it, by its first bytes. */
const isGzip = (body) => body[0] === 0x1f && body[1] === 0x8b;

/** Where the time of sending is in a batch, after its version: all that differs when one is sent again. */
const sentAt = [1, 7];

/** Stands where a collector would: refuses the stream, takes every batch (2xx: on disk), keeps the bytes of each once,
 * as a collector does. A page that is left while it waits for an answer cannot know that its batch arrived: the next
 * sends it again. `answerMs`: how long an answer takes, until that has happened. */
export async function openListener({ answerMs = 0 } = {}) {
  const bodies = [];
  const known = new Set();
  let repeated = 0;
  const waiting = new Set();
  const server = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const sent = Buffer.concat(parts);
      const body = isGzip(sent) ? gunzipSync(sent) : sent;
      const same = Buffer.concat([body.subarray(0, sentAt[0]), body.subarray(sentAt[1])]).toString('base64');
      if (known.has(same)) repeated += 1;
      else bodies.push(body);
      known.add(same);
      setTimeout(() => response.writeHead(204, { 'access-control-allow-origin': '*' }).end(), repeated ? 0 : answerMs);
      for (const look of waiting) look();
    });
  });
  server.on('upgrade', (_request, socket) => {
    // A page that is closed meanwhile resets it.
    socket.on('error', () => {});
    socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  /** How often a text occurs in all that was sent. */
  const count = (text) => bodies.reduce((sum, body) => sum + body.toString('latin1').split(text).length - 1, 0);
  /** Resolves when this holds; rejects after `waitMsMax`. */
  const when = (holds, otherwise) =>
    new Promise((done, fail) => {
      const timer = setTimeout(() => {
        waiting.delete(look);
        fail(new Error(`${otherwise} within ${waitMsMax} ms; ${bodies.length} batches were`));
      }, waitMsMax);
      const look = () => {
        if (!holds()) return;
        clearTimeout(timer);
        waiting.delete(look);
        done();
      };
      waiting.add(look);
      look();
    });
  /** Resolves when the text has been sent. */
  const heard = (text) => when(() => count(text) > 0, `"${text}" was not sent`);
  /** Resolves when a batch has come again. */
  const again = () => when(() => repeated > 0, 'no batch was sent again');
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    count,
    heard,
    again,
    stop: () => new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    }),
  };
}

/** An address on which nothing listens. */
export async function deadAddress() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return `http://127.0.0.1:${port}`;
}

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });

export const devices = {
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
  desktop: { viewport: { width: 1440, height: 900 } },
};

const touching = new WeakSet();

/** A visitor with an own storage. `problems` collects uncaught errors and console errors, but for `excused` ones. */
export async function visitor(browser, device, excused = /^$/) {
  const context = await browser.newContext(device);
  if (device.hasTouch) touching.add(context);
  context.setDefaultTimeout(waitMsMax);
  const problems = [];
  const watch = (page) => {
    page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error' && !excused.test(message.text())) problems.push(`${page.url()}: ${message.text()}`);
    });
    return page;
  };
  const open = async () => watch(await context.newPage());
  return { page: await open(), open, problems, close: () => context.close() };
}

/** Presses as this device does. */
export const press = (page, locator) => (touching.has(page.context()) ? locator.tap() : locator.click());

export const address = { email: 'reader@example.com', person: 'Quiet Reader', street: 'Harbour Lane 7', postcode: '1011', city: 'Northport' };

/** From a product page to the thank-you page; returns the order's number. */
export async function buy(page, shop, product, variant) {
  await page.goto(`${shop}/product/${product}?variant=${variant}`);
  await press(page, page.locator('[data-upriver="buy"]'));
  await page.waitForURL('**/cart');
  await press(page, page.locator('[data-upriver="checkout"]'));
  await page.waitForURL('**/checkout/delivery');
  for (const [name, text] of Object.entries(address)) await page.fill(`#${name}`, text);
  await press(page, page.locator('[data-upriver="to-payment"]'));
  await page.waitForURL('**/checkout/payment');
  await page.fill('#card', '4242424242424242');
  await page.fill('#expiry', '0439');
  await page.fill('#code', '737');
  await press(page, page.locator('[data-upriver="pay"]'));
  await page.waitForURL('**/thank-you');
  return page.locator('.thanks-head b').textContent();
}
