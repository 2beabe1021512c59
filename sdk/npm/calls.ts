// The site's own calls: what is right about their arguments, and what they say to the recorder.
//
// Owns the checks, and who waits for a flush or a state. Never throws into the page.

import { bytes, hex, int, props, utf8 } from "./bytes.js";
import { Wrong, complain } from "./complaint.js";
import { alive, entry, figures, give, live, rest, settle, show, step } from "./core.js";
import type { Options, Props, State, Worth } from "./types.js";
import { Kind } from "./wasm.js";

const MICROS = 1e6;
const PROPS_MAX = 32;
/** The kind of an answer that is a signal, its second byte. */
const SIGNAL = 2;
/** Largest amount, either way, in millionths. */
const AMOUNT_MAX = 9e18;
/** Signals remembered so that each is told once; one more forgets them. */
const SIGNALS_MAX = 256;

const decoder = new TextDecoder();

/** The collector's address, when the options are right. */
export function check({ endpoint, key, queryParams = [] }: Options = {} as Options): string | undefined {
  let wrong = Wrong.ENDPOINT;
  if (typeof key !== "string" || !/^[\w.~-]+$/.test(key)) wrong = Wrong.KEY;
  else if (!Array.isArray(queryParams)) wrong = Wrong.QUERY;
  else {
    try {
      const { origin, pathname, protocol } = new URL(endpoint, location.href);
      if (/^https?:$/.test(protocol)) return (origin + pathname).replace(/\/+$/, "");
    } catch {}
  }
  return complain(wrong) as undefined;
}

let waiting: { until: number; done: () => void }[];
let shown: State;
let hashing: Promise<unknown> | undefined;
let told: Set<number>;

/** Calls of another recorder. */
export function begin(): void {
  waiting = [];
  shown = "starting";
  told = new Set();
}

// Says something of the site's, at a time.
function say(kind: number, at: number, ...all: Parameters<typeof bytes>): void {
  alive(at);
  give(bytes(...all));
  step(kind, at);
}

// Each with how many of its arguments are names.
const known: Record<string, [number, (at: number, ...args: any[]) => unknown]> = {
  track: [1, (at, name: string, its: Props) => say(Kind.CUSTOM, at, name, good(its))],
  convert: [1, (at, name: string, { value = 0, currency = "", order = "", props: its }: Worth = {}) => {
    if (!Number.isFinite(value)) return complain(Wrong.VALUE, name);
    const micros = Math.min(Math.max(Math.round(value * MICROS), -AMOUNT_MAX), AMOUNT_MAX);
    say(Kind.CONVERSION, at, name, int(micros), `${currency}`, `${order}`, good(its));
  }],
  expose: [2, (at, experiment: string, variant: string) => say(Kind.EXPOSURE, at, experiment, variant)],
  page: [0, (at) => show(at, 1)],
  identify: [1, (at, user: string, { hash = true }: { hash?: boolean } = {}) => {
    const tell = (name: string) => (say(Kind.IDENTIFY, at, name, +hash), settle(true));
    if (!hash) tell(user);
    else if (!crypto.subtle) complain(Wrong.HASHING);
    else hashing = crypto.subtle.digest("SHA-256", utf8(user)).then((digest) => tell(hex(new Uint8Array(digest))));
  }],
  flush: [0, async (at, done: () => void) => {
    await hashing;
    step(Kind.FLUSH, at);
    waiting.push({ until: figures().recorded, done });
    settle(true);
    changed();
  }],
  stop: [0, async (at) => {
    rest();
    entry.listen("remove");
    await hashing;
    step(Kind.STOP, at);
    settle(true);
  }],
  on: [0, () => complain(Wrong.LISTENER)],
};

/** A call of the site, made at this time of the page's clock. */
export function call(name: string, at: number, args: unknown[]): void {
  try {
    const [names, run] = known[name]!;
    for (let place = 0; place < names; place++) {
      if (!args[place] || typeof args[place] !== "string") return complain(Wrong.NAME, name);
    }
    run(at, ...args);
    settle(true);
  } catch (error) {
    complain(Wrong.CALL, error);
  }
}

/** The figures have changed. */
export function changed(): void {
  if (!live) return end();
  const { recorded, acked, dropped, refused, transport } = figures();
  waiting = waiting.filter(({ until, done }) => {
    const over = /^(stop|forb)/.test(transport) || acked + dropped + refused >= Math.min(until, recorded);
    if (over) done();
    return !over;
  });
  if (transport !== shown) entry.tell("state", (shown = transport));
}

/** Nobody need wait any longer. */
export function end(): void {
  for (const { done } of waiting) done();
}

/** Tells of the signals at the head of what arrived, each once; returns what follows them. */
// Number, name, payload and end of a signal follow its version and kind, as the wire writes them.
export function signals(bytes: Uint8Array): Uint8Array {
  let at = 0;
  const number = () => {
    let value = 0;
    for (let unit = 1, byte = 128; byte > 127; unit *= 128) {
      byte = bytes[at++]!;
      value += (byte & 127) * unit;
    }
    return value;
  };
  const words = () => {
    const length = number();
    return decoder.decode(bytes.subarray(at, (at += length)));
  };
  while (bytes[at + 1] === SIGNAL) {
    const start = at;
    at += 2;
    const signal = { id: number(), name: words(), payload: words() as unknown, expires: number() };
    // Not a whole one: whoever is to understand the rest will not.
    if (!(at <= bytes.length)) return bytes.subarray(start);
    if (told.has(signal.id)) continue;
    if (told.size > SIGNALS_MAX) told.clear();
    told.add(signal.id);
    try {
      signal.payload = JSON.parse(signal.payload as string);
      entry.tell("signal", signal);
    } catch {
      complain(Wrong.PAYLOAD, signal.name);
    }
  }
  return bytes.subarray(at);
}

// The properties that can travel.
const good = (its: Props = {}): number[] =>
  props(Object.entries(its).filter(([name, value]) => {
    const fits = /^(str|num|bo)/.test(typeof value);
    if (!fits && value !== undefined) complain(Wrong.PROPERTY, name);
    return fits;
  }).slice(0, PROPS_MAX));
