// What a site calls, and all that its page loads at once.
//
// Owns the gate (nothing is loaded, stored or sent where it must not be), the page's listeners, and
// the queue of calls and gestures from before the core is there. Knows neither what a gesture is nor
// whether an argument is right: `core.ts` does, which is loaded apart. Never throws into the page.

import type { Core } from "./core.js";

/** Properties of an event: at most 32, names up to 128 bytes, texts up to 1 KiB. */
export type Props = Record<string, string | number | boolean | undefined>;

/** How Upriver is set up. */
export interface Options {
  /** Address of your collector, `https://upriver.example`. */
  endpoint: string;
  /** The site's write key. It is public: it can only write, and only from your origins. */
  key: string;
  /** Query parameters that may be recorded. Default: none; `utm_*` become the campaign. */
  queryParams?: string[];
  /** Whether Global Privacy Control and Do Not Track stop everything. Default: true. */
  respectSignals?: boolean;
  /** Where the recorder's wasm is, or the compiled module. Only `upriver/slim` reads it. Default:
   * `upriver.wasm` beside the module. */
  wasm?: string | URL | WebAssembly.Module;
}

/** What a conversion is worth. */
export interface Worth {
  /** In units of the currency, `19.9`. */
  value?: number;
  /** ISO 4217 code, `EUR`. */
  currency?: string;
  /** Your own number for it. */
  order?: string;
  props?: Props;
}

/** How events travel. */
export type State =
  | "starting"
  | "stream"
  | "http"
  | "offline"
  | "stopped"
  | "forbidden"
  /** Nothing is recorded here: a server, a privacy signal, the overlay, or an old browser. */
  | "off";

/** Numbers of events, and how they travel. */
export interface Stats {
  /** Seen. */
  recorded: number;
  /** On the collector's disk. */
  acked: number;
  /** Given up here, because too many were waiting or recording was stopped. */
  dropped: number;
  /** Refused by the collector. */
  refused: number;
  transport: State;
}

/** What {@link init} returns: the same functions this module exports. */
export interface Upriver {
  track: typeof track;
  convert: typeof convert;
  expose: typeof expose;
  page: typeof page;
  flush: typeof flush;
  stop: typeof stop;
  on: typeof on;
  stats: typeof stats;
}

/** What is true of an event only while it is told: kept for those the core hears of later. */
export interface Facts {
  /** From the innermost target to the window. */
  path: EventTarget[];
  /** Boxes of the targets, of presses only. */
  boxes: (DOMRect | undefined)[];
  /** Where the page stands, of presses only. */
  at: (number | undefined)[];
  hidden: boolean;
}

/** What the core is handed of the page's own part. */
export interface Entry {
  listeners: Set<(state: State) => void>;
  /** Ends listening. */
  quiet: () => void;
  /** Whether the page was hidden when recording was asked for. */
  hidden: boolean;
}

/** Calls and gestures kept until the core is there. */
const EARLY_MAX = 500;
// With the one for routes (`routes.ts`) there are 14.
const KINDS =
  "pointerdown pointermove pointerup pointercancel click keydown touchmove touchend wheel scroll submit visibilitychange pagehide";

const listeners: Entry["listeners"] = new Set();
const api: Upriver = { track, convert, expose, page, flush, stop, on, stats };
let core: Core | undefined;
let early: ((core: Pick<Core, "hear" | "call">) => void)[] = [];
let begun = false;
let off = typeof document === "undefined";

/** Starts recording. Calling it again changes nothing. */
export function init(options: Options): Upriver {
  if (off || begun) return api;
  begun = true;
  const { globalPrivacyControl: gpc, doNotTrack } = navigator as {
    globalPrivacyControl?: boolean;
    doNotTrack?: string | null;
  };
  const refused = options?.respectSignals !== false && (gpc || doNotTrack === "1");
  // Whoever looks at the heat map records nothing.
  if (refused && !location.hash.includes("upriver-overlay=")) {
    turnOff();
  } else if ((document as { prerendering?: boolean }).prerendering) {
    // A page that is rendered in advance may never be seen.
    document.addEventListener("prerenderingchange", () => begin(options), { once: true });
  } else {
    begin(options);
  }
  return api;
}

/** Records an event of your own. */
export function track(name: string, props?: Props): void {
  call("track", name, { ...props });
}

/** Records a conversion: an order, a sign-up. */
export function convert(name: string, worth?: Worth): void {
  call("convert", name, { ...worth, props: { ...worth?.props } });
}

/** Records that this visitor is shown a variant of an experiment. */
export function expose(experiment: string, variant: string): void {
  call("expose", experiment, variant);
}

/** Records a page view, where the address does not tell. */
export function page(): void {
  call("page");
}

/** Sends what is waiting; done when all recorded so far is on the collector's disk or given up. */
export function flush(): Promise<void> {
  return new Promise((done) => (off ? done() : call("flush", done)));
}

/** Records nothing more; what there is is sent. Until the next load of the page. */
export function stop(): void {
  if (core) call("stop");
  else if (!off) turnOff();
}

/** Calls back with the state now, and whenever it changes. Returns how to end that. */
export function on(event: "state", listener: (state: State) => void): () => void {
  const own = (state: State) => listener(state);
  if (event === "state" && typeof listener === "function") {
    listeners.add(own);
    queueMicrotask(() => listeners.has(own) && own(stats().transport));
  } else call("on");
  return () => listeners.delete(own);
}

/** The numbers so far. */
export function stats(): Stats {
  if (core) return core.stats();
  return { recorded: 0, acked: 0, dropped: 0, refused: 0, transport: off ? "off" : "starting" };
}

async function begin(options: Options): Promise<void> {
  const at = performance.now();
  const { hidden } = document;
  listen("add");
  try {
    const { start } = await import("./core.js");
    if (off) return;
    const started = await start(options, at, { listeners, quiet: () => listen("remove"), hidden });
    if (off) started?.call("stop", at, []);
    else if (started === null) {
      // Said on the console. The site may try again.
      begun = false;
      listen("remove");
    } else if (started) {
      core = started;
      for (const run of early) run(core);
      early = [];
    } else turnOff();
  } catch (error) {
    turnOff();
    console.error(`upriver: recording did not start: ${error}`);
  }
}

function listen(what: "add" | "remove"): void {
  for (const kind of KINDS.split(" ")) {
    window[`${what}EventListener`](kind, heard, { capture: true, passive: true });
  }
}

function heard(event: Event): void {
  // Only what the browser itself says happened.
  if (!event.isTrusted) return;
  if (core) return core.hear(event);
  // Where a mouse was is nothing to be kept.
  if ((event as PointerEvent).pointerType === "mouse" && event.type === "pointermove") return;
  const path = event.composedPath();
  const pressed = /down|click/.test(event.type);
  const facts = {
    path,
    boxes: pressed ? path.map((it) => (it as Element).getBoundingClientRect?.()) : [],
    at: pressed ? [scrollX, scrollY] : [],
    hidden: document.hidden,
  };
  soon((core) => core.hear(event, facts));
}

function call(name: string, ...args: unknown[]): void {
  if (off) return;
  const at = performance.now();
  soon((core) => core.call(name, at, args));
}

function soon(run: (typeof early)[number]): void {
  if (core) run(core);
  else if (early.length < EARLY_MAX) early.push(run);
}

function turnOff(): void {
  off = true;
  listen("remove");
  const none: Pick<Core, "hear" | "call"> = {
    hear() {},
    call: (_name, _at, [done]) => typeof done === "function" && done(),
  };
  for (const run of early) run(none);
  early = [];
  for (const listener of listeners) queueMicrotask(() => listener("off"));
}
