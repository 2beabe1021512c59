// Bundles the hand-written TypeScript and the embedded wasm into two modules.
// Owns how that is done; `cargo xtask build` calls it after it has written `generated/`.

import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const imports = WebAssembly.Module.imports(
  new WebAssembly.Module(readFileSync("generated/core.opt.wasm")),
);
if (imports.length > 0) {
  throw new Error(`the wasm imports ${JSON.stringify(imports)}, which the page does not give it`);
}
rmSync("dist", { recursive: true, force: true });
// Types first: what does not type-check is not built. Only those of the public module are shipped.
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc"], { stdio: "inherit" });
for (const name of readdirSync("dist")) {
  if (name !== "index.d.ts") rmSync(`dist/${name}`, { recursive: true });
}
const options = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
};
// What a page loads at once, and what it loads then.
await build({ ...options, entryPoints: ["index.ts", "core.ts"], outdir: "dist", external: ["./core.js"] });
// The latter without the wasm, to be weighed.
await build({ ...options, entryPoints: ["core.ts"], outfile: "generated/shell.js", external: ["./generated/wasm.js"] });
