// Whether anything may be recorded, stored and sent: the visitor's answer.
//
// Owns the answer, what happens until it is given, and that a refusal leaves nothing behind. Knows
// neither the wire nor what an event says. Until the answer there is no recorder: nothing that could
// store or send.

import { complain } from "./calls.js";
import type { Core } from "./core.js";
import type { Entry, Options, State } from "./types.js";
import { forget, remembered } from "./visit.js";

/** Calls and gestures kept until there is an answer and a recorder. */
const WAITING_MAX = 500;
/** Of them, movements, which are many and say little. */
const MOVEMENTS_MAX = WAITING_MAX / 2;

/** A visitor's answer. 0: recording starts unasked. */
export const AGREED = 1;
export const COOKIELESS = 2;

/** A recorder at work. */
export interface Running extends Core {
  /** The address may have changed; `then`: it had, at that time, to that path. */
  routed(then?: { at: number; path: string }): void;
  /** Drops what waits, sends and stores nothing more. */
  end(): void;
}

/** Makes a recorder that begins at this time; `gone`: it has been ended before it was there. */
export type Record = (since: number, answer: number, gone: () => boolean) => Promise<Running | undefined>;

/** A core behind the visitor's answer, and what tells it of routes. `since`: when the site asked for
 * recording, on the page's clock. */
export function gate(
  { consent = "granted", rememberConsent }: Options,
  entry: Entry,
  since: number,
  path: () => string,
  record: Record,
): [Core, () => void] {
  let running: Running | undefined;
  let waiting: ((it?: Running) => void)[] = [];
  let idle: State = "starting";
  let answer = 0;
  // Counts starts and ends, so that a start can tell that it has been ended.
  let turn = 0;
  let stopped = false;
  let last = path();

  function become(state: State): void {
    turn++;
    running?.end();
    running = undefined;
    if (state === "off") hand();
    if (state === idle) return;
    if (state === "off") entry.listen("remove");
    else if (idle === "off") entry.listen("add");
    idle = state;
    for (const listener of entry.listeners.state) queueMicrotask(() => listener(state));
  }

  async function begin(given: number): Promise<void> {
    become("starting");
    const mine = turn;
    const gone = () => mine !== turn;
    answer = given;
    if (given === COOKIELESS) forget();
    try {
      const made = await record(since, given, gone);
      if (gone()) return;
      running = made;
      hand();
    } catch (error) {
      if (gone()) return;
      become("off");
      complain(`recording did not start: ${error}`);
    }
  }

  // Hands over what waited, or drops it.
  function hand(): void {
    const all = waiting;
    waiting = [];
    for (const run of all) run(running);
  }

  function soon(run: (typeof waiting)[number], movement?: boolean): void {
    if (running || idle === "off") run(running);
    else if (waiting.length < (movement ? MOVEMENTS_MAX : WAITING_MAX)) waiting.push(run);
  }

  function agree(cookieless: unknown): void {
    const given = cookieless ? COOKIELESS : AGREED;
    if (stopped) return;
    if (rememberConsent) remembered(cookieless ? "" : "1");
    if (idle === "starting" && (given === COOKIELESS) === (answer === COOKIELESS)) return;
    if (idle !== "pending") {
      since = performance.now();
      entry.hidden = document.hidden;
    }
    begin(given);
  }

  function refuse(): void {
    become("off");
    forget();
    if (rememberConsent) remembered("0");
  }

  function call(name: string, at: number, args: unknown[]): void {
    const done = () => name === "flush" && (args[0] as () => void)();
    if (stopped) return void done();
    if (name === "optIn") return agree((args[0] as { cookieless?: unknown } | undefined)?.cookieless);
    if (name === "optOut") return refuse();
    if (name === "stop") {
      stopped = true;
      if (!running) return become("off");
    }
    // Nothing goes out of what waits for an answer, so there is nothing to wait for.
    if (name === "flush" && !running && idle === "pending") done();
    else soon((it) => (it ? it.call(name, at, args) : done()));
  }

  const kept = rememberConsent && remembered();
  if (kept === "0") become("off");
  else if (kept || consent === "granted") begin(0);
  else if (consent === "cookieless") begin(COOKIELESS);
  else become("pending");
  return [
    {
      hear(event, facts) {
        if (running) return running.hear(event, facts);
        const then = facts ?? entry.facts(event);
        if (then) soon((it) => it?.hear(event, then), /move|wheel|scroll/.test(event.type));
      },
      call,
      stats: () => (running ? running.stats() : entry.none(idle)),
    },
    () => {
      if (stopped) return;
      if (running) return running.routed();
      if (path() === last) return;
      const then = { at: performance.now(), path: (last = path()) };
      soon((it) => it?.routed(then));
    },
  ];
}
