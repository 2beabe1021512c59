// The debug view: it shows what goes out, and neither the page nor the recorder meets it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TEST_MAX, launch, leftOut, open, until } from "./browser.mjs";
import { attempts, tap } from "./input.mjs";

const LONG = { timeout: TEST_MAX };
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** Lets the test look into the closed root, and at marks that have faded since. */
const OPENED = `const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (how) {
    const root = attach.call(this, how);
    if (this.localName !== "upriver-debug") return root;
    window.debugRoot = root;
    window.marked = new Set();
    new MutationObserver((all) => all.forEach(({ addedNodes }) => addedNodes.forEach((it) => window.marked.add(it.className))))
      .observe(root, { childList: true });
    return root;
  };`;
const shown = (page) => page.evaluate(() => window.debugRoot?.querySelector(".panel").innerText ?? "");

const drawn = (more, run) => attempts(async () => {
  const it = await open(browser, { ...more, before: ({ page }) => page.addInitScript(OPENED) });
  try {
    await it.ready();
    await run(it);
    assert.deepEqual([it.collector.problems, it.errors], [[], []]);
  } finally {
    await it.close();
  }
});

test("not asked for, it is not even loaded", LONG, () =>
  drawn({}, async (it) => {
    await it.page.click("#buy");
    await it.flush();
    assert.ok(!it.collector.requests.some(({ path }) => path.endsWith("debug.js")));
    assert.equal(await it.page.evaluate(() => document.querySelector("upriver-debug")), null);
  }));

for (const [name, context, more, needs] of [
  ["desktop", { viewport: { width: 1280, height: 800 } }, { options: { debug: true } }],
  ["phone", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }, { path: "/?upriver-debug" }, ["touch"]],
]) {
  test(`it draws presses, elements and what travels, and disturbs nothing: ${name}`, { ...LONG, skip: leftOut(needs) }, () =>
    drawn({ context, ...more }, async (it) => {
      const { page, collector } = it;
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      const click = async (selector) => name === "phone" ? tap(page, await it.cdp(), selector) : page.click(selector);
      await click("#buy");
      await it.flush();
      await until(async () => (await shown(page)).includes("press #buy"), "the press");
      await page.evaluate(() => upriver.track("filter_used", { colour: "red", price: 1.5, sale: true }));
      await page.evaluate(() => upriver.convert("order", { value: -2.5, currency: "EUR" }));
      await it.flush();
      const text = await until(async () => {
        const all = await shown(page);
        return all.includes("conversion") && all;
      }, "what was said");
      for (const words of ["upriver: stream", " acked, 0 dropped", "custom filter_used colour: red, price: 1.5, sale: true", "conversion order -2.5 EUR"]) {
        assert.ok(text.includes(words), `${words} is not in: ${text}`);
      }
      assert.ok(!text.includes("debug "), text);
      const marks = await page.evaluate(() => [...window.marked]);
      assert.ok(marks.includes("mark press") && marks.includes("mark box"), marks.join());
      if (process.env.SHOTS) {
        await click("#buy");
        await it.flush();
        await page.screenshot({ path: `${process.env.SHOTS}/debug-${name}.png` });
      }
      // A press through the panel reaches what lies under it, and is what is recorded.
      const [under, top] = await page.evaluate(() => {
        const { left, top, width, height } = window.debugRoot.querySelector(".panel").getBoundingClientRect();
        const [x, y] = [left + width / 2, top + height / 2];
        return [document.elementFromPoint(x, y).localName, document.querySelector("upriver-debug").matches(":popover-open")];
      });
      assert.notEqual(under, "upriver-debug");
      assert.ok(top, "it is not in the top layer");
      assert.equal(await page.evaluate(() => document.documentElement.scrollHeight), height);
      const layers = collector.of("press").map(({ how }) => how.layer);
      assert.ok(layers.length > 0 && layers.every((layer) => layer === "flow"), layers.join());
    }));
}
