// What a form makes of names, times and refusals.

import { expect, it } from "vitest";
import { bare, fieldOf, idFor, readTime } from "./definitions";

it("makes an id of a name that none has yet", () => {
  expect(idFor("From home to order", [])).toBe("from-home-to-order");
  expect(idFor(" Größe & Länge! ", [])).toBe("gro-e-la-nge");
  expect(idFor("訂單", ["funnel"])).toBe("funnel-2");
  expect(idFor("Buys", ["buys", "buys-2"])).toBe("buys-3");
  expect(idFor("x".repeat(200), []).length).toBeLessThanOrEqual(64);
});

it("finds the field that a refusal is about", () => {
  const steps = [{ name: "Home", kind: "page_view" }, { name: 'The "buy" one', kind: "press" }];
  expect(fieldOf('funnel "buys": window must be between 1ms and 30d', steps)).toBe("window");
  expect(fieldOf("window: invalid value", steps)).toBe("window");
  expect(fieldOf('funnel "buys", step "The \\"buy\\" one": element must be 16 hexadecimal digits', steps)).toBe(1);
  expect(fieldOf("name: invalid type", steps)).toBe("name");
  expect(fieldOf("the site has 50 funnels already", steps)).toBe(undefined);
});

it("says beside a field what is wrong with it, and not of which funnel", () => {
  expect(bare('funnel "buys": window must be between 1ms and 30d')).toBe("window must be between 1ms and 30d");
  expect(bare('funnel "buys", step "The \\"buy\\" one": element must be 16')).toBe("element must be 16");
  expect(bare("the site has 50 funnels already")).toBe("the site has 50 funnels already");
});

it("reads times as definitions have them", () => {
  expect(["30m", "1h 30m", "1day", "2days 12h", "1500ms", "90s", "1week"].map(readTime))
    .toEqual([1_800_000, 5_400_000, 86_400_000, 216_000_000, 1_500, 90_000, 604_800_000]);
  expect(["", "soon", "5 parsecs", "0s"].map(readTime)).toEqual([undefined, undefined, undefined, undefined]);
});
