// What a site calls, and all that its page loads at once.
//
// Owns the gate before everything (nothing is loaded, stored or sent where it must not be), the
// page's listeners, and the queue of calls and gestures from before the core is there. Knows neither
// what a gesture is, nor whether an argument is right or the visitor agrees: `core.ts` does, which is
// loaded apart. Never throws into the page.

import type { Core } from "./core.js";
import type { Entry, Events, Facts, Framed, Options, State, Stats, Upriver } from "./types.js";

export type * from "./types.js";

/** Calls and gestures kept until the core is there. */
const EARLY_MAX = 500;
/** The longest that the rest waits for the page to be idle before it is loaded, ms. */
const IDLE_WAIT = 2_000;
// In the order of `Heard`. On the page the first two are heard where fingers are used and the next two where
// they are not, so that with the one for routes (`routes.ts`) there are never more than 14.
const kinds =
  "touchend touchmove wheel pointermove pointerup pointercancel scroll pointerdown click keydown submit visibilitychange pagehide error unhandledrejection".split(" ");

/** What a browser tells of its visitor's wishes. */
type Signalling = { globalPrivacyControl?: boolean; doNotTrack?: string | null };

const listeners: Record<string, Set<(it: any) => void>> = { state: new Set(), signal: new Set() };
let core: Core | undefined;
let early: ((core?: Core) => void)[] = [];
let begun = false;
let hurry: (() => void) | undefined;
let off = typeof document === "undefined";
/** There are events of touch; a browser may have a touch screen and tell of it by pointers alone. */
const fingers = !off && "ontouchend" in window;
/** A finger is down, or there is nothing else to be moved. */
let touching = fingers && !hovers();

const none = (transport: State): Stats => ({ recorded: 0, acked: 0, dropped: 0, refused: 0, transport });

export const stats: Upriver["stats"] = () => core?.[3]() ?? none(off ? "off" : "starting");

// What a listener throws is the site's own error, reported as if nobody had caught it.
const tell: Entry["tell"] = (event, it) => {
  for (const listener of listeners[event]!) queueMicrotask(() => listener(it));
};

// `instead`: what is done where nothing is recorded.
const say =
  (name: string, instead?: () => void) =>
  (...args: unknown[]): void => {
    const at = performance.now();
    if (!core) {
      try {
        // As it is now: the site may change it afterwards.
        args = structuredClone(args);
      } catch {}
    }
    soon((core) => (core ? core[2](name, at, args) : instead?.()));
  };

export const track: Upriver["track"] = say("track");
export const convert: Upriver["convert"] = say("convert");
export const expose: Upriver["expose"] = say("expose");
export const identify: Upriver["identify"] = say("identify");
export const page: Upriver["page"] = say("page");
export const optIn: Upriver["optIn"] = say("optIn");
export const optOut: Upriver["optOut"] = say("optOut");
export const stop: Upriver["stop"] = say("stop");
const api: Upriver = { track, convert, expose, identify, page, optIn, optOut, stop, flush, on, stats };

/** Starts recording. Calling it again changes nothing. */
export function init<E extends Events = Events>(options: Options): Upriver<E> {
  if (!off && !begun) {
    begun = true;
    const { globalPrivacyControl, doNotTrack } = navigator as Signalling;
    const refused = (globalPrivacyControl || doNotTrack === "1") && options?.respectSignals !== false;
    // Whoever looks at the heat map records nothing.
    if (refused && !location.hash.includes("upriver-overlay=")) {
      turnOff();
    } else if ((document as { prerendering?: boolean }).prerendering) {
      // A page that is rendered in advance may never be seen.
      document.addEventListener("prerenderingchange", () => begin(options), { once: true });
    } else {
      begin(options);
    }
  }
  return api as Upriver<any>;
}

/** The functions of this module, held to a site's own names when it is compiled. */
export const typed = <E extends Events>(): Upriver<E> => api as Upriver<any>;

export function flush(): Promise<void> {
  return new Promise((done) => say("flush", done)(done));
}

export function on(event: "state" | "signal", listener: (it: any) => void): () => void {
  const all = listeners[event];
  const own = (it: unknown) => listener(it);
  if (all && typeof listener === "function") {
    all.add(own);
    if (event === "state") queueMicrotask(() => all.has(own) && own(stats().transport));
  } else say("on")();
  return () => all?.delete(own);
}

async function begin(options: Options): Promise<void> {
  const at = performance.now();
  const asleep = document.hidden;
  // Whoever frames this page must not record it a second time.
  (document as Framed).upriver = true;
  listen("add");
  // The page comes first: what happens until then waits here. Who presses may be about to leave.
  await new Promise((go) => {
    hurry = go as () => void;
    window.requestIdleCallback?.(go, { timeout: IDLE_WAIT }) ?? setTimeout(go);
  });
  try {
    const { start } = await import("./core.js");
    const started = start(options, at, { asleep, facts, kinds, listen, none, tell });
    if (started === null) {
      // Said on the console. The site may try again.
      begun = false;
      listen("remove");
    } else if (started) {
      core = started;
      drain();
    } else turnOff();
  } catch (error) {
    turnOff();
    console.error(`upriver: recording did not start: ${error}`);
  }
}

function hovers(): boolean {
  return matchMedia("(any-hover:hover)").matches;
}

// Those of what is in the hand.
const inHand = () => (touching ? kinds.slice(0, 2) : kinds.slice(2, 4));

// In a frame, all: of what happens there little is heard.
function listen(
  what: "add" | "remove", on: Window | Document = window,
  which = on === window ? [...inHand(), ...kinds.slice(4)] : kinds,
): void {
  for (const kind of which) {
    on[`${what}EventListener`](kind, /move|wheel/.test(kind) ? moved : heard, { capture: true, passive: true });
  }
}

// What comes at each frame and changes nothing here takes the shortest way.
function moved(event: Event): void {
  if (core && event.isTrusted) core[1](event);
  else heard(event);
}

function heard(event: Event): void {
  const { type } = event;
  // Only what the browser itself says happened; WebKit does not say so of unhandledrejection.
  if (!event.isTrusted && type !== "unhandledrejection") return;
  // Who puts a finger down has no mouse in the hand until the last one is lifted.
  const now =
    type === "pointerdown" ? fingers && (event as PointerEvent).pointerType === "touch"
    : touching && !(type === "touchend" && !(event as TouchEvent).touches[0] && hovers());
  if (now !== touching && event.currentTarget === window) {
    listen("remove", window, inHand());
    touching = now;
    listen("add", window, inHand());
  }
  if (core) return core[0](event);
  const kept = facts(event);
  if (kept?.boxes[0]) hurry!();
  if (kept) soon((core) => core?.[0](event, kept));
}

function facts(event: Event): Facts | undefined {
  // Where a mouse was is nothing to be kept.
  if ((event as PointerEvent).pointerType === "mouse" && event.type === "pointermove") return;
  const targets = event.composedPath();
  const pressed = /down|click/.test(event.type);
  return {
    targets,
    boxes: pressed ? targets.map((it) => (it as Element).getBoundingClientRect?.()) : [],
    scrolls: pressed ? [scrollX, scrollY] : [],
    asleep: document.hidden,
  };
}

function soon(run: (typeof early)[number]): void {
  if (core || off) run(core);
  else if (early.length < EARLY_MAX) early.push(run);
}

// Hands over what waited, or drops it.
function drain(): void {
  for (const run of early) run(core);
  early = [];
}

function turnOff(): void {
  off = true;
  listen("remove");
  drain();
  tell("state", "off");
}
