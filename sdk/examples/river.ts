// What both examples say to Upriver: the names of this site, and how it is started.
//
// Owns the address of the collector and the names. Started once, outside of components; a component
// takes the functions from here.

import { init } from "upriver";

interface Shop {
  track: { added: { product: string; count: number } };
  convert: { order: {} };
  expose: { button: "green" | "blue" };
  signal: { offer: { percent: number } };
}

// Only so that the test can name a collector of its own; a site writes its address below.
const asked = new URLSearchParams(location.search).get("collector");

export const river = init<Shop>({
  endpoint: asked ?? "https://upriver.example",
  key: "YOUR_WRITE_KEY",
  release: "1.0.0",
  // Nothing is sent or stored until the visitor agrees.
  consent: "required",
});
