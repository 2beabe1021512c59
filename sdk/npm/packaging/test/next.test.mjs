// The packed tarball in Next.js: rendered on the server, where it must do nothing, and recording in
// the browser. Next.js is large and is not had for every platform, so this installs it itself, once,
// and is left out where that cannot be done.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { cp, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { until } from "../../test/browser.mjs";
import { PROJECT, recordsOn } from "./packed.mjs";

const run = promisify(execFile);
const FOLDER = join(PROJECT, "next");
const NEXT = join(FOLDER, "node_modules/next/dist/bin/next");
const environment = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" };

/** Why it cannot be had; nothing when it is there. */
async function install() {
  try {
    const there = await stat(NEXT).catch(() => undefined);
    if (!there) {
      await run("npm", ["install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"],
        { cwd: FOLDER, timeout: 300_000, maxBuffer: 1 << 24 });
    }
    // Ours may have been packed again since.
    await cp(join(PROJECT, "node_modules/upriver"), join(FOLDER, "node_modules/upriver"), { recursive: true, force: true });
    return undefined;
  } catch (error) {
    return `Next.js cannot be installed here: ${error.message.split("\n").slice(0, 3).join(" ")}`;
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

test("Next.js", { timeout: 600_000 }, async (context) => {
  const missing = await install();
  if (missing) return context.skip(missing);
  await run(process.execPath, [NEXT, "build"], { cwd: FOLDER, env: environment, maxBuffer: 1 << 24 });
  const port = await freePort();
  const server = spawn(process.execPath, [NEXT, "start", "-p", port, "-H", "127.0.0.1"], { cwd: FOLDER, env: environment });
  let said = "";
  server.stdout.on("data", (data) => (said += data));
  server.stderr.on("data", (data) => (said += data));
  try {
    const url = `http://127.0.0.1:${port}/`;
    const html = await until(() => fetch(url).then((response) => response.text(), () => undefined), "Next.js answers", 60_000);
    assert.match(html, /<button id="buy">/, "the page is rendered on the server");
    await recordsOn(url);
    assert.doesNotMatch(said, /error/i);
  } finally {
    server.kill();
  }
});
