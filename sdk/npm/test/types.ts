// A site that types its own names: what must compile does, and each line marked as wrong does not.
// Read by the compiler alone (`npm run check`), never run.

import { type Upriver, init, on, track, typed } from "../index.js";

// Without names of one's own, anything goes that can be recorded.
const any = init({ endpoint: "https://upriver.example", key: "wk", consent: "required", release: "1" });
any.track("anything");
any.track("anything", { a: 1, b: "x", c: true, d: undefined });
any.convert("order", { value: 1, currency: "EUR", order: "1", props: { coupon: "x" } });
any.expose("button", "green");
any.identify("ada", { hash: false });
any.optIn({ cookieless: true });
track("anything", { a: 1 });
on("state", (state) => state === "pending");
on("signal", ({ id, name, payload, expires }) => [id + expires, name.length, payload]);
// @ts-expect-error an object is no value of a property
any.track("anything", { a: { b: 1 } });
// @ts-expect-error there is no such event
on("states", () => {});
// @ts-expect-error there is no such mode
init({ endpoint: "", key: "", consent: "maybe" });
// @ts-expect-error the key is missing
init({ endpoint: "" });

interface Shop {
  track: { search: { hits: number; words?: string }; opened: {} };
  convert: { order: { coupon?: string }; plan: { seats: number } };
  expose: { button: "green" | "blue" };
  signal: { offer: { code: string; percent: number }; close: null };
}

const shop: Upriver<Shop> = init<Shop>({ endpoint: "https://upriver.example", key: "wk" });
shop.track("search", { hits: 3 });
shop.track("search", { hits: 3, words: "red" });
shop.track("opened");
shop.convert("order", { value: 1 });
shop.convert("order");
shop.convert("plan", { value: 1, props: { seats: 2 } });
shop.expose("button", "blue");
// @ts-expect-error an unknown name
shop.track("serach", { hits: 3 });
// @ts-expect-error a property that is needed is missing
shop.track("search");
// @ts-expect-error a property of another type
shop.track("search", { hits: "3" });
// @ts-expect-error a property nobody named
shop.track("search", { hits: 3, colour: "red" });
// @ts-expect-error an unknown conversion
shop.convert("orders");
// @ts-expect-error a property of another type
shop.convert("plan", { value: 1, props: { seats: "2" } });
// @ts-expect-error an unknown variant
shop.expose("button", "red");

const other = typed<Shop>();
other.on("signal", (signal) => {
  if (signal.name === "offer") {
    const percent: number = signal.payload.percent;
    // @ts-expect-error there is no such field
    signal.payload.euros;
    return percent;
  }
  const nothing: null = signal.payload;
  // @ts-expect-error no such signal
  return signal.name === "offers" || nothing;
});
// Parts that are left out stay open.
typed<{ track: { a: { b: number } } }>().convert("anything", { props: { x: 1 } });
