// The site's own calls: what is right about their arguments, and what they say to the recorder.
//
// Owns the checks and their complaints (each is said once, on the console), and who waits for a
// flush or a state. Never throws into the page.

import { Bytes } from "./bytes.js";
import type { Shell } from "./core.js";
import type { Options, Props, State, Stats, Worth } from "./types.js";
import { hex } from "./visit.js";
import { Kind } from "./wasm.js";

const MICROS = 1e6;
const PROPS_MAX = 32;
/** The kind of an answer that is a signal, its second byte. */
const SIGNAL = 2;
/** Largest amount, either way, in millionths. */
const AMOUNT_MAX = 9e18;
/** Signals remembered so that each is told once; one more forgets them. */
const SIGNALS_MAX = 256;

/** How calls come in. */
export interface Calls {
  call(name: string, at: number, args: unknown[]): void;
  /** The figures have changed. */
  changed(): void;
  /** Tells of the signals at the head of what arrived, each once; returns what follows them. */
  signals(bytes: Uint8Array): Uint8Array;
  /** Nobody need wait any longer. */
  end(): void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const complained = new Set<string>();

/** Says what is wrong, once. */
export function complain(what: string): void {
  if (complained.has(what)) return;
  complained.add(what);
  console.error(`upriver: ${what}`);
}

/** The collector's address, when the options are right. */
export function check({ endpoint, key, queryParams = [] }: Options = {} as Options): string | undefined {
  if (typeof key !== "string" || !/^[\w.~-]+$/.test(key)) {
    complain("init: `key` must be the site's write key");
  } else if (!Array.isArray(queryParams)) {
    complain("init: `queryParams` must be an array of names");
  } else {
    try {
      const url = new URL(endpoint, location.href);
      if (/^https?:$/.test(url.protocol)) return (url.origin + url.pathname).replace(/\/+$/, "");
    } catch {}
    complain("init: `endpoint` must be the http(s) address of your collector");
  }
  return undefined;
}

/** The calls of one page. */
export function calls(shell: Shell, stats: () => Stats, end: () => void): Calls {
  const { listeners, listen } = shell.entry;
  let waiting: { seen: number; done: () => void }[] = [];
  let shown: State = "starting";
  let hashing: Promise<void> | undefined;
  const told = new Set<number>();

  function say(kind: number, at: number, bytes: Bytes): void {
    shell.alive(at);
    shell.give(bytes.all);
    shell.step(kind, at);
  }

  const known: Record<string, (at: number, ...args: any[]) => void> = {
    track(at, name: string, props: Props) {
      if (named("track", name)) say(Kind.CUSTOM, at, new Bytes().names(name).props(flat(props)));
    },
    convert(at, name: string, { value = 0, currency = "", order = "", props }: Worth) {
      if (!named("convert", name)) return;
      if (!Number.isFinite(value)) return complain(`convert("${name}"): value must be a finite number`);
      const micros = Math.min(Math.max(Math.round(value * MICROS), -AMOUNT_MAX), AMOUNT_MAX);
      const bytes = new Bytes().names(name).int(micros);
      say(Kind.CONVERSION, at, bytes.names(String(currency), String(order)).props(flat(props)));
    },
    expose(at, experiment: string, variant: string) {
      if (named("expose", experiment) && named("expose", variant)) {
        say(Kind.EXPOSURE, at, new Bytes().names(experiment, variant));
      }
    },
    page(at) {
      shell.view(at, 1);
    },
    identify(at, user: string, { hash = true }: { hash?: boolean } = {}) {
      if (!named("identify", user)) return;
      if (!hash) say(Kind.IDENTIFY, at, new Bytes().names(user).uint(0));
      else if (!crypto.subtle) complain("identify: hashing needs an https: page; nothing was sent");
      else {
        hashing = crypto.subtle.digest("SHA-256", encoder.encode(user)).then((digest) => {
          say(Kind.IDENTIFY, at, new Bytes().names(hex(new Uint8Array(digest))).uint(1));
          shell.settle(true);
        });
      }
    },
    async flush(at, done: () => void) {
      await hashing;
      shell.step(Kind.FLUSH, at);
      waiting.push({ seen: stats().recorded, done });
      shell.settle(true);
      changed();
    },
    async stop(at) {
      end();
      listen("remove");
      await hashing;
      shell.step(Kind.STOP, at);
      shell.settle(true);
    },
    on() {
      complain('on: the event must be "state" or "signal", and the listener a function');
    },
  };

  function changed(): void {
    const { recorded, acked, dropped, refused, transport } = stats();
    const ended = transport === "stopped" || transport === "forbidden";
    waiting = waiting.filter(({ seen, done }) => {
      const over = ended || acked + dropped + refused >= Math.min(seen, recorded);
      if (over) done();
      return !over;
    });
    if (transport === shown) return;
    shown = transport;
    // What a listener throws is the site's own error, reported as if nobody had caught it.
    for (const listener of listeners.state) queueMicrotask(() => listener(transport));
  }

  // Number, name, payload and end of a signal follow its version and kind, as the wire writes them.
  function signals(bytes: Uint8Array): Uint8Array {
    let at = 0;
    const number = () => {
      let value = 0;
      for (let unit = 1, byte = 128; byte > 127; unit *= 128) {
        byte = bytes[at++]!;
        value += (byte & 127) * unit;
      }
      return value;
    };
    const text = () => {
      const length = number();
      return decoder.decode(bytes.subarray(at, (at += length)));
    };
    while (bytes[at + 1] === SIGNAL) {
      const start = at;
      at += 2;
      const id = number();
      const name = text();
      const json = text();
      const expires = number();
      // Not a whole one: whoever is to understand the rest will not.
      if (!(at <= bytes.length)) return bytes.subarray(start);
      if (told.has(id)) continue;
      if (told.size > SIGNALS_MAX) told.clear();
      told.add(id);
      try {
        const signal = { id, name, payload: JSON.parse(json), expires };
        for (const listener of listeners.signal) queueMicrotask(() => listener(signal));
      } catch {
        complain(`the payload of signal "${name}" is not JSON`);
      }
    }
    return bytes.subarray(at);
  }

  return {
    changed,
    signals,
    end() {
      for (const { done } of waiting) done();
    },
    call(name, at, args) {
      try {
        known[name]!(at, ...args);
        shell.settle(true);
      } catch (error) {
        complain(`a call failed: ${error}`);
      }
    },
  };
}

function named(where: string, name: unknown): boolean {
  const good = typeof name === "string" && name !== "";
  if (!good) complain(`${where}: a name must be a text that is not empty`);
  return good;
}

function flat(props: Props = {}): (string | number | boolean)[] {
  const good: (string | number | boolean)[] = [];
  for (const [name, value] of Object.entries(props)) {
    if (/^(string|number|boolean)$/.test(typeof value)) good.push(name, value!);
    else if (value !== undefined) complain(`"${name}" must be a text, a number, true or false`);
  }
  return good.slice(0, 2 * PROPS_MAX);
}
