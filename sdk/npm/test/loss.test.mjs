// Each scene of `loss/scenes.mjs` in Chromium against the stand-in, and a few random runs. The deep
// form, in Firefox and against the real collector as well, is `cargo xtask loss`.

import { test } from "node:test";
import { SCENES } from "./loss/scenes.mjs";
import { setUp } from "./loss/scene.mjs";

for (const [name, { only, browser, run }] of Object.entries(SCENES)) {
  if (only && only !== "chromium") continue;
  test(name, { timeout: 240_000 }, async () => {
    const it = await setUp("chromium", { browser });
    try {
      await run(it);
    } finally {
      await it.end();
    }
  });
}
