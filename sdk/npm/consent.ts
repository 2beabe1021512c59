// Whether anything may be recorded, stored and sent: the visitor's answer.
//
// Owns the answer, what happens until it is given, and that a refusal leaves nothing behind. Knows
// neither the wire nor what an event says. Until the answer there is no recorder: nothing that could
// store or send.

import * as calls from "./calls.js";
import { Wrong, complain } from "./complaint.js";
import { type Core, end, entry, figures, options, route } from "./core.js";
import { hear, note } from "./hearing.js";
import type { State } from "./types.js";
import { forget, remembered } from "./visit.js";

/** Calls and gestures kept until there is an answer and a recorder. */
const WAITING_MAX = 500;
/** Of them, movements, which are many and say little. */
const MOVEMENTS_MAX = WAITING_MAX / 2;

/** A visitor's answer. 0: recording starts unasked. */
export const AGREED = 1;
export const COOKIELESS = 2;

/** Makes a recorder that begins at this time, and tells whether it did; `gone`: it has been ended before
 * it was there. */
type Record = (since: number, answer: number, gone: () => boolean) => Promise<boolean>;

/** A core behind the visitor's answer, and what tells it of routes. `since`: when the site asked for
 * recording, on the page's clock. */
export function gate(since: number, path: () => string, record: Record): [Core, () => void] {
  const { consent = "granted", rememberConsent } = options;
  let running = false;
  let waiting: (() => void)[] = [];
  let idle: State = "starting";
  let answer = 0;
  // Counts starts and ends, so that a start can tell that it has been ended.
  let turn = 0;
  let stopped = false;
  let last = path();

  function become(state: State): void {
    turn++;
    running = false;
    end();
    if (state === idle) return;
    if (state === "off") entry.listen("remove");
    else if (idle === "off") entry.listen("add");
    idle = state;
    if (state === "off") hand();
    entry.tell("state", state);
  }

  async function begin(given: number): Promise<void> {
    become("starting");
    const mine = turn;
    const gone = () => mine !== turn;
    answer = given;
    if (given === COOKIELESS) forget();
    try {
      if (await record(since, given, gone)) {
        running = true;
        hand();
      }
    } catch (error) {
      if (gone()) return;
      become("off");
      complain(Wrong.START, error);
    }
  }

  // Hands over what waited, or drops it.
  function hand(): void {
    const all = waiting;
    waiting = [];
    for (const run of all) run();
  }

  function soon(run: () => void, movement?: boolean): void {
    if (running || idle === "off") run();
    else if (waiting.length < (movement ? MOVEMENTS_MAX : WAITING_MAX)) waiting.push(run);
  }

  function agree(cookieless: unknown): void {
    const given = cookieless ? COOKIELESS : AGREED;
    if (rememberConsent) remembered(cookieless ? "" : "1");
    if (idle === "starting" && (given === COOKIELESS) === (answer === COOKIELESS)) return;
    if (idle !== "pending") {
      since = performance.now();
      entry.asleep = document.hidden;
    }
    begin(given);
  }

  const kept = rememberConsent && remembered();
  if (kept === "0") become("off");
  else if (kept || consent === "granted") begin(0);
  else if (consent === "cookieless") begin(COOKIELESS);
  else become("pending");
  const told: Core[0] = (event, facts = running ? undefined : entry.facts(event)) => {
    if (running) hear(event, facts);
    else if (facts) soon(() => running && hear(event, facts), /move|wheel|scroll/.test(event.type));
  };
  return [
    [
      told,
      (event) => (running ? note(event) : told(event)),
      (name, at, args) => {
        const done = () => name === "flush" && (args[0] as () => void)();
        if (stopped) done();
        else if (name === "optIn") agree((args[0] as { cookieless?: unknown } | undefined)?.cookieless);
        else if (name === "optOut") {
          become("off");
          forget();
          if (rememberConsent) remembered("0");
        } else {
          stopped = name === "stop";
          if (stopped && !running) become("off");
          // Nothing goes out of what waits for an answer, so there is nothing to wait for.
          else if (idle === "pending" && name === "flush") done();
          else soon(() => (running ? calls.call(name, at, args) : done()));
        }
      },
      () => (running ? figures() : entry.none(idle)),
    ],
    () => {
      if (stopped) return;
      if (running) return route();
      if (path() === last) return;
      const then = { at: performance.now(), to: (last = path()) };
      soon(() => running && route(then));
    },
  ];
}
