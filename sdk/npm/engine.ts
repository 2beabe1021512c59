// Loads the wasm core and speaks to it.
//
// Owns instantiation and the one table of what crosses the boundary. Knows nothing of the public
// API. The other ways to load (a URL, a module handed over, wasm2js) belong beside `load`.

// @ts-ignore written by `cargo xtask build`
import * as glue from "./generated/glue.js";
// @ts-ignore written by `cargo xtask build`
import packed from "./generated/wasm.js";

/** Name, value, name, value… */
export type FlatProps = (string | number | boolean)[];

/** The wasm core of one page; times are those of `performance.now()`. */
export interface Core {
  track(at: number, name: string, props: FlatProps): void;
  convert(
    at: number,
    name: string,
    micros: number,
    currency: string,
    order: string,
    props: FlatProps,
  ): void;
  expose(at: number, experiment: string, variant: string): void;
  /** A page view; `route`: only if the address has changed. */
  view(at: number, route: boolean): void;
  flush(): void;
  stop(): void;
  /** 0 recorded, 1 acked, 2 dropped, 3 refused, 4 transport. */
  stat(which: number): number;
}

/** Instantiates the embedded module and starts recording. */
export async function load(
  at: number,
  endpoint: string,
  key: string,
  queryParams: string,
  changed: () => void,
): Promise<Core> {
  const deflated = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const inflated = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = await new Response(inflated).arrayBuffer();
  const { instance } = await WebAssembly.instantiate(bytes, glue.imports);
  glue.begin(instance.exports);
  return new glue.Page(window, at, endpoint, key, queryParams, changed);
}
