// One page's recorder with all that surrounds it: the part of the SDK that is loaded apart.
//
// Owns the page's clock, the one timer, the way from an input to the recorder and from its commands
// to the network, and page views. Decides nothing the recorder can decide. A page has one recorder, so
// its parts are functions of their modules; one that has ended does nothing more, and the next begins
// with everything anew (`begin` of each module).

import { bytes, idBytes, utf8 } from "./bytes.js";
import * as calls from "./calls.js";
import { Wrong, complain } from "./complaint.js";
import { AGREED, COOKIELESS, gate } from "./consent.js";
import { canonical, describe, look } from "./element.js";
import * as forms from "./forms.js";
import * as hearing from "./hearing.js";
import * as looking from "./looking.js";
import { VERSION } from "./naming.js";
import * as outcome from "./outcome.js";
import { address, view } from "./page.js";
import * as persist from "./persist.js";
import { onRoute } from "./routes.js";
import * as transport from "./transport.js";
import type { Entry, Facts, Options, State, Stats } from "./types.js";
import { type Visit, another, randomName, visitor } from "./visit.js";
import { Kind, type Recorder, load, taken } from "./wasm.js";

/** A page that is routed to is read this long afterwards, when its title and size are its own, ms. */
const ROUTE_SETTLE = 50;
/** The longest a timer is set to, ms. */
const TIMER_MAX = 600_000;
// In the order of `Transport` in sdk/src/uplink.rs.
const STATES: State[] = ["starting", "stream", "http", "offline", "stopped", "forbidden"];

/** What the page's own part calls: an event of the page, with what was true when it was told, for one told
 * earlier; a movement; a call of the site, made at this time of the page's clock; and the figures. */
export type Core = [
  hear: (event: Event, facts?: Facts) => void,
  note: (event: Event) => void,
  call: (name: string, at: number, args: unknown[]) => void,
  figures: () => Stats,
];

export let entry: Entry;
export let options: Options;
/** The collector's address. */
export let endpoint: string;
/** The visitor pays for bytes, or asked for few: tell less. */
export let thin: boolean;
/** Does nothing once it has ended. */
export let recorder: Recorder;
/** Counts recorders, so that what comes late can tell that it is another's. */
export let turn = 0;
/** Recording. */
export let live = false;
let memory: WebAssembly.Memory;
/** Unix time of the page's clock 0. Taken once: the clock must not jump with the system's. */
let origin: number;
let resting: boolean;
let path: string;
let routed: number | undefined;
let timer: ReturnType<typeof setTimeout>;
let timerDue: number;

const pathNow = () => address(options.queryParams ?? [])[0];

/** Starts recording, as soon as it may; `at`: when the site asked for it. Undefined when nothing is to
 * be recorded here, null when the options are wrong. */
export function start(given: Options, at: number, from: Entry): Core | undefined | null {
  const checked = calls.check(given);
  if (!checked) return null;
  [options, entry, endpoint] = [given, from, checked];
  if (/[#&]upriver-overlay=[\w.~-]/.test(location.hash)) {
    // @ts-ignore apart, so that the bundler leaves it apart
    import("./overlay.js").then(({ show }) => show(endpoint, pathNow)).catch((e) => complain(Wrong.OVERLAY, e));
    return undefined;
  }
  const landed = address(options.queryParams ?? []);
  const [core, changed] = gate(at, pathNow, async (since, answer, gone) => {
    // Without consent to it nothing is stored.
    const database = answer !== COOKIELESS ? persist.opened() : undefined;
    database?.catch(() => {});
    const loaded = await load(options.wasm);
    // @ts-ignore apart, so that the bundler leaves it apart
    if (options.debug || /[?&#]upriver-debug\b/.test(location.href)) (await import("./debug.js")).watch(loaded, STATES);
    if (gone()) return false;
    ({ recorder, memory } = loaded);
    begin(since, answer, landed, database);
    return true;
  });
  onRoute(changed);
  return core;
}

function begin(since: number, answer: number, [first, campaign]: ReturnType<typeof address>, database?: Promise<IDBDatabase>): void {
  live = true;
  resting = false;
  routed = undefined;
  timerDue = Infinity;
  path = first;
  origin = Math.max(Date.now() - performance.now(), 0);
  thin = !!(navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
  const [name, visit] = visitor(campaign, origin + since, answer !== COOKIELESS);
  const stream = randomName(16);
  give([...idBytes(stream), ...idBytes(name), ...idBytes(randomName(8))]);
  recorder(Kind.TICK);
  if (thin) recorder(Kind.THIN);
  visited(since, visit);
  const { rage = [], thrash = [], dead } = options;
  step(Kind.LIMITS, since, rage[0]!, rage[1]!, rage[2]!, dead!, thrash[0]!, thrash[1]!, thrash[2]!);
  calls.begin();
  forms.begin();
  looking.begin();
  hearing.begin();
  persist.begin(database, stream);
  if (answer) {
    give([answer - AGREED]);
    step(Kind.CONSENT, since);
  }
  hearing.show(since, !entry.asleep);
  show(since, 0, path);
  settle();
}

/** Drops what waits, sends and stores nothing more. */
export function end(): void {
  if (!live) return;
  rest();
  transport.close();
  persist.end();
  clearTimeout(timer);
  recorder(Kind.DROP);
  live = false;
  turn++;
  // Whatever still runs talks to nobody.
  recorder = () => 0;
  calls.end();
}

/** Unix time, by the page's clock. */
export const now = (): number => origin + performance.now();

/** Takes an input of that time of the page's clock; it goes on its way with the next {@link settle}. */
// Each by its own name: gathered and spread they would be an array a time, and pointers move often.
export const step: Recorder = (kind, at, a, b, c, d, e, f, g, h) => {
  hearing.catchUp();
  if (at! > outcome.overdue) outcome.stopped();
  return recorder(kind, origin + at!, a, b, c, d, e, f, g, h);
};

/** Hands bytes over for the next call. */
export function give(bytes: ArrayLike<number>): void {
  hearing.catchUp();
  const at = recorder(Kind.ROOM, 0, bytes.length);
  // More than there is room for is nothing the recorder would understand.
  if (at) new Uint8Array(memory.buffer, at, bytes.length).set(bytes);
}

/** Names an element for the next input, describing it if it is new. */
export function named(element: Element, looks?: () => number[], interactive?: boolean): void {
  const selector = canonical(element);
  give(utf8(VERSION + selector));
  if (recorder(Kind.NAME)) return;
  give(describe(element, selector, looks?.() ?? look(element), interactive));
  recorder(Kind.DESCRIBE);
}

/** Takes what the collector has to say, or that nothing was heard of it. */
export function news(kind: number, answer?: ArrayBuffer, ...numbers: number[]): void {
  const rest = calls.signals(new Uint8Array(answer!));
  give(rest);
  // A frame that was a signal and nothing else is no answer to a batch.
  if (rest.length || kind !== Kind.FRAME) step(kind, performance.now(), ...numbers);
  settle(true);
}

/** Does what is due; `news`: the figures may have changed besides. */
export function settle(news?: boolean): void {
  if (!live) return;
  settleRoute();
  hearing.look(performance.now());
  for (let command; (command = recorder(Kind.NEXT, now())); ) {
    const number = recorder(Kind.NUMBER);
    if (command === 1) transport.open();
    else if (command === 2) transport.close();
    else if (command === 7) persist.forget(number);
    else {
      const batch = taken(recorder, memory);
      if (command === 3) transport.send(batch);
      else if (command === 6) persist.keep(number, batch);
      else transport.post(number, batch, command === 5);
    }
    news = true;
  }
  arm();
  // Most of what happens on a page changes none of the figures. Told once all this is done: what the site
  // does then may call in here.
  if (news) queueMicrotask(calls.changed);
}

/** Sets the one timer to what is due next. */
export function arm(): void {
  if (!live) return;
  wake(next());
}

// When something is to be done. What is seen is seen of the page that was routed to, once that is told.
const next = () =>
  Math.min(recorder(Kind.DUE) - origin, routed === undefined ? looking.due() : routed + ROUTE_SETTLE);

/** Sets the one timer to that time of the page's clock, unless it is set to an earlier one. */
export function wake(due: number): void {
  // One that comes too early sets the next.
  if (due >= timerDue) return;
  timerDue = due;
  clearTimeout(timer);
  timer = setTimeout(() => {
    timerDue = Infinity;
    hearing.enter();
    hearing.catchUp();
    const then = next();
    // Often there were only movements to be told of.
    if (then > performance.now()) return wake(then);
    settleRoute();
    if (routed === undefined) looking.look();
    settle();
  }, Math.min(Math.max(due - performance.now(), 0), TIMER_MAX) + 1);
}

/** Nobody's doing keeps a visit alive any more. */
export function rest(): void {
  resting = true;
  looking.end();
}

/** Somebody is there: the visit goes on, or another begins. Before what they do; `now`: they only
 * moved a pointer, at this time. */
export function alive(at: number, now = Infinity): void {
  if (resting) return;
  settleRoute(now);
  const visit = another(origin + at);
  if (visit) visited(at, visit);
}

function visited(at: number, { session, campaign }: Visit): void {
  give([...idBytes(session), ...(campaign ? bytes(1, ...campaign) : [0])]);
  step(Kind.SESSION, at);
}

/** A page is shown: loaded (0), routed to or told of by the site (1), or come back to (2). */
export function show(at: number, navigation: number, to = pathNow()): void {
  if (navigation) {
    routed = undefined;
    alive(at);
  }
  path = to;
  forms.left(at);
  const [bytes, parts] = view(navigation, path, options.release);
  give(bytes);
  step(Kind.VIEW, at, scrollX, scrollY, parts, parts / 2 ** 32);
  looking.view();
}

/** The address may have changed; `then`: it had, at that time, to that path. */
export function route(then?: { at: number; to: string }): void {
  if (then) show(then.at, 1, then.to);
  else if (routed === undefined && pathNow() !== path) {
    routed = performance.now();
    arm();
  }
}

// Records the page that was routed to, once it has settled; or before what follows, however soon.
function settleRoute(now = performance.now()): void {
  if (routed! + ROUTE_SETTLE <= now) show(routed!, 1);
}

/** The numbers so far. */
export const figures = (): Stats => ({
  recorded: recorder(Kind.RECORDED),
  acked: recorder(Kind.RECORDED + 1),
  dropped: recorder(Kind.RECORDED + 2) + persist.lost(),
  refused: recorder(Kind.RECORDED + 3),
  transport: STATES[recorder(Kind.TRANSPORT)]!,
});
