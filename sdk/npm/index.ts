// What a site calls.
//
// Owns the gate (nothing is loaded, stored or sent where it must not be), the checking of
// arguments, and the queue of calls made before the core is there. Never throws into the page.

import { type Core, type FlatProps, load } from "./engine.js";
import { showOverlay, takeTicket } from "./overlay.js";
import { onRoute } from "./routes.js";

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

// In the order of `Transport` in sdk/src/uplink.rs.
const STATES: State[] = ["starting", "stream", "http", "offline", "stopped", "forbidden"];
/** Calls kept until the core is there. */
const EARLY_CALLS_MAX = 500;
const MICROS = 1_000_000;

let core: Core | undefined;
let early: ((core: Core) => void)[] | undefined;
let begun = false;
let off = false;
let shown: State = "starting";
let endRoutes = () => {};
let settled: { seen: number; done: () => void }[] = [];
const listeners = new Set<(state: State) => void>();
const complained = new Set<string>();
const api: Upriver = { track, convert, expose, page, flush, stop, on, stats };

/** Starts recording. Calling it again changes nothing. */
export function init(options: Options): Upriver {
  if (typeof window === "undefined" || typeof document === "undefined" || begun) return api;
  const address = check(options);
  if (!address) return api;
  begun = true;
  const ticket = takeTicket();
  if (ticket) {
    turnOff();
    showOverlay(address, ticket).catch((error) => complain(`the overlay did not load: ${error}`));
    return api;
  }
  const { globalPrivacyControl, doNotTrack } = navigator as Navigator & {
    globalPrivacyControl?: boolean;
    doNotTrack?: string | null;
  };
  if (options.respectSignals !== false && (globalPrivacyControl || doNotTrack === "1")) {
    turnOff();
    return api;
  }
  early ??= [];
  // A page that is rendered in advance may never be seen.
  if ((document as { prerendering?: boolean }).prerendering) {
    document.addEventListener("prerenderingchange", () => begin(address, options), { once: true });
  } else {
    begin(address, options);
  }
  return api;
}

/** Records an event of your own. */
export function track(name: string, props?: Props): void {
  if (!named("track", name)) return;
  const flat = flatten(props);
  call((core, at) => core.track(at, name, flat));
}

/** Records a conversion: an order, a sign-up. */
export function convert(name: string, worth: Worth = {}): void {
  if (!named("convert", name)) return;
  const { value = 0, currency = "", order = "", props } = worth;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    return complain(`convert("${name}"): value must be a finite number`);
  }
  const flat = flatten(props);
  const micros = Math.round(value * MICROS);
  call((core, at) => core.convert(at, name, micros, String(currency), String(order), flat));
}

/** Records that this visitor is shown a variant of an experiment. */
export function expose(experiment: string, variant: string): void {
  if (!named("expose", experiment) || !named("expose", variant)) return;
  call((core, at) => core.expose(at, experiment, variant));
}

/** Records a page view, where the address does not tell. */
export function page(): void {
  call((core, at) => core.view(at, false));
}

/** Sends what is waiting; done when all recorded so far is on the collector's disk or given up. */
export function flush(): Promise<void> {
  if (off || typeof window === "undefined") return Promise.resolve();
  return new Promise((done) => {
    call((core) => {
      core.flush();
      settled.push({ seen: core.stat(0), done });
      changed();
    });
  });
}

/** Records nothing more; what there is is sent. Until the next load of the page. */
export function stop(): void {
  endRoutes();
  call((core) => core.stop());
  if (!core) turnOff();
}

/** Calls back with the state now, and whenever it changes. Returns how to end that. */
export function on(event: "state", listener: (state: State) => void): () => void {
  if (event !== "state" || typeof listener !== "function") {
    complain('on: the event must be "state" and the listener a function');
    return () => {};
  }
  const own = (state: State) => listener(state);
  listeners.add(own);
  queueMicrotask(() => listeners.has(own) && tell(own, stats().transport));
  return () => listeners.delete(own);
}

/** The numbers so far. */
export function stats(): Stats {
  const stat = (which: number) => core?.stat(which) ?? 0;
  return {
    recorded: stat(0),
    acked: stat(1),
    dropped: stat(2),
    refused: stat(3),
    transport: off ? "off" : (STATES[stat(4)] ?? "starting"),
  };
}

async function begin(endpoint: string, { key, queryParams = [] }: Options): Promise<void> {
  const at = performance.now();
  try {
    const loaded = await load(at, endpoint, key, queryParams.join(), () => queueMicrotask(changed));
    if (off) return loaded.stop();
    core = loaded;
    endRoutes = onRoute(() => loaded.view(performance.now(), true));
  } catch (error) {
    turnOff();
    return complain(`recording did not start: ${error}`);
  }
  const waiting = early ?? [];
  early = undefined;
  for (const waited of waiting) waited(core);
  changed();
}

// Runs with the core, now or as soon as it is there; with the time of the call.
function call(run: (core: Core, at: number) => void): void {
  if (off || typeof window === "undefined") return;
  const at = performance.now();
  const guarded = (core: Core) => {
    try {
      run(core, at);
    } catch (error) {
      complain(`a call failed: ${error}`);
    }
  };
  if (core) return guarded(core);
  early ??= [];
  if (early.length < EARLY_CALLS_MAX) early.push(guarded);
}

function changed(): void {
  const { recorded, acked, dropped, refused, transport } = stats();
  const ended = transport === "stopped" || transport === "forbidden" || off;
  settled = settled.filter(({ seen, done }) => {
    const over = ended || acked + dropped + refused >= Math.min(seen, recorded);
    if (over) done();
    return !over;
  });
  if (transport === shown) return;
  shown = transport;
  for (const listener of listeners) tell(listener, transport);
}

function tell(listener: (state: State) => void, state: State): void {
  try {
    listener(state);
  } catch (error) {
    // The site's own error, reported as if nobody had caught it.
    setTimeout(() => {
      throw error;
    });
  }
}

function turnOff(): void {
  off = true;
  early = undefined;
  changed();
}

function check(options: Options): string | undefined {
  const { endpoint, key, queryParams = [] } = options ?? {};
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

function named(where: string, name: string): boolean {
  const good = typeof name === "string" && name !== "";
  if (!good) complain(`${where}: a name must be a text that is not empty`);
  return good;
}

function flatten(props?: Props): FlatProps {
  const flat: FlatProps = [];
  for (const [name, value] of Object.entries(props ?? {})) {
    if (/^(string|number|boolean)$/.test(typeof value)) flat.push(name, value!);
    else if (value !== undefined) complain(`"${name}" must be a text, a number, true or false`);
  }
  return flat;
}

function complain(what: string): void {
  if (complained.has(what)) return;
  complained.add(what);
  console.error(`upriver: ${what}`);
}
