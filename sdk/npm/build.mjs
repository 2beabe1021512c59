// Bundles the hand-written TypeScript, the glue and the embedded wasm into one module.
// Owns how that is done; `cargo xtask build` calls it after it has written `generated/`.

import { execFileSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

rmSync("dist", { recursive: true, force: true });
// Types first: what does not type-check is not built. Only those of the public module are shipped.
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc"], { stdio: "inherit" });
for (const name of readdirSync("dist")) {
  if (name !== "index.d.ts") rmSync(`dist/${name}`, { recursive: true });
}
await build({
  entryPoints: ["index.ts"],
  outfile: "dist/index.js",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});
