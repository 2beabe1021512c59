// What each handler costs the page: processor time of the browser's own thread, event by event, as its
// trace tells it, beside the same of a listener that does nothing.
//
// Owns the visit, the reading of the trace and the figures; `cargo xtask bench handlers` judges them.
// Prints one JSON document.
// Usage: node handlers.mjs [--rounds N]
//
// Why processor time, and not the clock under the browser's own throttle: that throttle stops the thread
// in slices, and whatever else runs here stops it too; both fall into a handler or not, by chance. What a
// processor four times as slow makes of a handler is its own time, four times.

import { parseArgs } from "node:util";
import { launch, hovering, open, traced } from "./browser.mjs";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "100" } } });
const ROUNDS = Number(values.rounds);
/** How much slower the processor is that the promise is about. */
const SLOWER = 4;
/** Rounds with each planted fault. */
const PLANTED_ROUNDS = 12;
/** Rounds under the browser's throttle, to see whether the clock there tells the same on the whole. */
const THROTTLED_ROUNDS = 8;
/** Of each kind, the first so many calls are told apart: they run in the interpreter. */
const FIRST = 20;
const CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline"];
/** What ran by itself: timers, observers, answers of the browser. */
const LATER = "(later)";
/** Places of a mouse between two frames, as those of 500 a second tell them. */
const PLACES = 8;

/** A page of more than a thousand elements, that does something with what is pressed and typed. */
const MANY = `<div id="many">${Array.from({ length: 300 }, (_, n) =>
  `<p class="row"><button>Buy ${n}</button> <a href="#${n}">More</a> <span>text ${n}</span></p>`).join("")}</div>
<div id="inner" style="height:200px;overflow:auto;position:fixed;right:0;top:60px;width:200px"><div style="height:4000px"></div></div>
<script src="/empty.js"></script>
<script>
  document.getElementById("many").addEventListener("click", (event) => {
    event.preventDefault();
    if (event.target.localName === "button") event.target.textContent = "In the basket";
  });
</script>`;
const KINDS = "pointermove pointerdown pointerup click scroll wheel keydown touchmove touchend pointercancel submit";
/** A listener that does nothing, of the same kinds. */
const EMPTY = `for (const kind of "${KINDS}".split(" ")) addEventListener(kind, function empty() {}, { capture: true, passive: true });`;
/** Faults to be caught: what a handler would do if it forced a layout, or worked. */
const PLANTS = {
  layout: () => (document.body.style.paddingLeft = `${(window.turn = ~~window.turn + 1) % 7}px`, document.body.getBoundingClientRect()),
  work: () => { for (const end = performance.now() + 1; performance.now() < end; ); },
};

async function visit(page, cdp, rounds) {
  const touch = (type, points) => cdp.send("Input.dispatchTouchEvent", { type, touchPoints: points });
  for (let round = 0; round < rounds; round++) {
    const row = (round * 7) % 40;
    const button = page.locator("#many button").nth(row);
    const box = await button.boundingBox();
    const { y: at } = await page.evaluate(() => ({ y: scrollY }));
    const [x, y] = [box.x + 20, Math.min(Math.max(box.y + 10, 40), 700)];
    // A way of so many frames, several places in each.
    for (let step = 0; step < 12; step++) {
      const places = [];
      for (let place = 0; place < (step % 2 ? PLACES : 1); place++) {
        places.push(page.mouse.move(60 + step * 40 + place * 3 + (round % 9), 100 + ((step * 53 + place * 5 + round * 11) % 560)));
      }
      await Promise.all(places);
    }
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.up();
    await page.keyboard.press("a");
    await page.mouse.move(500 + (round % 5), 400);
    for (let turn = 0; turn < 4; turn++) await page.mouse.wheel(0, at > 2_000 ? -200 : 120);
    await page.mouse.move(1_180, 150);
    await page.mouse.wheel(0, round % 2 ? 60 : -60);
    if (round % 2) {
      await page.locator("#field").focus();
      await page.keyboard.type("ab");
    }
    if (round % 2 === 0) {
      await touch("touchStart", [{ x: 500, y: 500 }]);
      for (let to = 480; to > 380; to -= 20) await touch("touchMove", [{ x: 500, y: to }]);
      await touch("touchEnd", []);
    }
  }
}

/** Of a trace: the times of calls into us and of the empty listener, by what was heard or what ran later, ms. */
function read(events) {
  const heard = new Map();
  for (const event of events) {
    if (event.name === "EventDispatch" && event.ph === "X") {
      const of = `${event.pid}.${event.tid}`;
      if (!heard.has(of)) heard.set(of, []);
      heard.get(of).push(event);
    }
  }
  const calls = { ours: {}, empty: {} };
  let untimed = 0;
  events.sort((a, b) => a.ts - b.ts);
  for (const event of events) {
    if (event.name !== "FunctionCall" || event.ph !== "X") continue;
    const url = event.args.data?.url ?? "";
    const whose = url.includes("/upriver/") ? "ours" : url.includes("/empty.js") ? "empty" : undefined;
    if (!whose) continue;
    const { ts, tid, pid } = event;
    const during = heard.get(`${pid}.${tid}`)?.find((it) => it.ts <= ts && ts <= it.ts + it.dur)?.args.data.type ?? LATER;
    if (event.tdur === undefined) untimed++;
    (calls[whose][during] ??= []).push({ cpu: (event.tdur ?? 0) / 1_000, wall: event.dur / 1_000 });
  }
  return { calls, untimed };
}

const at = (sorted, part) => sorted[Math.min(Math.ceil(sorted.length * part), sorted.length) - 1] ?? 0;
const figures = (all, of) => {
  const sorted = all.map((call) => call[of]).sort((a, b) => a - b);
  return { median: at(sorted, 0.5), p99: at(sorted, 0.99), most: sorted.at(-1) ?? 0 };
};

async function session(browser, rate, rounds, planted) {
  const it = await open(browser, {
    body: MANY, context: { hasTouch: true, viewport: { width: 1280, height: 800 } },
    before: async ({ page, collector }) => {
      collector.pages.set("/empty.js", EMPTY);
      await hovering({ page });
    },
  });
  const { page } = it;
  try {
    await it.ready();
    await it.flush();
    if (planted) {
      await page.evaluate(`{
        const { get } = Object.getOwnPropertyDescriptor(Event.prototype, "target");
        const plant = ${PLANTS[planted]};
        Object.defineProperty(Event.prototype, "target", {
          get() { if (this.type === "pointermove") plant(); return get.call(this); },
        });
      }`);
    }
    const cdp = await it.cdp();
    if (rate > 1) await cdp.send("Emulation.setCPUThrottlingRate", { rate });
    const elements = await page.evaluate(() => document.querySelectorAll("*").length);
    const events = await traced(cdp, CATEGORIES, () => visit(page, cdp, rounds));
    await it.all("path");
    if (it.collector.problems.length) throw new Error(it.collector.problems.join("\n"));
    return { ...read(events), elements };
  } finally {
    await it.close();
  }
}

const browser = await launch();
try {
  const { calls, untimed, elements } = await session(browser, 1, ROUNDS);
  if (untimed) throw new Error(`the browser's trace tells no processor time of ${untimed} calls`);
  const { calls: slow } = await session(browser, SLOWER, THROTTLED_ROUNDS);
  const planted = [];
  for (const name of Object.keys(PLANTS)) {
    const { ours, empty } = (await session(browser, 1, PLANTED_ROUNDS, name)).calls;
    planted.push({ name, ours: figures(ours.pointermove.slice(FIRST), "cpu"), empty: figures(empty.pointermove.slice(FIRST), "cpu") });
  }
  const kinds = Object.keys(calls.ours).map((kind) => {
    const ours = calls.ours[kind];
    const empty = calls.empty[kind] ?? [];
    const warm = ours.slice(FIRST);
    return {
      kind, calls: warm.length,
      ours: figures(warm, "cpu"), empty: figures(empty.slice(FIRST), "cpu"),
      first: figures(ours.slice(0, FIRST), "cpu"),
      throttledMedian: figures((slow.ours[kind] ?? []).slice(FIRST >> 1), "wall").median,
    };
  });
  console.log(JSON.stringify({ slower: SLOWER, elements, first: FIRST, kinds, planted }));
} finally {
  await browser.close();
}
