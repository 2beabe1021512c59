// The recorder, compiled from Rust: loading it, and the numbers it calls things by.
//
// Owns the boundary (`sdk/src/exports.rs` has its other side): numbers, and two stretches of memory
// for bytes. Knows neither the page nor what a gesture is. The other ways to load (a URL, a module
// handed over, wasm2js) belong beside `load`.

// @ts-ignore written by `cargo xtask build`
import packed from "./generated/wasm.js";

/** The module's exports; times are Unix ms. */
export interface Recorder {
  memory: WebAssembly.Memory;
  room(bytes: number): number;
  begin(): void;
  name(): number;
  describe(): void;
  click(now: number, detail: number): number;
  step(kind: number, now: number, ...numbers: number[]): void;
  next(): number;
  stat(which: number): number;
}

// Inputs, in the order of `step` in sdk/src/exports.rs.
export const VIEW = 0;
export const DOWN = 1;
export const MOVE = 2;
export const UP = 3;
export const CANCEL = 4;
export const ACTIVATED = 5;
export const TOUCH_MOVE = 6;
export const TOUCH_END = 7;
export const KEY = 8;
export const WHEEL = 9;
export const SCROLLED = 10;
export const SCROLLED_INNER = 11;
export const CUSTOM = 12;
export const CONVERSION = 13;
export const EXPOSURE = 14;
export const SESSION = 15;
export const FLUSH = 16;
export const LEAVE = 17;
export const PAUSE = 18;
export const RESUME = 19;
export const STOP = 20;
export const OPENED = 21;
export const FRAME = 22;
export const CLOSED = 23;
export const POSTED = 24;
export const TICK = 25;

/** Instantiates the embedded module. */
export async function load(): Promise<Recorder> {
  const deflated = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const inflated = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
  const { instance } = await WebAssembly.instantiate(await new Response(inflated).arrayBuffer());
  return instance.exports as unknown as Recorder;
}

/** Hands bytes over for the next call. */
export function give(recorder: Recorder, bytes: ArrayLike<number>): void {
  const at = recorder.room(bytes.length);
  new Uint8Array(recorder.memory.buffer, at, bytes.length).set(bytes);
}

/** The bytes of the command taken last. */
export function taken({ memory, stat }: Recorder): Uint8Array<ArrayBuffer> {
  return new Uint8Array(memory.buffer as ArrayBuffer, stat(7), stat(8)).slice();
}
