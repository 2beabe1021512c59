// The deep form of the loss suite in one browser: every scene, then random runs; a table's figures as
// JSON last. `cargo xtask loss` calls it.
//
//   node deep.mjs --browser chromium|firefox --runs N --seed S [--binary FILE]
//
// `--binary`: a real collector; without it the stand-in.

import { parseArgs } from "node:util";
import { real, standIn } from "./collectors.mjs";
import { run } from "./runs.mjs";
import { setUp } from "./scene.mjs";
import { SCENES } from "./scenes.mjs";

const { values } = parseArgs({
  options: {
    browser: { type: "string", default: "chromium" },
    runs: { type: "string", default: "50" },
    seed: { type: "string", default: "1" },
    binary: { type: "string" },
    scene: { type: "string" },
  },
});
const kind = values.browser;
const collect = values.binary ? (origin) => real(values.binary, origin) : standIn;
const all = { browser: kind, collector: values.binary ? "real" : "stand-in", scenes: 0, runs: 0, presses: 0,
  pages: 0, faults: 0, kills: 0, reopened: 0, failed: 0 };

async function attempt(name, what) {
  const begun = Date.now();
  try {
    await what();
    console.error(`  ${kind}: ${name}: once each, ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  } catch (error) {
    all.failed++;
    console.error(`  ${kind}: ${name}: FAILED: ${error.message}`);
  }
}

for (const [name, { only, fake, browser, run: scene }] of Object.entries(SCENES)) {
  if ((only && only !== kind) || (values.scene && !name.includes(values.scene))) continue;
  await attempt(name, async () => {
    const it = await setUp(kind, { browser, collect: fake ? standIn : collect });
    try {
      await scene(it);
      all.scenes++;
      all.presses += it.pressed.length;
    } finally {
      await it.end();
    }
  });
}
const first = Number(values.seed);
for (let seed = first; seed < first + Number(values.runs); seed++) {
  await attempt(`run ${seed}`, async () => {
    const figures = await run(kind, seed, collect);
    all.runs++;
    for (const [name, count] of Object.entries(figures)) all[name] += count;
  });
}
console.log(JSON.stringify(all));
process.exitCode = all.failed > 0 ? 1 : 0;
