// Random runs in a real browser: presses, pages left and opened, and a network and a collector that
// fail, all drawn from a seed.

import { FAULTS } from "./proxy.mjs";
import { setUp } from "./scene.mjs";

const ACTS = 14;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One run in a browser of its own. Fails when a press is lost or counted twice; returns figures. */
export async function run(kind, seed, collect) {
  const random = chance(seed);
  const below = (limit) => Math.floor(random() * limit);
  const it = await setUp(kind, { collect, random });
  const figures = { presses: 0, pages: 1, faults: 0, kills: 0, reopened: 0 };
  const said = [];
  try {
    let page = await it.visit();
    for (let act = 0; act < ACTS; act++) {
      const drawn = below(16);
      said.push(drawn);
      if (drawn < 6) {
        await it.press(page);
        if (below(2)) await pause(below(300));
      } else if (drawn < 9) {
        // The press and the going, with nothing between them.
        await it.press(page);
        figures.pages++;
        if (below(2)) await page.goto(`${it.url}/other`);
        page = await it.visit(page);
      } else if (drawn < 12) {
        const fault = FAULTS[below(FAULTS.length)];
        said.push(fault);
        it.proxy.set(fault);
        figures.faults++;
      } else if (drawn === 12) {
        it.proxy.set(undefined);
      } else if (drawn === 13) {
        await it.collector.kill();
        await pause(below(500));
        await it.collector.start();
        figures.kills++;
      } else if (drawn === 14) {
        const other = await it.visit();
        await it.press(other);
        await page.close();
        page = other;
        figures.pages++;
      } else {
        await page.close();
        await it.reopen();
        page = await it.visit();
        figures.reopened++;
      }
    }
    it.proxy.set(undefined);
    page = await it.visit(page);
    await it.settled(page);
    figures.presses = it.pressed.length;
    return figures;
  } catch (error) {
    throw new Error(`seed ${seed} (${said.join(" ")}): ${error.message}`);
  } finally {
    await it.end();
  }
}
