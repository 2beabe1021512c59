// The packed tarball, installed as a customer would, through every common bundler and into a
// browser, with each bundler's own defaults.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import esbuild from "esbuild";
import { rollup } from "rollup";
import { build as viteBuild, createServer as viteServer } from "vite";
import webpack from "webpack";
import { PROJECT, page, recordsOn, serve } from "./packed.mjs";

const LONG = { timeout: 180_000 };
const run = promisify(execFile);
let work;
before(async () => {
  // Beside `node_modules`, where bundlers look for packages.
  await mkdir(join(PROJECT, "work"), { recursive: true });
  work = await mkdtemp(join(PROJECT, "work/"));
});
after(() => rm(work, { recursive: true, force: true }));

async function recordsFrom(folder, html) {
  const served = await serve(folder, html);
  try {
    await recordsOn(served.url);
  } finally {
    served.close();
  }
}

test("the package that is installed is the one that was packed last", LONG, async () => {
  const packed = await run("tar", ["-xzOf", "../dist-pack/upriver-0.1.0.tgz", "package/dist/core.js"],
    { cwd: PROJECT, maxBuffer: 1 << 24 });
  assert.equal(await readFile(join(PROJECT, "node_modules/upriver/dist/core.js"), "utf8"), packed.stdout);
});

test("esbuild", LONG, async () => {
  const outdir = join(work, "esbuild");
  await esbuild.build({
    entryPoints: [join(PROJECT, "app/main.js")], outdir, bundle: true, format: "esm", splitting: true, minify: true,
  });
  await recordsFrom(outdir, page("/main.js"));
});

test("webpack", LONG, async () => {
  for (const entry of ["main", "slim"]) {
    const path = join(work, `webpack-${entry}`);
    const stats = await promisify(webpack)({
      mode: "production", entry: join(PROJECT, `app/${entry}.js`), output: { path, filename: "main.js" },
    });
    assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).errors, []);
    await recordsFrom(path, page("/main.js"));
  }
});

test("rollup", LONG, async () => {
  const bundle = await rollup({
    input: join(PROJECT, "app/main.js"),
    // Rollup itself finds no packages.
    plugins: [{ name: "packages", resolveId: (id) => (id === "upriver" ? join(PROJECT, "node_modules/upriver/dist/index.js") : null) }],
  });
  const dir = join(work, "rollup");
  await bundle.write({ dir, format: "es" });
  await recordsFrom(dir, page("/main.js"));
});

test("vite build", LONG, async () => {
  for (const entry of ["main", "slim"]) {
    const root = join(work, `vite-${entry}`);
    await cp(join(PROJECT, "app"), root, { recursive: true });
    await cp(join(PROJECT, `app/${entry}.js`), join(root, "main.js"));
    const outDir = join(root, "dist");
    await viteBuild({ root, logLevel: "error", configFile: false, build: { outDir } });
    await recordsFrom(outDir);
  }
});

test("vite dev", LONG, async () => {
  const root = join(work, "vite-dev");
  await cp(join(PROJECT, "app"), root, { recursive: true });
  const server = await viteServer({ root, logLevel: "error", configFile: false, server: { host: "127.0.0.1", port: 0 } });
  try {
    await server.listen();
    await recordsOn(server.resolvedUrls.local[0]);
  } finally {
    await server.close();
  }
});

test("imported on a server, nothing happens", LONG, async () => {
  const code = `for (const from of ["upriver", "upriver/slim"]) {
    const it = await import(from);
    const upriver = it.init({ endpoint: "https://upriver.example", key: "k" });
    it.track("x"); it.convert("y", { value: 1 }); it.page(); await it.flush(); it.stop();
    if (upriver.stats().transport !== "off") throw new Error(JSON.stringify(upriver.stats()));
  }
  // A timer or a socket of ours would keep the process from ending by itself.
  console.log("done");`;
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "-e", code], { cwd: PROJECT, timeout: 60_000 });
  assert.deepEqual([stdout, stderr], ["done\n", ""]);
});

test("publint and attw have nothing to say", LONG, async () => {
  const { publint } = await import("publint");
  const { messages } = await publint({ pkgDir: join(PROJECT, "node_modules/upriver"), strict: true, pack: false });
  assert.deepEqual(messages, []);
  const attw = join(PROJECT, "node_modules/@arethetypeswrong/cli/dist/index.js");
  // ESM only by decision: `require` of it works where Node can (20.19 and later).
  // Ends with 1 when there is a problem.
  const { stdout } = await run(process.execPath,
    [attw, "../dist-pack/upriver-0.1.0.tgz", "--profile", "esm-only", "--exclude-entrypoints", "./upriver.wasm", "./upriver.js", "--no-color"],
    { cwd: PROJECT });
  assert.equal(stdout.match(/🟢 \(ESM\)/g).length, 2);
});
