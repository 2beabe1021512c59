// Owns the shop's web server: the built files, their caching, and the security headers a customer's site would have.
// Knows of Upriver only the address and key it writes into the pages and allows in the policy.
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.map': 'application/json',
};

/** Addresses the pages make up with `history.pushState`, and the file that can show them after a reload. */
const fallbacks = [
  [/^\/category\/[\w-]+\/?$/, 'category/index.html', 200],
  [/^\/checkout\/(delivery|payment)\/?$/, 'checkout/index.html', 200],
  [/^\/product\/[\w-]*\/?$/, 'product/index.html', 404],
];

const addressBytesMax = 2048;
const drainMsMax = 2000;

const escaped = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** Origin of an address, or '' for none. Throws on anything that is not http(s). */
function originOf(address) {
  if (address === '') return '';
  const { protocol, origin } = new URL(address);
  if (protocol !== 'http:' && protocol !== 'https:') throw new Error(`--endpoint ${address}: expected an http or https address`);
  return origin;
}

function policyFor(endpoint) {
  const socket = endpoint.replace(/^http/, 'ws');
  return [
    "default-src 'none'",
    `script-src 'self' 'wasm-unsafe-eval' ${endpoint}`,
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src 'self' ${endpoint} ${socket}`,
    "form-action 'self'",
    "base-uri 'none'",
    `frame-ancestors 'self' ${endpoint}`,
  ].map((line) => line.trim()).join('; ');
}

/** The file for a path inside `root`, or undefined: outside, hidden, missing. */
async function fileAt(root, path) {
  // A part that begins with a dot is a hidden file or leads out of the folder.
  if (path.split('/').some((part) => part.startsWith('.'))) return undefined;
  const file = join(root, path);
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile()) return file;
  const index = join(file, 'index.html');
  return found?.isDirectory() && (await stat(index).catch(() => undefined))?.isFile() ? index : undefined;
}

async function answerFor(root, path) {
  const file = await fileAt(root, path);
  if (file !== undefined) return { file, status: 200 };
  const fallback = fallbacks.find(([pattern]) => pattern.test(path));
  return fallback === undefined ? { file: join(root, '404.html'), status: 404 } : { file: join(root, fallback[1]), status: fallback[2] };
}

function pathOf(url) {
  if (url.length > addressBytesMax) return undefined;
  try {
    // Decoded before it is resolved, so that %2e%2e is what it means.
    const path = decodeURIComponent(new URL(url, 'http://shop').pathname);
    return path.includes('\0') || path.includes('\\') ? undefined : path;
  } catch {
    return undefined;
  }
}

/**
 * The shop as a request handler.
 * `root`: absolute path of the built files; `endpoint`, `key`: of Upriver, both '' for a shop without analytics.
 */
export function shop({ root, endpoint, key }) {
  const origin = originOf(endpoint);
  const headers = {
    'content-security-policy': policyFor(origin),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'strict-origin-when-cross-origin',
  };
  const addressed = (html) => html
    .replace('name="upriver-endpoint" content=""', () => `name="upriver-endpoint" content="${escaped(endpoint)}"`)
    .replace('name="upriver-key" content=""', () => `name="upriver-key" content="${escaped(key)}"`);

  async function answer(request, response) {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { ...headers, allow: 'GET, HEAD' }).end();
      return;
    }
    const path = pathOf(request.url ?? '/');
    if (path === undefined) {
      response.writeHead(400, { ...headers, 'content-type': 'text/plain' }).end('the address is malformed or too long\n');
      return;
    }
    const { file, status } = await answerFor(root, path);
    const type = types[extname(file)] ?? 'application/octet-stream';
    const isHead = request.method === 'HEAD';
    if (extname(file) === '.html') {
      const body = Buffer.from(addressed(await readFile(file, 'utf8')));
      response.writeHead(status, { ...headers, 'content-type': type, 'cache-control': 'no-cache', 'content-length': body.length });
      response.end(isHead ? undefined : body);
      return;
    }
    const cache = path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'public, max-age=3600';
    response.writeHead(status, { ...headers, 'content-type': type, 'cache-control': cache, 'content-length': (await stat(file)).size });
    if (isHead) response.end();
    else createReadStream(file).on('error', (error) => response.destroy(error)).pipe(response);
  }

  return (request, response) => {
    answer(request, response).catch((error) => {
      console.error(`cannot answer ${request.url}: ${error.message}`);
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { 'content-type': 'text/plain' }).end('the shop cannot answer\n');
    });
  };
}

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      endpoint: { type: 'string', default: '' },
      key: { type: 'string', default: '' },
      root: { type: 'string', default: join(import.meta.dirname, 'dist') },
    },
  });
  const root = resolve(values.root);
  if ((await fileAt(root, '/index.html')) === undefined) throw new Error(`${root} holds no index.html; run \`npm run build\` first`);
  const server = createServer(shop({ root, endpoint: values.endpoint, key: values.key }));
  server.on('error', (error) => {
    console.error(`cannot listen on 127.0.0.1:${values.port}: ${error.message}`);
    process.exit(1);
  });
  server.listen(Number(values.port), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
  const stop = () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), drainMsMax).unref();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

if (process.argv[1] === import.meta.filename) {
  main().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}
