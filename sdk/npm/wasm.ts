// The recorder, compiled from Rust: loading it, and the numbers it calls things by.
//
// Owns the boundary (`sdk/src/recorder.rs` has its other side): numbers, and two stretches of memory
// for bytes. Knows neither the page nor what a gesture is, nor where the wasm comes from
// (`embedded.ts`, `fetched.ts`).

import { instantiate } from "./embedded.js";
import type { Options } from "./types.js";

/** The one function: does what `kind` says at a time (Unix ms), which is one of the numbers below. */
export type Recorder = (kind: number, now?: number, ...numbers: (number | undefined)[]) => number;

/** The recorder and its memory. */
export interface Loaded {
  recorder: Recorder;
  memory: WebAssembly.Memory;
}

/** What the recorder is told or asked, by the numbers of sdk/src/recorder.rs: inputs first. An enumeration,
 * because the bundler puts its numbers in place. */
export const enum Kind {
  VIEW = 0,
  DOWN = 1,
  MOVE = 2,
  UP = 3,
  CANCEL = 4,
  ACTIVATED = 5,
  TOUCH_MOVE = 6,
  TOUCH_END = 7,
  KEY = 8,
  WHEEL = 9,
  SCROLLED = 10,
  SCROLLED_INNER = 11,
  CUSTOM = 12,
  CONVERSION = 13,
  EXPOSURE = 14,
  SESSION = 15,
  FLUSH = 16,
  LEAVE = 17,
  PAUSE = 18,
  RESUME = 19,
  STOP = 20,
  OPENED = 21,
  FRAME = 22,
  CLOSED = 23,
  POSTED = 24,
  TICK = 25,
  SHOWN = 81,
  SIZED = 82,
  IMPRESSION = 83,
  FORM = 84,

  // Of the pointer:
  RESTS = 70,
  AWAY = 71,

  // Of what comes of a press:
  EFFECT = 64,
  FAULT = 65,
  LIMITS = 66,

  // Anything but ROOM begins, the first time.
  ROOM = 26,
  NAME = 27,
  DESCRIBE = 28,
  CLICK = 29,
  NEXT = 30,
  // Figures: recorded, acked, dropped, refused, then these.
  RECORDED = 31,
  TRANSPORT = 35,
  DUE = 36,
  LOOK = 37,
  OUTPUT = 38,
  OUTPUT_BYTES = 39,
  NUMBER = 40,
  // The visitor pays for bytes; a batch that another page left: returns its number here, 0: no room.
  THIN = 140,
  ADOPT = 141,

  // With a time of their own:
  CONSENT = 90,
  IDENTIFY = 91,
  // Forgets everything; the next begins anew.
  DROP = 128,
}

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

/** The bytes of the batch of the command taken last. */
export const taken = (recorder: Recorder, memory: WebAssembly.Memory): Uint8Array<ArrayBuffer> =>
  new Uint8Array(memory.buffer as ArrayBuffer, recorder(Kind.OUTPUT), recorder(Kind.OUTPUT_BYTES)).slice();
