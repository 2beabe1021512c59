// The recorder's wasm, carried in this package's own text: the one way that every bundler leaves whole.
//
// Owns unpacking and instantiating it. Knows nothing of what it does. `fetched.ts` takes this file's
// place in `upriver/slim`.

import { latin1, through } from "./bytes.js";

/** Instantiates it. Fails where wasm is refused or unknown. */
export async function instantiate(_given?: unknown): Promise<WebAssembly.Instance> {
  // @ts-ignore written by `cargo xtask build`
  const { default: packed } = await import("./recorder.js");
  return (await WebAssembly.instantiate(await through(latin1(atob(packed)), new DecompressionStream("deflate")))).instance;
}
