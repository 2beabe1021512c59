// A real collector for a browser test, and a wire to it that can be cut.
//
// Owns: the process of the collector's binary in a folder of its own, a relay in front of it, and
// events told as a page would tell them. Built with `cargo build --bin upriver`.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BINARY = process.env.UPRIVER_BINARY ?? fileURLToPath(new URL("../../target/debug/upriver", import.meta.url));
/** How long it may take to begin to listen: a deadline, not a promise about speed. */
const START_MS_MAX = 60_000;
/** What it has said that is kept, to be told when it ends too early. */
const SAID_CHARS_MAX = 64 * 1024;
const KEY = "wk_dashboard_0001";
const READ_TOKEN = "rt_dashboard_0001";
const ADMIN_TOKEN = "at_dashboard_0001";
/** May read live numbers, and not who the visitors are. */
export const WALL_TOKEN = "wall_screen_secret_1";
const sites = (more) => `
[[site]]
id = "shop"
name = "Brimwell"
write_key = "${KEY}"
read_token = "${READ_TOKEN}"
admin_token = "${ADMIN_TOKEN}"
${more}

[[site.token]]
name = "wall-screen"
scopes = ["live:read"]
secret = "${WALL_TOKEN}"
`;

/**
 * Starts a collector and a relay. `websocket: false`: the relay hangs up on whoever asks for one. `site`: more
 * of the site in the sites file.
 */
export async function startCollector({ websocket = true, site = "" } = {}) {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is not built: run cargo build --bin upriver`);
  const folder = await mkdtemp(join(tmpdir(), "upriver-dashboard-"));
  await writeFile(join(folder, "sites.toml"), sites(site));
  const relay = await startRelay(websocket);
  let child;
  let said = "";
  let address = "127.0.0.1:0";
  let seq = 0;

  const start = () => new Promise((done, fail) => {
    said = "";
    child = spawn(BINARY, ["serve", "--config", join(folder, "sites.toml"), "--data", join(folder, "data"), "--listen", address], { stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => fail(new Error(`the collector did not begin to listen:\n${said}`)), START_MS_MAX);
    const hear = (chunk) => {
      said = (said + chunk).slice(-SAID_CHARS_MAX);
      const link = /dashboard http:\/\/([^/\s]+)(\/\S+)/.exec(said);
      if (!link) return;
      clearTimeout(timer);
      address = link[1];
      relay.to(Number(address.split(":")[1]));
      done(`${relay.origin}${link[2]}`);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", (status) => { clearTimeout(timer); fail(new Error(`the collector ended with ${status}:\n${said}`)); });
  });
  const end = (signal) => new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) return done();
    child.once("exit", done);
    child.kill(signal);
  });

  const collector = { relay, login: await start() };
  /** Past the relay. */
  const ask = (path, init = {}) => fetch(`http://${address}${path}`, init);
  /** The data of a live resource, as a plain request tells it. */
  collector.get = async (name) => {
    const answer = await ask(`/v1/live/${name}`, { headers: { authorization: `Bearer ${READ_TOKEN}` } });
    return (await answer.json()).data;
  };
  const tell = async (body, more = {}) => {
    const answer = await ask(`/v1/batch?key=${KEY}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        stream: "5eed0001", visitor: "caf0001", first_seq: seq++, first_ms: Date.now(),
        page: { inline: { path: "/product/kettle" } }, events: [{ body }], ...more,
      }),
    });
    if (!answer.ok) throw new Error(`the event was not taken: ${answer.status} ${await answer.text()}`);
  };
  /** Tells an event of the site's own, as a page does. */
  collector.tell = (name) => tell({ custom: { name, props: [] } });
  /** Tells a press on the element with this selector. */
  collector.press = (selector) => {
    const descriptor = { selector, label: "It", role: "button" };
    return tell({ press: { element: 0, at: { x: 0.5, y: 0.5 } } }, { elements: [{ id: "00000000000000aa", descriptor }] });
  };
  /** A ticket for the site's own pages. */
  collector.ticket = async () => {
    const headers = { authorization: `Bearer ${READ_TOKEN}`, "content-type": "application/json" };
    const answer = await ask("/v1/tickets", { method: "POST", headers, body: JSON.stringify({ site: "shop" }) });
    return (await answer.json()).ticket;
  };
  const definition = async (place, init) => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" };
    const answer = await ask(`/v1/sites/shop/definitions/${place}`, { ...init, headers });
    if (!answer.ok) throw new Error(`definition ${place}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  /** Defines something, as a program does; `place`: its kind and id. */
  collector.define = (place, body) => definition(place, { method: "PUT", body: JSON.stringify(body) });
  /** A definition as it is now. */
  collector.definition = (place) => definition(place, {});
  /** Ends it as a crash would, and starts it on the same folder and port. */
  collector.crash = async () => { await end("SIGKILL"); await start(); };
  collector.stop = async () => {
    relay.close();
    await end("SIGTERM");
    await rm(folder, { recursive: true, force: true });
  };
  return collector;
}

async function startRelay(websocket) {
  const pairs = new Set();
  const relay = { port: 0, isCut: false };
  const seen = new Set();
  const ended = new Set();
  // Texts of requests go through unharmed: what is not ASCII in them is encoded.
  const aged = (chunk) => Buffer.from(chunk.toString("latin1").replace(/ticket=([^&\s]+)/g, (whole, ticket) => {
    seen.add(ticket);
    return ended.has(ticket) ? `ticket=${"x".repeat(ticket.length)}` : whole;
  }), "latin1");
  const server = createServer((near) => {
    near.on("error", () => near.destroy());
    if (relay.isCut) return near.destroy();
    near.once("data", (first) => {
      if (!websocket && /\r\nupgrade: *websocket/i.test(first.toString("latin1"))) return near.destroy();
      const far = connect(relay.port, "127.0.0.1");
      const pair = [near, far];
      pairs.add(pair);
      const hangUp = () => { pairs.delete(pair); near.destroy(); far.destroy(); };
      for (const end of pair) { end.on("error", hangUp); end.on("close", hangUp); }
      far.write(aged(first));
      near.on("data", (chunk) => far.write(aged(chunk)));
      far.pipe(near);
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  relay.origin = `http://127.0.0.1:${server.address().port}`;
  relay.to = (port) => { relay.port = port; };
  /** Breaks every connection, and lets none through until it is mended. */
  relay.cut = () => { relay.isCut = true; for (const pair of pairs) for (const end of pair) end.resetAndDestroy(); };
  relay.mend = () => { relay.isCut = false; };
  /** From now on the collector does not know the tickets that have come by until now: as after their minute. */
  relay.age = () => { for (const ticket of seen) ended.add(ticket); };
  relay.close = () => { relay.cut(); server.close(); };
  return relay;
}
