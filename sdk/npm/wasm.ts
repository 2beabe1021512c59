// The recorder, compiled from Rust: loading it, and the numbers it calls things by.
//
// Owns the boundary (`sdk/src/exports.rs` has its other side): numbers, and two stretches of memory
// for bytes. Knows neither the page nor what a gesture is, nor where the wasm comes from
// (`embedded.ts`, `fetched.ts`).

import { instantiate } from "./embedded.js";
import type { Options } from "./types.js";

/** The one function: does what `kind` says at a time (Unix ms), which is one of the numbers below. */
export type Recorder = (kind: number, now?: number, ...numbers: number[]) => number;

/** The recorder and its memory. */
export interface Loaded {
  recorder: Recorder;
  memory: WebAssembly.Memory;
}

// In the order of sdk/src/exports.rs. Inputs:
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
export const ALIVE = 80;
export const SHOWN = 81;
export const SIZED = 82;
export const IMPRESSION = 83;
export const FORM = 84;

// Of the pointer:
export const RESTS = 70;
export const AWAY = 71;

// Of what comes of a press:
export const EFFECT = 64;
export const FAULT = 65;
export const LIMITS = 66;

// Anything but ROOM begins, the first time.
export const ROOM = 26;
export const NAME = 27;
export const DESCRIBE = 28;
export const CLICK = 29;
export const NEXT = 30;
// Figures: recorded, acked, dropped, refused, then these.
export const RECORDED = 31;
export const TRANSPORT = 35;
export const DUE = 36;
export const LOOK = 37;
const OUTPUT = 38;
const OUTPUT_BYTES = 39;
export const NUMBER = 40;

// With a time of their own:
export const CONSENT = 90;
export const IDENTIFY = 91;
// Forgets everything; the next begins anew.
export const DROP = 128;

/** Loads the recorder; where wasm is refused or unknown, the same recorder as plain JavaScript. */
export async function load(given: Options["wasm"]): Promise<Loaded> {
  let made: WebAssembly.Exports;
  try {
    made = (await instantiate(given)).exports;
  } catch {
    // @ts-ignore written by `build.mjs`
    made = await import("./plain.js");
  }
  return { recorder: made["step"] as Recorder, memory: made["memory"] as WebAssembly.Memory };
}

/** Hands bytes over for the next call. */
export function give({ recorder, memory }: Loaded, bytes: ArrayLike<number>): void {
  const at = recorder(ROOM, 0, bytes.length);
  // More than there is room for is nothing the recorder would understand.
  if (at) new Uint8Array(memory.buffer, at, bytes.length).set(bytes);
}

/** The bytes of the batch of the command taken last. */
export const taken = ({ recorder, memory }: Loaded): Uint8Array<ArrayBuffer> =>
  new Uint8Array(memory.buffer as ArrayBuffer, recorder(OUTPUT), recorder(OUTPUT_BYTES)).slice();
