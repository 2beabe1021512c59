// The recorder's wasm as a file of its own, compiled while it arrives.
//
// Owns fetching and instantiating it, from where the site says or from beside this module. Knows
// nothing of what it does. Takes the place of `embedded.ts` in `upriver/slim` and the script tag.

import { Wrong, complain } from "./complaint.js";
import type { Options } from "./types.js";

/** Instantiates it. Fails where wasm is refused or unknown, or the file is not there. */
export async function instantiate(given: Options["wasm"]): Promise<WebAssembly.Instance> {
  if (given instanceof WebAssembly.Module) return WebAssembly.instantiate(given);
  const response = await fetch(given ?? new URL("./upriver.wasm", import.meta.url));
  if (!response.ok) {
    complain(Wrong.WASM, response.url, response.status);
    throw 0;
  }
  // Compiling from the stream needs the right type, which not every server gives.
  const whole = response.clone();
  const streamed = WebAssembly.instantiateStreaming(response).catch(async () =>
    WebAssembly.instantiate(await whole.arrayBuffer()),
  );
  return (await streamed).instance;
}
