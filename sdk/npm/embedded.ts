// The recorder's wasm, carried in this package's own text: the one way that every bundler leaves whole.
//
// Owns unpacking and instantiating it. Knows nothing of what it does. `fetched.ts` takes this file's
// place in `upriver/slim`.

/** Instantiates it. Fails where wasm is refused or unknown. */
export async function instantiate(_given?: unknown): Promise<WebAssembly.Instance> {
  // @ts-ignore written by `cargo xtask build`
  const { default: packed } = await import("./recorder.js");
  const letters = atob(packed);
  // By its places: by an iterator and a call for each letter it takes the page ten times as long.
  const deflated = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) deflated[at] = letters.charCodeAt(at);
  const inflated = new Response(deflated).body!.pipeThrough(new DecompressionStream("deflate"));
  return (await WebAssembly.instantiate(await new Response(inflated).arrayBuffer())).instance;
}
