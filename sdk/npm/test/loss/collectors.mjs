// The collectors that are tested against: the stand-in, and the real one in a process of its own.
// Both can be killed and started again, keep what they acknowledged, and say which marked presses
// they hold, and how often.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCollector } from "../collector.mjs";

export const KEY = "wk_loss_0001";

/** The stand-in. */
export async function standIn() {
  const collector = await startCollector();
  let port = collector.server.address().port;
  return {
    name: "stand-in",
    collector,
    port: () => port,
    async kill() {
      collector.cut();
      collector.server.closeAllConnections();
      await new Promise((done) => collector.server.close(done));
    },
    async start() {
      await new Promise((done) => collector.server.listen(0, "127.0.0.1", done));
      port = collector.server.address().port;
    },
    async markers() {
      const found = new Map();
      for (const { elementId } of collector.of("press")) {
        const label = collector.descriptor(elementId)?.label ?? "?";
        found.set(label, (found.get(label) ?? 0) + 1);
      }
      return found;
    },
    problems: () => collector.problems,
    stop: () => collector.stop(),
  };
}

/** The real one; `origin`: of the pages. */
export async function real(binary, origin) {
  const folder = await mkdtemp(join(tmpdir(), "upriver-loss-"));
  const sites = `[[site]]\nid = "shop"\nwrite_key = "${KEY}"\nread_token = "rt_loss_0001"\norigins = ["${origin}"]\n`;
  await writeFile(join(folder, "sites.toml"), sites);
  const data = join(folder, "data");
  let child;
  let port;
  async function start() {
    const words = ["serve", "--listen", "127.0.0.1:0", "--batches-per-s", "100000", "--batches-burst", "100000",
      "--streams-per-address", "1000", "--config", join(folder, "sites.toml"), "--data", data];
    child = spawn(binary, words, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, RUST_LOG: "warn" } });
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /^listening on (\S+)/.exec(line)?.[1];
      if (url) {
        port = Number(new URL(url).port);
        child.stdout.resume();
        return;
      }
    }
    throw new Error(`${binary} did not start`);
  }
  async function sql(query) {
    const text = async (name) => (await readFile(join(data, name), "utf8")).trim();
    const answer = await fetch(`${await text("clickhouse-address")}/?database=upriver`, {
      method: "POST",
      headers: { "x-clickhouse-user": "analyst", "x-clickhouse-key": await text("clickhouse/analyst-password") },
      body: `${query} FORMAT JSONEachRow`,
    });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }
  await start();
  return {
    name: "real",
    port: () => port,
    async kill() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
    start,
    async markers() {
      const query = `SELECT d.label AS label, toUInt32(count()) AS presses FROM events AS e
        LEFT JOIN (SELECT * FROM elements FINAL) AS d ON d.site = e.site AND d.element = e.element
        WHERE e.kind = 'press' GROUP BY label`;
      // While it starts there is nothing to be asked.
      const rows = await sql(query).catch(() => []);
      return new Map(rows.map(({ label, presses }) => [label, presses]));
    },
    problems: () => [],
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
      await rm(folder, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}
