// One page's recorder with all that surrounds it: the part of the SDK that is loaded apart.
//
// Owns the page's clock, the one timer, the way from an input to the recorder and from its commands
// to the network, and page views. Decides nothing the recorder can decide.

// First, so that the text of the wasm stands together at the start, where it compresses best.
import * as wasm from "./wasm.js";
import { Kind } from "./wasm.js";
import { type Calls, calls, check, complain } from "./calls.js";
import { AGREED, COOKIELESS, type Running, gate } from "./consent.js";
import { campaignBytes, address, view } from "./page.js";
import type { Entry, Facts, Options, State, Stats } from "./types.js";
import { canonical, describe } from "./element.js";
import { forms } from "./forms.js";
import { type Hearing, hearing } from "./hearing.js";
import { idBytes } from "./bytes.js";
import { looking } from "./looking.js";
import { VERSION } from "./naming.js";
import { showOverlay, takeTicket } from "./overlay.js";
import { opened, persist } from "./persist.js";
import { onRoute } from "./routes.js";
import { randomName, visitor } from "./visit.js";
import { transport } from "./transport.js";

/** A page that is routed to is read this long afterwards, when its title and size are its own, ms. */
const ROUTE_SETTLE = 50;
/** The longest a timer is set to, ms. */
const TIMER_MAX = 600_000;
const encoder = new TextEncoder();
// In the order of `Transport` in sdk/src/uplink.rs.
const STATES: State[] = ["starting", "stream", "http", "offline", "stopped", "forbidden"];

/** What the page's own part calls. */
export interface Core {
  /** An event of the page; `facts`: what was true when it was told, for one told earlier. */
  hear(event: Event, facts?: Facts): void;
  /** A call of the site, made at this time of the page's clock. */
  call(name: string, at: number, args: unknown[]): void;
  stats(): Stats;
}

/** What the parts of the core ask of each other. Times `at` are of the page's clock. */
export interface Shell {
  recorder: wasm.Recorder;
  /** Takes an input of that time; it goes on its way with the next {@link Shell.settle}. */
  step(kind: number, at: number, ...numbers: number[]): number;
  /** Does what is due; `news`: the figures may have changed besides. */
  settle(news?: boolean): void;
  /** Sets the timer to what is due next, unless it is set to a time up to `enough` (of the page's
   * clock) anyway: all that a movement needs. */
  arm(enough: number): void;
  /** Somebody is there: the visit goes on, or another begins. Before what they do; `moved`: they only
   * moved a pointer. */
  alive(at: number, moved?: boolean): void;
  /** Names an element for the next input, describing it if it is new. */
  name(element: Element, box?: DOMRect, interactive?: boolean): void;
  /** Hands bytes over. */
  give(bytes: ArrayLike<number>): void;
  /** The page came back (2), or the site says that this is another (1). */
  view(at: number, navigation: number): void;
  /** The page is put away, or back: what it keeps is, or is not, for others to send. */
  held(here: boolean): void;
  /** The visitor pays for bytes, or asked for few: tell less. */
  thin: boolean;
  entry: Entry;
  options: Options;
}

/** Starts recording, as soon as it may; `at`: when the site asked for it. Undefined when nothing is to
 * be recorded here, null when the options are wrong. */
export function start(options: Options, at: number, entry: Entry): Core | undefined | null {
  const endpoint = check(options);
  if (!endpoint) return null;
  const { queryParams = [] } = options;
  const landed = address(queryParams);
  const path = () => address(queryParams).path;
  const ticket = takeTicket();
  if (ticket) {
    showOverlay(endpoint, ticket, path).catch((e) => complain(`the overlay did not load: ${e}`));
    return undefined;
  }
  const [core, routed] = gate(options, entry, at, path, async (since, answer, gone) => {
    // Without consent to it nothing is stored.
    const database = answer !== COOKIELESS ? opened() : undefined;
    database?.catch(() => {});
    const loaded = await wasm.load(options.wasm);
    if (options.debug || /[?&#]upriver-debug\b/.test(location.href)) {
      const { watch } = await import("./debug.js");
      const plain = { ...loaded };
      loaded.recorder = watch(plain, () => STATES[plain.recorder(Kind.TRANSPORT)]!);
    }
    return gone() ? undefined : run({ loaded, database, options, endpoint, landed, pathNow: path, entry, since, answer });
  });
  onRoute(routed);
  return core;
}

/** What a recorder is made for. */
interface Made {
  loaded: wasm.Loaded;
  database: Promise<IDBDatabase> | undefined;
  options: Options;
  endpoint: string;
  /** The address the page was loaded with. */
  landed: ReturnType<typeof address>;
  pathNow(): string;
  entry: Entry;
  since: number;
  answer: number;
}

function run({ loaded, database, options, endpoint, landed, pathNow, entry, since, answer }: Made): Running {
  // Unix time of the page's clock 0. Taken once: the clock must not jump with the system's.
  const origin = Math.max(Date.now() - performance.now(), 0);
  let resting = false;
  let ended = false;
  // Whatever still runs when recording has ended talks to nobody.
  const recorder: wasm.Recorder = (...all) => (ended ? 0 : loaded.recorder(...all));
  const give = (bytes: ArrayLike<number>) => wasm.give(loaded, bytes);
  const visiting = visitor(landed.campaign, origin + since, answer !== COOKIELESS);
  const way = transport(endpoint, options.key, (kind, bytes, ...numbers) => {
    if (ended) return;
    const rest = ways.signals(bytes);
    give(rest);
    // A frame that was a signal and nothing else is no answer to a batch.
    if (rest.length || kind !== Kind.FRAME) step(kind, performance.now(), ...numbers);
    settle(true);
  });
  const stream = randomName(16);
  let lost = 0;
  const kept = persist(database, options.key, stream, {
    ahead: () => origin + performance.now() - Date.now(),
    adopt(bytes, number, later) {
      give(bytes);
      return recorder(Kind.ADOPT, later, number);
    },
    settle: () => settle(),
    lost: (events) => (lost += events),
  });
  const thin = !!(navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
  let { path } = landed;
  let routed: number | undefined;
  let timer = 0;
  let timerDue = Infinity;
  let told = "";
  let ways: Calls;
  let heard: Hearing;

  const step = (kind: number, when: number, ...numbers: number[]) => recorder(kind, origin + when, ...numbers);

  function name(element: Element, box?: DOMRect, interactive?: boolean): void {
    const selector = canonical(element);
    give(encoder.encode(VERSION + selector));
    if (recorder(Kind.NAME)) return;
    give(describe(element, selector, box, interactive).all);
    recorder(Kind.DESCRIBE);
  }

  function settle(news?: boolean): void {
    if (ended) return;
    settleRoute(false);
    heard.look(performance.now());
    for (let command; (command = recorder(Kind.NEXT, origin + performance.now())); ) {
      if (command === 1) way.open();
      else if (command === 2) way.close();
      else if (command === 3) way.send(wasm.taken(loaded));
      else if (command === 6) kept.keep(recorder(Kind.NUMBER), wasm.taken(loaded));
      else if (command === 7) kept.forget(recorder(Kind.NUMBER));
      else way.post(recorder(Kind.NUMBER), wasm.taken(loaded), command === 5);
      news = true;
    }
    arm();
    // Most of what happens on a page changes none of these figures.
    if (!news) return;
    const { recorded, ...rest } = stats();
    const now = Object.values(rest).join();
    // Told once all this is done: what the site does then may call in here.
    if (told !== now) queueMicrotask(() => ways.changed());
    told = now;
  }

  // Sets the one timer to when something is due next.
  function arm(enough = 0): void {
    if (timerDue <= enough) return;
    // What is seen is seen of the page that was routed to, once that is told.
    const next = routed === undefined ? seeing.due() : routed + ROUTE_SETTLE;
    const due = Math.min(recorder(Kind.DUE) - origin, next);
    // One that comes too early sets the next.
    if (due >= timerDue) return;
    timerDue = due;
    clearTimeout(timer);
    const wait = Math.min(Math.max(due - performance.now(), 0), TIMER_MAX);
    timer = setTimeout(() => {
      timerDue = Infinity;
      settleRoute(false);
      if (routed === undefined) seeing.look();
      settle();
    }, wait + 1);
  }

  // Nobody's doing keeps a visit alive any more.
  function rest(): void {
    resting = true;
    seeing.end();
  }

  function alive(when: number, moved?: boolean): void {
    if (resting) return;
    settleRoute(!moved);
    if (visiting.alive(origin + when)) visit(when);
  }

  // Tells of the visit, before the page it begins on.
  function visit(when: number): void {
    const { session, campaign } = visiting.visit();
    give([...idBytes(session), ...campaignBytes(campaign)]);
    step(Kind.SESSION, when);
  }

  function show(when: number, navigation: number, to = pathNow()): void {
    path = to;
    filling.left(when);
    const [bytes, parts] = view(navigation, path, options.release);
    give(bytes);
    step(Kind.VIEW, when, scrollX, scrollY, parts, parts / 2 ** 32);
    seeing.begin();
  }

  // Records the page that was routed to, once it has settled or (`now`) before what follows.
  function settleRoute(now: boolean): void {
    const when = routed;
    if (when === undefined || !(now || performance.now() >= when + ROUTE_SETTLE)) return;
    routed = undefined;
    alive(when);
    show(when, 1);
  }

  function stats(): Stats {
    return {
      recorded: recorder(Kind.RECORDED),
      acked: recorder(Kind.RECORDED + 1),
      dropped: recorder(Kind.RECORDED + 2) + lost,
      refused: recorder(Kind.RECORDED + 3),
      transport: STATES[recorder(Kind.TRANSPORT)]!,
    };
  }

  give([...idBytes(stream), ...idBytes(visiting.name), ...idBytes(randomName(8))]);
  recorder(Kind.TICK);
  if (thin) recorder(Kind.THIN);
  visit(since);
  const { rage = [], thrash = [], dead } = options;
  step(Kind.LIMITS, since, rage[0]!, rage[1]!, rage[2]!, dead!, thrash[0]!, thrash[1]!, thrash[2]!);
  const shell: Shell = {
    recorder,
    step,
    settle,
    arm,
    give,
    held: kept.held,
    thin,
    entry,
    options,
    alive,
    name,
    view(when, navigation) {
      routed = undefined;
      alive(when);
      show(when, navigation);
    },
  };
  ways = calls(shell, stats, rest);
  const filling = forms(shell);
  const seeing = looking(shell, filling);
  heard = hearing(shell, filling, seeing);
  if (answer) {
    give([answer - AGREED]);
    step(Kind.CONSENT, since);
  }
  step(Kind.SHOWN, since, +!entry.hidden);
  seeing.since(entry.hidden ? Infinity : since);
  show(since, 0, path);
  settle();
  return {
    hear: heard.hear,
    call: ways.call,
    stats,
    routed(then) {
      if (then) {
        alive(then.at);
        show(then.at, 1, then.path);
      } else if (routed === undefined && pathNow() !== path) {
        routed = performance.now();
        arm();
      }
    },
    end() {
      rest();
      way.close();
      kept.end();
      clearTimeout(timer);
      recorder(Kind.DROP);
      ended = true;
      ways.end();
    },
  };
}

