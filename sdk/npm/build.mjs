// Bundles the hand-written TypeScript into modules, and puts the embedded wasm beside them in one of its
// own: base64 and program text compress badly together.
// Owns how that is done; `cargo xtask build` calls it after it has written `generated/`.

import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { build } from "esbuild";
import { minify } from "terser";

const imports = WebAssembly.Module.imports(
  new WebAssembly.Module(readFileSync("generated/core.opt.wasm")),
);
if (imports.length > 0) {
  throw new Error(`the wasm imports ${JSON.stringify(imports)}, which the page does not give it`);
}
rmSync("dist", { recursive: true, force: true });
// Types first: what does not type-check is not built. Only those of the public modules are shipped.
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc"], { stdio: "inherit" });
for (const name of readdirSync("dist")) {
  if (!/^(index|slim|types)\.d\.ts$/.test(name)) rmSync(`dist/${name}`, { recursive: true });
}

// The recorder as plain JavaScript, for pages whose policy refuses wasm: that language has neither
// 64-bit numbers nor what wasm got after its first version.
const binaryen = (tool, ...args) =>
  execFileSync(process.execPath, [`node_modules/binaryen/bin/${tool}`, ...args], { stdio: "inherit" });
const LOWER = ["--signext-lowering", "--llvm-nontrapping-fptoint-lowering", "--llvm-memory-copy-fill-lowering"];
const FEATURES = ["bulk-memory", "bulk-memory-opt", "multivalue", "mutable-globals", "nontrapping-float-to-int",
  "reference-types", "sign-ext", "call-indirect-overlong"].map((name) => `--enable-${name}`);
binaryen("wasm-opt", "generated/core.opt.wasm", ...FEATURES, ...LOWER, "-Oz", "-o", "generated/plain.wasm");
binaryen("wasm2js", "generated/plain.wasm", ...FEATURES, "-O", "-o", "generated/plain.js");

const options = {
  bundle: true,
  format: "esm",
  target: "es2022",
  // The rest is left to terser, which needs the names.
  minifySyntax: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  external: ["debug", "overlay", "plain", "recorder", "words"].map((name) => `./${name}.js`),
  write: false,
  outdir: "dist",
  // What the parts call each other's: no name of the page's, of the browser's or of the site's. The same
  // in each bundle, since the entry and the core hand things to each other.
  mangleProps:
    /^(asleep|box|boxes|campaign|element|facts|interactive|kept|kinds|layer|listen|mayBeDead|none|over|pressing|recorder|scrolls|seen|session|targets|tell|until|was)$/,
  mangleCache: {},
};
/** Puts one module of the package in another's place. */
const instead = (from, to) => ({
  name: "instead",
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^\\./${from}\\.js$`) }, to);
  },
});
const bigCore = instead("core", ({ path }) => ({ path, external: true }));
const slimCore = instead("core", () => ({ path: "./slim-core.js", external: true }));
const fetched = instead("embedded", ({ resolveDir }) => ({ path: `${resolveDir}/fetched.ts` }));
// What the bundler leaves is made smaller once more: a fifteenth of what then travels.
const smaller = {
  ecma: 2022,
  compress: { passes: 3, unsafe: true, unsafe_arrows: true, pure_getters: true, keep_fargs: false },
  format: { comments: false },
};
/** A constant of a module as the bundler leaves it: a number, or a text no longer than so. */
const CONSTANT = /(?<=^ *var |, )([A-Z][A-Z\d_]+) = (-?[\d.e]+|"[^"\n\\]{0,12}")(?=[,;])/gm;
/** Puts constants in their places. Nobody else does: to the bundler and to terser they are variables, which
 * a function might be called before. */
function inPlace(text) {
  const all = [...text.matchAll(CONSTANT)];
  return all.reduce(
    (text, [declared, name, value]) =>
      text.replace(declared, `${name}_ = 0`).replace(new RegExp(`(?<![\\w$.])${name}(?![\\w$])`, "g"), () => value),
    text,
  );
}
/** Writes modules into `dist`; returns what the bundler tells of them. */
async function write(how) {
  const made = await build({ ...options, ...how });
  for (const { path, text } of made.outputFiles) {
    const alone = how.format === "iife";
    writeFileSync(`dist/${basename(path)}`, (await minify(inPlace(text), { ...smaller, module: !alone })).code);
  }
  return made;
}

// What a page loads at once, what it loads then (the shell, the wasm), and instead of the wasm where
// that is refused.
({ mangleCache: options.mangleCache } = await write({ entryPoints: ["index.ts"], plugins: [bigCore] }));
// Of the core only what the entry calls: the rest is for its own parts.
const core = (outfile) => ({
  outdir: undefined, outfile: `dist/${outfile}`,
  stdin: { contents: 'export { start } from "./core.js";', resolveDir: "." },
});
({ mangleCache: options.mangleCache } = await write(core("core.js")));
await write({ entryPoints: { recorder: "generated/wasm.ts" } });
await build({ ...options, minify: true, entryPoints: ["generated/plain.js"], write: true });
// What only those load who need it.
await write({ entryPoints: ["debug.ts", "overlay.ts", "words.ts"] });
// The same with the wasm as a file of its own, for bundlers and for a script tag.
await write({ entryPoints: { slim: "index.ts" }, plugins: [slimCore] });
await write({ ...core("slim-core.js"), plugins: [fetched] });
await write({ entryPoints: { upriver: "script.ts" }, format: "iife", plugins: [slimCore] });
copyFileSync("generated/core.opt.wasm", "dist/upriver.wasm");
// What each module takes of the shell, by the bundler's own account of what it would make small.
const { metafile } = await build({ ...options, ...core("core.js"), minify: true, metafile: true });
const { inputs } = metafile.outputs["dist/core.js"];
writeFileSync("generated/shell.json", JSON.stringify(Object.fromEntries(
  Object.entries(inputs).flatMap(([module, { bytesInOutput }]) => (bytesInOutput ? [[module, bytesInOutput]] : [])),
)));
