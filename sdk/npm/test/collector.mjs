// A collector that speaks the contract and can be told to misbehave. Owns sockets and counting;
// knows nothing of what the events should be.

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";
import { readFile } from "node:fs/promises";
import { ack, decode } from "./wire.mjs";

const FRAME_BYTES_MAX = 64 * 1024;

/** Starts one on a free port of the loopback. */
export async function startCollector() {
  const collector = new Collector();
  await new Promise((done) => collector.server.listen(0, "127.0.0.1", done));
  collector.url = `http://127.0.0.1:${collector.server.address().port}`;
  return collector;
}

class Collector {
  /** Every batch that arrived, with `via`: "stream" or "http"; twice when sent twice. */
  batches = [];
  /** Events by stream and number: what is left when duplicates are gone. */
  events = new Map();
  /** Everything that came up, byte for byte. */
  bytes = [];
  requests = [];
  sockets = new Set();
  problems = [];
  /** Ways to misbehave. */
  refuseStream = false;
  withholdAcks = false;
  status = 200;
  headers = {};
  need = [];
  /** What comes before the answer to the next batch that comes over HTTP. */
  ahead = [];
  /** Asks for the descriptors it does not have, as a collector does. */
  asks = false;
  /** Answers come twice and in any order. */
  shuffle = false;
  /** Files of the SDK that are served only when this is done. */
  slow = {};
  /** Pages: path → html. */
  pages = new Map();
  /** Scripts that run before a page's own. */
  inits = [];
  /** Headers of pages. */
  pageHeaders = {};

  server = createServer((request, response) => {
    this.serve(request, response).catch((error) => {
      // Whoever breaks a request off is no problem of ours.
      if (request.destroyed && !request.complete) return;
      this.problems.push(String(error));
      response.writeHead(500).end();
    });
  }).on("upgrade", (request, socket) => this.upgrade(request, socket));

  async serve(request, response) {
    const url = new URL(request.url, "http://x");
    this.requests.push({ method: request.method, path: url.pathname, query: url.search, headers: request.headers });
    if (url.pathname === "/v1/batch") return this.batch(request, response);
    const own = /^\/upriver\/([\w-]+\.(js|wasm))$/.exec(url.pathname);
    if (own) {
      await this.slow[own[1]];
      const bytes = await readFile(new URL(`../dist/${own[1]}`, import.meta.url));
      const type = own[2] === "js" ? "text/javascript" : "application/wasm";
      return response.writeHead(200, { "content-type": type }).end(bytes);
    }
    const page = this.pages.get(url.pathname);
    const script = url.pathname.endsWith(".js");
    const type = script ? "text/javascript" : "text/html; charset=utf-8";
    const inits = script || this.inits.length === 0 ? "" : `<script>${this.inits.join("\n")}</script>`;
    const whole = page?.replace(/^<!doctype html>(<html[^>]*>)?(<head>)?/, (start) => start + inits);
    response.writeHead(page ? 200 : 404, { "content-type": type, ...this.pageHeaders }).end(whole ?? "");
  }

  async batch(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const cors = { "access-control-allow-origin": "*", ...this.headers };
    if (this.status !== 200) return response.writeHead(this.status, cors).end();
    const body = Buffer.concat(chunks);
    // As the collector does: told by its first bytes, since a type would make the browser ask first.
    const packed = body[0] === 0x1f && body[1] === 0x8b;
    const answer = this.take(packed ? gunzipSync(body) : body, "http");
    response.writeHead(200, cors).end(Buffer.concat([...this.ahead.splice(0), answer]));
  }

  upgrade(request, socket) {
    socket.on("error", () => {});
    if (this.refuseStream) return socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
    const key = request.headers["sec-websocket-key"];
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept.digest("base64")}\r\n\r\n`,
    );
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    let held = Buffer.alloc(0);
    socket.on("data", (data) => {
      held = Buffer.concat([held, data]);
      for (;;) {
        const frame = readFrame(held);
        if (!frame) return;
        held = held.subarray(frame.length);
        if (frame.opcode === 8) return socket.end(writeFrame(8, frame.payload));
        if (frame.opcode !== 2) {
          this.problems.push(`a frame of kind ${frame.opcode}`);
          continue;
        }
        const answer = this.take(frame.payload, "stream");
        if (this.withholdAcks) continue;
        for (let times = this.shuffle ? 2 : 1; times > 0; times--) {
          const wait = this.shuffle ? 400 * Math.random() : 0;
          setTimeout(() => socket.writable && socket.write(writeFrame(2, answer)), wait);
        }
      }
    });
  }

  take(bytes, via) {
    if (bytes.length > FRAME_BYTES_MAX) this.problems.push(`${bytes.length} bytes in a batch`);
    this.bytes.push(bytes);
    const batch = { ...decode(bytes), via, bytes: bytes.length };
    this.batches.push(batch);
    let ms = batch.firstMs;
    batch.events.forEach((event, place) => {
      ms += event.deltaMs;
      const seq = batch.firstSeq + place;
      const name = `${batch.stream}/${seq}`;
      const { deltaMs, ...body } = event;
      const known = this.events.get(name);
      const element = batch.elements[event.element]?.id;
      const scroller = batch.elements[event.container - 1]?.id;
      const text = JSON.stringify({ ...body, element, container: scroller, ms });
      if (known && known.text !== text) this.problems.push(`${name} came again, but different`);
      if (!known) this.events.set(name, { ...body, ms, seq, text, elementId: element, scroller, batch });
    });
    const missing = batch.elements.filter(({ id }) => this.asks && !this.descriptor(id));
    const need = [...this.need, ...missing.map(({ id }) => id)];
    return ack(batch.stream, batch.firstSeq, batch.firstSeq + batch.events.length, need);
  }

  /** Events of a kind, in order of arrival, without duplicates. */
  of(kind) {
    return [...this.events.values()].filter((event) => event.kind === kind);
  }

  /** What is known of an element. */
  descriptor(id) {
    const elements = this.batches.flatMap((batch) => batch.elements);
    return elements.findLast((element) => element.id === id && element.descriptor)?.descriptor;
  }

  /** Sends one frame over every stream. */
  say(bytes) {
    for (const socket of this.sockets) socket.write(writeFrame(2, bytes));
  }

  /** Breaks every stream off, without a word. */
  cut() {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Closes every stream with a code. */
  close(code) {
    for (const socket of this.sockets) socket.end(writeFrame(8, Buffer.from([code >> 8, code & 255])));
  }

  async stop() {
    this.cut();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

function readFrame(held) {
  if (held.length < 6) return undefined;
  let length = held[1] & 127;
  let at = 2;
  if (length === 126) [length, at] = [held.readUInt16BE(2), 4];
  else if (length === 127) [length, at] = [Number(held.readBigUInt64BE(2)), 10];
  if (held.length < at + 4 + length) return undefined;
  const mask = held.subarray(at, at + 4);
  const payload = Buffer.from(held.subarray(at + 4, at + 4 + length)).map((b, i) => b ^ mask[i % 4]);
  return { opcode: held[0] & 15, payload, length: at + 4 + length };
}

function writeFrame(opcode, payload) {
  const long = payload.length > 125;
  const head = long ? [128 + opcode, 126, payload.length >> 8, payload.length & 255] : [128 + opcode, payload.length];
  return Buffer.concat([Buffer.from(head), payload]);
}
