// The rules that need no page: names of elements, visits, and the wire's words.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { build } from "esbuild";

const load = async (name) => {
  const { outputFiles } = await build({
    entryPoints: [new URL(`../${name}.ts`, import.meta.url).pathname],
    bundle: true, write: false, format: "esm",
  });
  return import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
};
const naming = await load("naming");
const visits = await load("visit");
const { bytes, int, props, text } = await load("bytes");

test("generated ids are told from written ones", () => {
  for (const id of ["buy", "add-to-cart", "nav_main", "section-2", "h1"]) {
    assert.ok(!naming.generated(id), `${id} was written by a person`);
  }
  for (const id of [":r1:", "radix-:r3:", "ember1234", "8f3e2a91", "item-10482", "", "a b"]) {
    assert.ok(naming.generated(id), `${id} was generated`);
  }
});

test("attributes cannot break out of their selector", () => {
  assert.equal(naming.attribute("a", "name", 'x"]\\\n'), 'a[name="x\\"]\\\\\\a "]');
});

test("paths go down from their anchor", () => {
  const steps = () => [naming.step("button", 0), naming.step("div", 12)];
  assert.equal(naming.path("", steps()), "div:nth-of-type(12)>button");
  assert.equal(naming.path("#main", steps()), "#main>div:nth-of-type(12)>button");
  assert.equal(naming.path("x-a >>> ", steps()), "x-a >>> div:nth-of-type(12)>button");
});

test("a selector that is too long keeps its end", () => {
  const steps = Array.from({ length: 80 }, (_, n) => naming.step("div", n + 1));
  const selector = naming.path("", steps);
  const fitting = naming.fitting(selector);
  assert.ok(fitting.length <= 512 && fitting.length > 480 && selector.endsWith(fitting));
  assert.ok(fitting.startsWith("div:nth-of-type("));
  assert.equal(naming.fitting("x".repeat(600)), "");
});

test("labels are masked and cut between letters", () => {
  assert.equal(naming.mask("  Buy\n now  "), "Buy now");
  assert.equal(naming.mask("Card 4111 1111 99 x1234y"), "Card **** **** 99 x****y");
  assert.equal(naming.mask("Hello ada@example.com!"), "Hello *");
  const cut = (label) => text(naming.mask(label), 128);
  // Two bytes tell a length of 128, one a smaller one.
  assert.equal(cut("é".repeat(200)).length, 2 + 128);
  assert.equal(cut(`x${"é".repeat(200)}`).length, 1 + 127);
  const slow = performance.now();
  naming.mask("x".repeat(1_000_000));
  assert.ok(performance.now() - slow < 200, "a long word takes long");
});

test("colours are read from computed styles", () => {
  assert.equal(naming.colour("rgb(255, 128, 0)"), 0xff8000);
  assert.equal(naming.colour("rgba(1, 2, 3, 0.5)"), 0x010203);
  assert.equal(naming.colour("rgba(0, 0, 0, 0)"), undefined);
  assert.equal(naming.colour("color(srgb 1 0 0)"), undefined);
});

const campaign = (name) => ["mail", "", name, "", ""];

test("a visit survives being written down", () => {
  for (const brought of [undefined, campaign("spring")]) {
    const visit = { session: "00000000000000ab", seen: 1_700_000_000_123, campaign: brought };
    assert.deepEqual(visits.fromText(visits.toText(visit)), visit);
  }
  assert.equal(visits.fromText("nonsense"), undefined);
  assert.equal(visits.fromText(""), undefined);
  assert.equal(visits.fromText(null), undefined);
});

test("a visit ends by idleness or another campaign", () => {
  const first = visits.going(undefined, campaign("a"), 1e12);
  const soon = visits.going(first, undefined, 1e12 + 1);
  assert.deepEqual([soon.session, soon.campaign], [first.session, campaign("a")]);
  assert.equal(visits.going(first, campaign("a"), 1e12 + 1).session, first.session);
  const other = visits.going(first, campaign("b"), 1e12 + 1);
  assert.notEqual(other.session, first.session);
  assert.deepEqual(other.campaign, campaign("b"));
  const late = visits.going(first, undefined, 1e12 + visits.IDLE_MAX);
  assert.notEqual(late.session, first.session);
  assert.equal(late.campaign, undefined);
});

test("only allowed parts of a query travel", () => {
  const read = (query) => visits.readQuery(query, ["colour"]);
  assert.deepEqual(read(""), { campaign: undefined, kept: "" });
  assert.deepEqual(read("?token=secret&colour=red&x"), { campaign: undefined, kept: "?colour=red" });
  const landed = read("?utm_source=mail&utm_campaign=big+sale&email=a");
  assert.deepEqual(landed, { campaign: campaign("big sale"), kept: "" });
});

test("words are written as the wire's golden files have them", async () => {
  const golden = async (name) => {
    const read = (ending) => readFile(new URL(`../../../wire/golden/v1/body_${name}.${ending}`, import.meta.url), "utf8");
    const { events } = JSON.parse(await read("json")).batch ?? JSON.parse(await read("json"));
    return { hex: (await read("hex")).replace(/\s/g, ""), body: Object.values(events.at(-1).body)[0] };
  };
  const ends = (hex, ...all) => assert.ok(hex.endsWith(Buffer.from(bytes(...all)).toString("hex")), hex);
  const its = (list) => props(list.map(({ name, value }) => [name, Object.values(value)[0]]));
  const custom = await golden("custom");
  ends(custom.hex, custom.body.name, its(custom.body.props));
  const { hex, body } = await golden("conversion");
  ends(hex, body.name, int(body.value_micros), body.currency, body.order, its(body.props));
  const exposure = await golden("exposure");
  ends(exposure.hex, exposure.body.experiment, exposure.body.variant);
});
