// Each scene of `loss/scenes.mjs` against the stand-in. The deep form, with random runs and against the
// real collector as well, is `cargo xtask loss`.

import { test } from "node:test";
import { KIND } from "./browser.mjs";
import { SCENES } from "./loss/scenes.mjs";
import { setUp } from "./loss/scene.mjs";

for (const [name, { only, browser, run }] of Object.entries(SCENES)) {
  if (only && only !== KIND) continue;
  const skip = KIND === "webkit" && "the driver keeps no profile from one browser to the next";
  test(name, { timeout: 240_000, skip }, async () => {
    const it = await setUp(KIND, { browser });
    try {
      await run(it);
    } finally {
      await it.end();
    }
  });
}
