// The shop's web server: what it hands out, under which headers, and what it refuses.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { openShop } from './shop.mjs';

const endpoint = 'http://127.0.0.1:9';
let shop;
before(async () => {
  shop = await openShop({ endpoint, key: 'wk_"<test>' });
});
after(() => shop.stop());

/** Asks for a path exactly as written: `fetch` would tidy `..` away before it is sent. */
const ask = (path, method = 'GET') =>
  new Promise((done, fail) => {
    const { hostname, port } = new URL(shop.address);
    request({ hostname, port, path, method }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => done({ status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString() }));
    }).on('error', fail).end();
  });

test('every address of the shop answers, also those made up by the browser', async () => {
  for (const path of ['/', '/category', '/category/', '/category/kettles', '/category/kettles/', '/product/heron-kettle', '/cart', '/checkout', '/checkout/delivery', '/checkout/payment', '/thank-you', '/?utm_campaign=spring-sale']) {
    const { status, headers, text } = await ask(path);
    assert.equal(status, 200, path);
    assert.equal(headers['content-type'], 'text/html; charset=utf-8', path);
    assert.equal(headers['cache-control'], 'no-cache', path);
    assert.match(text, /<main/, path);
  }
});

test('what is not there is a 404 with a page', async () => {
  for (const path of ['/nowhere', '/product/no-such-thing', '/checkout/nowhere', '/assets/none.js', '/category/a/b']) {
    const { status, text } = await ask(path);
    assert.equal(status, 404, path);
    assert.match(text, /404/, path);
  }
});

test('nothing outside dist is handed out', async () => {
  for (const path of ['/../package.json', '/..%2fpackage.json', '/%2e%2e/package.json', '/assets/../../serve.mjs', '/assets/..%2f..%2fserve.mjs', '/..%5cpackage.json', '/%00', '/.installed', '//../package.json']) {
    const { status, text } = await ask(path);
    assert.ok(status === 404 || status === 400, `${path}: ${status}`);
    assert.doesNotMatch(text, /brimwell-shop|parseArgs/, path);
  }
  assert.equal((await ask(`/${'a'.repeat(4000)}`)).status, 400);
  assert.equal((await ask('/%zz')).status, 400);
  assert.equal((await ask('/', 'POST')).status, 405);
});

test('hashed files are kept for ever, HEAD has no body', async () => {
  const asset = /\/assets\/[^"]+\.js/.exec((await ask('/')).text)[0];
  const { status, headers } = await ask(asset);
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'text/javascript; charset=utf-8');
  assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable');
  const head = await ask(asset, 'HEAD');
  assert.equal(head.text, '');
  assert.equal(head.headers['content-length'], headers['content-length']);
});

test('endpoint and key are in the page, escaped; the policy allows the endpoint and no more', async () => {
  const { text, headers } = await ask('/');
  assert.ok(text.includes(`<meta name="upriver-endpoint" content="${endpoint}">`));
  assert.ok(text.includes('<meta name="upriver-key" content="wk_&#34;&#60;test&#62;">'));
  const policy = headers['content-security-policy'];
  assert.ok(policy.includes(`script-src 'self' 'wasm-unsafe-eval' ${endpoint};`), policy);
  assert.ok(policy.includes(`connect-src 'self' ${endpoint} ws://127.0.0.1:9;`), policy);
  assert.ok(policy.includes(`frame-ancestors 'self' ${endpoint}`), policy);
  assert.ok(!policy.includes('unsafe-inline'), policy);
});

test('it stops cleanly when told to', async () => {
  const other = await openShop();
  assert.equal(await other.stop(), 0);
});

test('the lock file holds no hash of the SDK, which changes with every build', async () => {
  const lock = JSON.parse(await readFile(new URL('../package-lock.json', import.meta.url), 'utf8'));
  const { resolved, integrity } = lock.packages['node_modules/upriver'];
  assert.equal(resolved, 'file:../sdk/npm/dist-pack/upriver-0.1.0.tgz');
  assert.equal(integrity, undefined, 'take "integrity" of node_modules/upriver out of package-lock.json');
});
