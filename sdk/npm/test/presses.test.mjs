// Rage and dead presses on pages that lay traps, with the browser's real input; and what else comes
// of a press. What is asserted is what came over the wire against the truth each page was made with.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { KIND, PATIENCE, TEST_MAX, launch, leftOut, until } from "./browser.mjs";
import { TooSlow, attempts, strokes, touches } from "./input.mjs";
import { startCollector } from "./collector.mjs";
import { ALONE, TOUCHED, TRAPS, trapPage } from "./pages/traps.mjs";

const GAP = 110;
const ROUNDS = Number(process.env.TRAP_ROUNDS ?? 1);
/** Frames beside and below each other; the driver's window is not larger. */
const [COLUMNS, ROWS] = KIND === "chromium" ? [8, 99] : [5, 4];
const [WIDTH, HEIGHT] = [230, 170];

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** A collector that serves the pages of these traps. */
async function serving(traps) {
  const collector = await startCollector();
  traps.forEach((trap, at) => {
    collector.pages.set(`/trap/${at}`, trapPage(trap, { endpoint: collector.url, key: "test-key" }));
  });
  const frames = traps.map((_, at) => `<iframe src="/trap/${at}" allow="fullscreen; autoplay" width="${WIDTH}" height="${HEIGHT}"></iframe>`);
  collector.pages.set("/", `<!doctype html><style>body{margin:0;font-size:0;overflow:hidden}iframe{border:0}</style>${frames.join("")}`);
  collector.pages.set("/there", "<!doctype html><title>There</title>");
  const serve = collector.serve.bind(collector);
  // What is slow answers after everybody has gone.
  collector.serve = async (request, response) => request.url.startsWith("/slow") || serve(request, response);
  return collector;
}

const ready = (frame) => frame.waitForFunction(() => window.upriver?.stats().transport === "stream", null, { timeout: PATIENCE });

/** Does what a trial does, at a place of the page. */
async function perform(page, { x, y }, { how, after: key }) {
  const { count, gap = GAP, drag, button = "left", bursts = 1 } = how;
  await page.mouse.move(x - 3, y - 3);
  await page.mouse.move(x, y);
  for (let burst = 0; burst < bursts; burst++) {
    if (burst) await wait(1_300);
    for (let press = 0; press < count; press++) {
      if (press) await wait(gap);
      if (how.key) await page.keyboard.press(how.key);
      // A double click is one to the browser only when it is told so.
      else if (!drag) {
        await page.mouse.down({ button, clickCount: press + 1 });
        await page.mouse.up({ button, clickCount: press + 1 });
      }
      else {
        await page.mouse.down();
        await page.mouse.move(x + 150, y + 90, { steps: 4 });
        await page.mouse.up();
      }
    }
  }
  if (key) await page.keyboard.press(key);
}

/** Whether the presses came as quickly as the trial means them to: the machine may be busy. */
const quick = (downs, { rage, how }) => {
  const gaps = downs.slice(1).map((ms, at) => ms - downs[at]);
  return !rage || how.key || gaps.filter((ms) => ms > 900).length === (how.bursts ?? 1) - 1;
};

/** What was told of the page at this path. */
const told = (collector, path) => {
  const found = { rage: 0, dead: 0 };
  let at = "";
  for (const { batch, kind } of collector.events.values()) {
    at = batch.page?.path ?? batch.events.find((event) => event.kind === "page_view")?.page.path ?? at;
    if (at === path && kind in found) found[kind]++;
  }
  return found;
};

/** Adds up what was found of what was there. */
class Tally {
  rows = [];
  sums = { rage: { hit: 0, wrong: 0, missed: 0 }, dead: { hit: 0, wrong: 0, missed: 0 } };
  add(trap, found) {
    for (const what of ["rage", "dead"]) {
      const hit = Math.min(found[what], trap[what]);
      this.sums[what].hit += hit;
      this.sums[what].wrong += found[what] - hit;
      this.sums[what].missed += trap[what] - hit;
    }
    const right = found.rage === trap.rage && found.dead === trap.dead;
    this.rows.push({ trap: trap.name, rage: `${found.rage} of ${trap.rage}`, dead: `${found.dead} of ${trap.dead}`, right: right ? "" : "NO" });
  }
  /** Prints it and holds it to what is promised. */
  judge(title, least) {
    const lines = this.rows.map(({ trap, rage, dead, right }) => `  ${trap.padEnd(42)} rage ${rage}  dead ${dead}  ${right}`);
    console.log(`${title}\n${lines.join("\n")}`);
    for (const [what, { hit, wrong, missed }] of Object.entries(this.sums)) {
      const [precision, recall] = [hit / (hit + wrong || 1), hit / (hit + missed || 1)];
      console.log(`  ${what}: ${hit} found, ${wrong} wrong, ${missed} missed: precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}`);
      if (hit + missed) assert.ok(precision >= least && recall >= least, `${what}: precision ${precision}, recall ${recall}`);
      else assert.equal(wrong, 0, what);
    }
  }
}

/** Waits until the outcome of the last press is known: what is awaited and what must not come. */
async function known(flush, awaited) {
  await wait(3_000);
  // What is missing after that is missed: the tally says so.
  await until(async () => (await flush(), awaited()), "what is awaited", 20_000).catch(() => {});
}

/** A trial on a page of its own. */
async function alone(tally, trap, context, act) {
  const collector = await serving([trap]);
  const made = await browser.newContext(context);
  const page = await made.newPage();
  try {
    let shown;
    page.on("dialog", (dialog) => (shown = wait(trap.dialogMs ?? 1_800).then(() => dialog.dismiss())));
    await page.goto(`${collector.url}/trap/0`);
    await ready(page);
    if (trap.scrolled) await page.evaluate((y) => scrollTo(0, y), trap.scrolled);
    const place = await page.evaluate(() => window.place());
    await act(page, place, trap);
    await shown;
    // Nothing is asked of the page before: the driver's question counts as a gesture of the visitor's.
    await known(() => page.evaluate(() => window.upriver.flush()), () => told(collector, "/trap/0").dead >= trap.dead);
    const downs = await page.evaluate(() => window.downs);
    if (!quick(downs, trap)) throw new TooSlow(`${trap.name}: pressed at ${downs} ms`);
    tally.add(trap, told(collector, "/trap/0"));
    assert.deepEqual(collector.problems, []);
  } finally {
    await made.close();
    await collector.stop();
  }
}

test("rage and dead presses are told from what looks like them", { timeout: 2 * TEST_MAX, skip: leftOut(["frames"]) }, async () => {
  const tally = new Tally();
  // The other driver presses one by one: none of its clicks is a double one.
  const given = KIND === "chromium" ? TRAPS : TRAPS.filter(({ name }) => !name.startsWith("text, "));
  const all = Array.from({ length: ROUNDS }, () => given).flat();
  for (let at = 0; at < all.length; at += COLUMNS * ROWS) await together(tally, all.slice(at, at + COLUMNS * ROWS));
  tally.judge(`${all.length} traps, ${KIND}, mouse and keys`, 0.95);
});

/** Trials one after the other, each in a frame of one page. */
async function together(tally, traps) {
  const slow = [];
  const collector = await serving(traps);
  const rows = Math.ceil(traps.length / COLUMNS);
  const made = await browser.newContext({ viewport: { width: COLUMNS * WIDTH, height: rows * HEIGHT }, acceptDownloads: true });
  const page = await made.newPage();
  try {
    await page.goto(`${collector.url}/`);
    const frames = page.frames().slice(1);
    assert.equal(frames.length, traps.length);
    const own = [];
    for (const [at, frame] of frames.entries()) {
      await ready(frame);
      if (traps[at].scrolled) await frame.evaluate((y) => scrollTo(0, y), traps[at].scrolled);
      own.push(await frame.evaluate(() => window.place()));
    }
    const times = [];
    for (const [at, trap] of traps.entries()) {
      const place = { x: (at % COLUMNS) * WIDTH + own[at].x, y: Math.floor(at / COLUMNS) * HEIGHT + own[at].y };
      if (trap.how.key) await frames[at].evaluate(() => window.target().focus());
      await perform(page, place, trap);
      times[at] = await frames[at].evaluate(() => window.downs).catch(() => []);
    }
    const flush = () => Promise.all(frames.map((frame) => frame.evaluate(() => window.upriver?.flush()).catch(() => {})));
    const done = (trap, at) => told(collector, `/trap/${at}`).dead >= trap.dead;
    await known(flush, () => traps.every((trap, at) => !quick(times[at], trap) || done(trap, at)));
    for (const [at, trap] of traps.entries()) {
      if (quick(times[at], trap)) tally.add(trap, told(collector, `/trap/${at}`));
      else slow.push(trap);
    }
    assert.deepEqual(collector.problems, []);
  } finally {
    await made.close();
    await collector.stop();
  }
  for (const trap of slow) await attempts(() => alone(tally, trap, {}, perform));
}

test("so are those that need a page of their own, and those of a finger", { timeout: 2 * TEST_MAX }, async () => {
  const tally = new Tally();
  const tap = async (page, place, { how }) => {
    const cdp = await page.context().newCDPSession(page);
    for (let press = 0; press < how.count; press++) {
      if (press) await wait(GAP);
      await touches(cdp, [place]);
    }
  };
  const phone = { hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } };
  const runs = [...ALONE.filter(({ needs }) => !leftOut(needs)).map((trap) => [trap, {}, perform]), ...(leftOut(["touch"]) ? [] : TOUCHED).map((trap) => [trap, phone, tap])];
  // Three at once: they wait most of the time. Of the other drivers' pages only one has the focus.
  const next = runs.values();
  await Promise.all((KIND === "chromium" ? [0, 1, 2] : [0]).map(async () => {
    for (const run of next) await attempts(() => alone(tally, ...run));
  }));
  tally.judge(`${runs.length} traps in pages of their own, ${KIND}, mouse and touch`, 0.95);
});

/** A page with nothing but this script and a button, and a collector. */
const scripted = (script, run) => attempts(async () => {
  const collector = await serving([{ body: `<button id="b">Buy</button><script>${script}</script>`, onclick: "", at: "#b", how: {} }]);
  const made = await browser.newContext();
  const page = await made.newPage();
  try {
    await page.goto(`${collector.url}/trap/0?token=canary-token`);
    await ready(page);
    await run(page, collector);
    assert.deepEqual(collector.problems, []);
  } finally {
    await made.close();
    await collector.stop();
  }
});

test("what changes without a mutation is an effect, each for itself: a text, a box, a choice, a sound, a popover", { timeout: TEST_MAX }, async () => {
  // Where neither the button nor anything beside it shows it.
  const script = `
    const far = document.createElement("div");
    far.innerHTML = "<p><textarea id=text></textarea><input id=box type=checkbox><select id=choice multiple><option>1<option>2</select>" +
      "<audio id=sound></audio><i id=pop popover=manual>Hi</i></p>";
    document.body.prepend(far);
    const does = [() => {}, () => (text.value += "a"), () => (box.checked = true), () => (choice.options[1].selected = true),
      () => (sound.muted = true), () => pop.showPopover(), () => {}];
    b.addEventListener("click", () => does.shift()());`;
  await scripted(script, async (page, collector) => {
    for (let press = 1; press <= 7; press++) {
      await page.click("#b");
      // By the page's own clock until it would be dead: another press before that would take its place.
      await page.evaluate(() => new Promise((done) => setTimeout(done, 2_700)));
    }
    // The first and the last, which do nothing.
    await until(() => page.evaluate(() => window.upriver.flush()).then(() => collector.of("dead").length >= 2), "those that do nothing");
    assert.equal(collector.of("press").length, 7);
    assert.equal(collector.of("dead").length, 2);
  });
});

test("errors and rejections are told once a place, masked, and laid to the press before", { timeout: TEST_MAX }, async () => {
  const script = `
    document.querySelector("#b").addEventListener("click", () => { window.failedAt = performance.now(); null.price; });
    window.fail = () => { for (let n = 0; n < 3; n++) setTimeout(() => { throw new RangeError("of card 4111111111111111 of me@shop.example") }); };
    // In a task of the page: what a driver runs is none to every browser.
    window.reject = (what) => setTimeout(() => Promise.reject(what));`;
  await scripted(script, async (page, collector) => {
    await page.click("#b");
    // An error is laid to a press of the second before.
    const took = await page.evaluate(() => window.failedAt - window.downs[0]);
    if (took > 900) throw new TooSlow(`the click came ${took} ms after the button went down`);
    await page.evaluate(() => (window.fail(), new Promise((done) => setTimeout(done, 50))));
    await page.evaluate(() => {
      window.reject(new TypeError("gone"));
      window.reject("only words");
      window.reject(Object.create(null));
      window.reject(undefined);
      document.body.append(Object.assign(new Image(), { src: "/none.png" }));
    });
    await until(() => page.evaluate(() => window.upriver.flush()).then(() => collector.of("fault").length >= 6), "6 faults");
    const faults = collector.of("fault");
    const words = faults.map(({ fault, message }) => `${fault}: ${message}`);
    assert.equal(faults.length, 6, words.join(" | "));
    assert.match(words[0], /^error: (Uncaught )?TypeError: .*price/);
    assert.match(words[1], /^error: (Uncaught )?RangeError: of card \*{16} of \*$/);
    assert.deepEqual(words.slice(2, 4), ["rejection: gone", "rejection: only words"]);
    const { source, line, column } = faults[0];
    assert.equal(source, `${collector.url}/trap/0`);
    assert.ok(line > 1 && column > 1);
    const [error, ...more] = collector.of("error_press");
    assert.equal(more.length, 0);
    assert.equal(collector.descriptor(error.elementId).selector, "#b");
    assert.ok(error.afterMs < 1_000);
    const sent = Buffer.concat(collector.bytes).toString("latin1");
    for (const secret of ["canary", "4111", "me@shop"]) assert.ok(!sent.includes(secret), secret);
  });
});

test("a mouse shaken thrashes once; moved with purpose it does not", { timeout: TEST_MAX }, async () => {
  await scripted("", async (page, collector) => {
    const way = ([x, y], [toX, toY], steps) =>
      Array.from({ length: steps }, (_, step) => [x + ((toX - x) * (step + 1)) / steps, y + ((toY - y) * (step + 1)) / steps]);
    await strokes(page, [[100, 300], ...way([100, 300], [700, 300], 30), ...way([700, 300], [100, 400], 30)]);
    await page.evaluate(() => window.upriver.flush());
    assert.equal(collector.of("thrash").length, 0);
    const shaken = Array.from({ length: 12 }, (_, stroke) => stroke % 2 ? way([700, 300], [400, 300], 4) : way([400, 300], [700, 300], 4));
    await strokes(page, shaken.flat());
    await page.evaluate(() => window.upriver.flush());
    const [thrash] = collector.of("thrash");
    assert.ok(thrash?.reversals === 5 && thrash.distance >= 1_000, JSON.stringify(thrash));
  });
});

test("what a site spares is spared, and nothing is watched once the outcome is known", { timeout: TEST_MAX }, async () => {
  const trap = { body: `<p class="qty"><button id="b">Mehr</button></p>`, onclick: "", at: "#b", how: {} };
  const collector = await startCollector();
  const spy = `<script>
    // Those that wait for the outcome of a press, by what they ask for.
    window.running = new Set();
    const { observe, disconnect } = MutationObserver.prototype;
    MutationObserver.prototype.observe = function (root, options) {
      if (options.attributeOldValue) window.running.add(this);
      return observe.call(this, root, options);
    };
    MutationObserver.prototype.disconnect = function () { window.running.delete(this); return disconnect.call(this); };
  </script>`;
  const options = { endpoint: collector.url, key: "test-key", dead: 400, rage: [2] };
  collector.pages.set("/spared", trapPage({ ...trap }, { ...options, sparePresses: ".qty" }).replace("<script>", `${spy}<script>`));
  collector.pages.set("/own", trapPage(trap, options).replace("<script>", `${spy}<script>`));
  const made = await browser.newContext();
  const page = await made.newPage();
  try {
    for (const [path, rage, dead] of [["/spared", 0, 0], ["/own", 1, 2]]) {
      await page.goto(collector.url + path);
      await ready(page);
      const { x, y } = await page.evaluate(() => window.place());
      await page.mouse.click(x, y);
      await page.mouse.click(x, y);
      if (dead) assert.equal(await page.evaluate(() => window.running.size), 1, "it watches");
      await until(() => page.evaluate(() => window.running.size === 0), "that nothing is watched");
      await until(async () => {
        await page.evaluate(() => window.upriver.flush());
        return told(collector, path).dead === dead;
      }, `${dead} dead presses`);
      assert.equal(told(collector, path).rage, rage);
    }
  } finally {
    await made.close();
    await collector.stop();
  }
});
