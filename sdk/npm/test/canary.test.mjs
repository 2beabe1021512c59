// What is typed stays in the page. A card number is typed into every kind of field, put there by
// scripts, mirrored into labels and thrown in errors; then every byte that left the browser and
// everything it keeps is searched for it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TEST_MAX, launch, open, until } from "./browser.mjs";

const CARD = "4111 1111 1111 1111";
const DIGITS = CARD.replaceAll(" ", "");
const WORD = "canary";
const TYPED = `${WORD}${DIGITS}`;

const KINDS = ["text", "password", "email", "search", "tel", "url"];
const PAGE = `<style>body { height: 2600px }</style><form id="pay" novalidate onsubmit="event.preventDefault()">
${KINDS.map((kind) => `<label for="${kind}" id="label-${kind}">${kind}</label><input id="${kind}" type="${kind}" name="${kind}">`).join("\n")}
<input id="number" type="number"><textarea id="area"></textarea><div id="free" contenteditable="true">Write</div>
<select id="choice"><option>none</option><option value="${TYPED}">${TYPED}</option></select>
<input id="concealed" type="hidden" name="concealed"><input id="filled" name="filled" autocomplete="cc-number">
<label id="mirror">Card <output id="output"></output></label><button id="total" type="button">Pay with <b></b></button>
<span data-upriver-private><label>Name <input id="name"></label><a href="#${TYPED}" id="own">${TYPED}</a></span>
<button id="send">Send</button></form>
<script>
  for (const field of document.querySelectorAll("input, textarea")) {
    field.addEventListener("input", () => {
      // What sites do with what is typed.
      document.getElementById("output").textContent = field.value;
      field.setAttribute("value", field.value);
      // Words a page shows are its own; long numbers in them are hidden.
      document.querySelector("#total b").textContent = field.value.replace(/[^0-9]/g, "");
      field.setAttribute("title", field.value.replace(/[^0-9]/g, ""));
      setTimeout(() => { throw new Error("declined: ${CARD}, in script"); });
      Promise.reject(new Error("no such card as ${DIGITS}"));
    });
  }
</script>`;

/** Everything a page keeps in the browser. */
const KEPT = `(async () => {
  const kept = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }), document.cookie];
  const bytes = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value)
    ? new TextDecoder("latin1").decode(value) : value && typeof value === "object"
    ? Object.entries(value).flat().map(bytes).join("|") : String(value);
  for (const { name } of await indexedDB.databases()) {
    const base = await new Promise((done) => (indexedDB.open(name).onsuccess = (event) => done(event.target.result)));
    for (const store of base.objectStoreNames) {
      const all = base.transaction(store).objectStore(store);
      const read = (request) => new Promise((done) => (request.onsuccess = () => done(request.result)));
      kept.push(store, bytes(await read(all.getAll())), bytes(await read(base.transaction(store).objectStore(store).getAllKeys())));
    }
    base.close();
  }
  return kept.join("\\n");
})()`;

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

test("what is typed never leaves the page, and is never kept", { timeout: TEST_MAX }, async () => {
  // As a site has it: the collector on another origin, which the page's address is not told to.
  const it = await open(browser, { html: PAGE, crossOrigin: true, path: `/?card=${TYPED}&email=${WORD}@example.com` });
  const { page, collector } = it;
  collector.asks = true;
  // Whatever waits in the browser when the network is bad.
  collector.withholdAcks = true;
  try {
    await it.ready();
    for (const kind of KINDS) {
      await page.click(`#label-${kind}`);
      await page.type(`#${kind}`, TYPED);
      await page.dblclick(`#${kind}`);
    }
    await page.type("#number", DIGITS);
    await page.type("#area", TYPED);
    await page.click("#free");
    await page.keyboard.type(TYPED);
    await page.selectOption("#choice", TYPED);
    await page.type("#name", TYPED);
    await page.click("#own");
    await page.evaluate((typed) => {
      for (const id of ["concealed", "filled"]) {
        const field = document.getElementById(id);
        field.value = typed;
        field.dispatchEvent(new Event("input", { bubbles: true }));
      }
    }, TYPED);
    for (const id of ["filled", "mirror", "total", "choice", "free"]) await page.click(`#${id}`);
    await page.mouse.wheel(0, 600);
    await page.waitForFunction(() => scrollY > 0);
    // Elements have been in view for long enough to be seen; what the browser sends now waits.
    await page.waitForTimeout(1_500);
    await page.mouse.wheel(0, -600);
    await page.waitForFunction(() => scrollY === 0);
    await page.waitForTimeout(1_500);
    const early = await page.evaluate(KEPT);
    collector.withholdAcks = false;
    collector.cut();
    await it.flush();
    await page.click("#send");
    await page.evaluate(() => window.upriver.track("next"));
    await it.flush();
    // What was asked for has come, and everything that could have been told has been.
    const kinds = () => new Set([...collector.events.values()].map(({ kind }) => kind));
    const wanted = ["press", "impression", "form", "attention", "scroll"];
    await until(async () => {
      await page.evaluate(() => window.upriver.track("next"));
      await it.flush();
      return wanted.every((kind) => kinds().has(kind));
    }, `${wanted}`);
    const late = await page.evaluate(KEPT);
    await page.goto("about:blank");
    await until(() => collector.of("visibility").length > 0, "that the page was left");
    const everything = [
      Buffer.concat(collector.bytes).toString("latin1"),
      ...collector.requests.filter(({ path }) => path.startsWith("/v1/")).map((request) => JSON.stringify(request)),
      early, late, JSON.stringify(await it.context.cookies()),
    ].join("\n");
    for (const secret of [WORD, CARD, DIGITS, DIGITS.slice(0, 4), "1111", Buffer.from(DIGITS).toString("base64").slice(0, 12)]) {
      const at = everything.indexOf(secret);
      assert.ok(at < 0, `${secret} got out: ${JSON.stringify(everything.slice(Math.max(at - 60, 0), at + 60))}`);
    }
    // Controls: what may travel is found by the same search, and there was much that could have.
    for (const open of ["#text", "#area", "Pay with", "upriver.visitor", "/v1/"]) assert.ok(everything.includes(open), open);
    assert.ok(collector.of("form").some(({ step, fields }) => step === "submit" && fields >= 9));
  } finally {
    await it.close();
  }
});
