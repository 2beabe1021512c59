// Where errors hit, in words.

import { expect, it } from "vitest";
import { hits, place } from "./hits";

it("names file and line, and nothing where nothing is known", () => {
  const at = (source: string, line: number): string => place({ source, line });
  expect([at("https://a.example/js/cart.js?v=2", 42), at("https://a.example/", 3), at("cart.js", 0), at("", 1)])
    .toEqual(["cart.js:42", "a.example/:3", "cart.js", ""]);
});

it("tells the steps it hit, of funnels that somebody was in", () => {
  const steps = (...visitors: number[]) => visitors.map((hit, step) => ({ step, name: ["", "Cart", "Order"][step]!, errors: hit, visitors: hit }));
  const funnels = [{ id: "a", name: "A", steps: steps(4, 2, 1) }, { id: "b", name: "B", steps: steps(7, 0, 0) }];
  expect(hits({ funnels })).toEqual([{
    name: "A",
    steps: [{ name: "before the first step", visitors: 4 }, { name: "1 Cart", visitors: 2 }, { name: "after the last: Order", visitors: 1 }],
  }]);
});
