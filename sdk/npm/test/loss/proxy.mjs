// A network that misbehaves, between browser and collector: TCP, so that nothing above it is spared.
// Owns connections and what becomes of them; knows of HTTP only how to refuse.

import { connect, createServer } from "node:net";

/** What can become of a connection. */
export const FAULTS = ["refuse", "hole", "cut-request", "cut-answer", "delay", "500", "503", "replay"];

const REFUSED = (status) =>
  `HTTP/1.1 ${status} No\r\nRetry-After: 1\r\nAccess-Control-Allow-Origin: *\r\n` +
  "Access-Control-Expose-Headers: retry-after\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/** Starts one on a free port of the loopback; `port()`: where the collector listens now. */
export async function startProxy(port, random = Math.random) {
  const proxy = new Proxy(port, random);
  await new Promise((done) => proxy.server.listen(0, "127.0.0.1", done));
  proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
  return proxy;
}

class Proxy {
  /** One of {@link FAULTS}, or none: bytes pass. Also for connections that are open. */
  fault = undefined;
  connections = 0;
  #open = new Set();
  #port;
  #random;

  constructor(port, random) {
    this.#port = port;
    this.#random = random;
  }

  server = createServer((down) => this.#join(down));

  #join(down) {
    const fault = this.fault;
    this.connections++;
    this.#open.add(down);
    down.on("error", () => {}).on("close", () => this.#open.delete(down));
    if (fault === "refuse") return down.destroy();
    if (fault === "hole") return down.resume();
    if (fault === "500" || fault === "503") return down.once("data", () => down.end(REFUSED(fault)));
    const up = connect(this.#port(), "127.0.0.1").on("error", () => down.destroy());
    down.on("close", () => up.destroy());
    up.on("close", () => down.destroy());
    const sent = [];
    down.on("data", (data) => {
      sent.push(data);
      if (fault === "cut-request") {
        up.end(data.subarray(0, Math.floor(data.length * this.#random())));
        down.destroy();
      } else this.#pass(up, data);
    });
    up.on("data", (data) => {
      if (fault === "cut-answer") down.end(data.subarray(0, Math.floor(data.length * this.#random())));
      else this.#pass(down, data);
    });
    if (fault === "replay") down.on("close", () => this.#again(sent));
  }

  // Chunks stay in order: each waits for the one before.
  #pass(to, data) {
    if (this.fault !== "delay") return to.write(data);
    to.last = (to.last ?? Promise.resolve()).then(async () => {
      await new Promise((done) => setTimeout(done, 400 * this.#random()));
      if (!to.destroyed) to.write(data);
    });
  }

  // All that a connection brought comes a second time.
  #again(sent) {
    const up = connect(this.#port(), "127.0.0.1").on("error", () => {}).resume();
    for (const data of sent) up.write(data);
    setTimeout(() => up.destroy(), 1_000).unref();
  }

  /** Breaks every connection off; what comes then meets this fault. */
  set(fault) {
    this.fault = fault;
    for (const socket of this.#open) socket.destroy();
  }

  async stop() {
    this.set(undefined);
    await new Promise((done) => this.server.close(done));
  }
}
