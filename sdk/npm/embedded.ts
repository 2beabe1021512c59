// The recorder's wasm, carried in this package's own text: the one way that every bundler leaves whole.
//
// Owns unpacking and instantiating it. Knows nothing of what it does. `fetched.ts` takes this file's
// place in `upriver/slim`.

/** Instantiates it. Fails where wasm is refused or unknown. */
export async function instantiate(_given?: unknown): Promise<WebAssembly.Instance> {
  // @ts-ignore written by `cargo xtask build`
  const { default: packed } = await import("./recorder.js");
  const deflated = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const inflated = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
  return (await WebAssembly.instantiate(await new Response(inflated).arrayBuffer())).instance;
}
