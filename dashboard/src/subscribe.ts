// A page's one live connection, shared by all its subscriptions: the dashboard's, and the overlay's on a site's own page.
//
// Owns: a WebSocket, then server-sent events where WebSocket cannot get through; who is served by
// it; reconnecting with back-off and jitter, and going on from what is held. Refuses to know:
// components, and what the resources hold (watched.ts). Whatever touches the outside comes in as
// `Outside`.

import type { ResourceName } from "./api";
import type { Merge } from "./merge";
import { parseTagged } from "./message";
import type { Outside, Stream } from "./outside";
import { isFinal, Watched, type Listener } from "./watched";

export const RETRY_FIRST_MS = 500;
export const RETRY_MAX_MS = 15_000;
/** WebSocket failures, while plain requests get through, after which server-sent events are used. */
export const WEBSOCKET_FAILURES_MAX = 2;
/** A connection that has not brought a first answer on everything asked for by then has failed. */
export const CONNECT_MS_MAX = 10_000;
/** Views come and go together: what a stream of events is to bring is settled after this pause. */
export const SETTLE_MS = 50;

/** The address that brings many resources on one connection. */
const LIVE_URL = "/v1/live";

export interface Subscription {
  close(): void;
  /** Connects at once instead of at the end of the back-off. */
  retry(): void;
}

/** A stream, and whom it serves. */
interface Carrier {
  via: "websocket" | "events";
  stream: Stream | undefined;
  /** Something can be asked for on it. */
  ready: boolean;
  /** When it last said something; undefined: never. */
  heardMs: number | undefined;
  /** By the number or the address that they were asked for by. */
  tags: Map<number | string, Watched[]>;
  /** Asked for, and not answered yet. */
  awaited: Set<Watched>;
  /** Had their snapshot from it, or go on from what they hold. Else a delta would change numbers that are not there. */
  served: Set<Watched>;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** The connection. It is there while something is subscribed to. */
export class Line {
  #watched = new Set<Watched>();
  #current: Carrier | undefined;
  /** Server-sent events cannot be asked for more: another stream takes over when it has brought all. */
  #next: Carrier | undefined;
  /** Between a connection that was lost and the next one. */
  #waiting = false;
  /** Connections in a row that brought nothing: the exponent of the back-off. */
  #attempt = 0;
  /** WebSocket failures while plain requests got through. */
  #websocketFailures = 0;
  #lastId = 0;
  /** What began before the connection was dropped finds another number here and does nothing. */
  #generation = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #settleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly outside: Outside, readonly merge: Merge) {}

  /** Subscribes to `url`, a path on this origin. `on` is called with every change. */
  subscribe<N extends ResourceName>(name: N, url: string, on: Listener<N>): Subscription {
    const watched = new Watched(name, url, on, this.outside, this.merge, () => this.#lose()) as unknown as Watched;
    this.#watched.add(watched);
    if (this.#waiting) watched.lost();
    this.#join(watched);
    return { close: () => this.#leave(watched), retry: () => this.#retry(watched) };
  }

  /** Leaves the connection there is; what is wanted is asked for on another one, at once. */
  anew(): void {
    this.#attempt = 0;
    this.#drop();
    if (this.#wanted().length > 0) this.#connect();
  }

  #wanted(): Watched[] {
    return [...this.#watched].filter((watched) => watched.wanted);
  }

  #join(watched: Watched): void {
    if (this.#waiting) return;
    const carrier = this.#current;
    if (!carrier) this.#connect();
    else if (carrier.via === "events") this.#changed();
    else if (carrier.ready) this.#ask(carrier, watched);
  }

  #leave(watched: Watched): void {
    watched.close();
    this.#watched.delete(watched);
    for (const carrier of [this.#current, this.#next]) {
      if (!carrier) continue;
      for (const [tag, by] of carrier.tags) {
        if (!by.includes(watched)) continue;
        if (by.length > 1) {
          carrier.tags.set(tag, by.filter((other) => other !== watched));
        } else {
          carrier.tags.delete(tag);
          if (carrier.via === "websocket") carrier.stream?.send(JSON.stringify({ unsubscribe: tag }));
        }
      }
      carrier.served.delete(watched);
      carrier.awaited.delete(watched);
      this.#progress(carrier);
    }
    this.#changed();
  }

  #retry(watched: Watched): void {
    if (!this.#watched.has(watched)) return;
    const stood = watched.wanted;
    clearTimeout(watched.timer);
    watched.timer = undefined;
    if (!stood) watched.connecting();
    if (this.#waiting) {
      this.#attempt = 0;
      this.#connect();
    } else if (!stood) {
      this.#join(watched);
    }
  }

  #changed(): void {
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => {
      const wanted = this.#wanted();
      if (wanted.length === 0) return this.#drop();
      const carrier = this.#next ?? this.#current;
      if (carrier?.via !== "events") return;
      const asked = new Set([...carrier.tags.values()].flat());
      if (wanted.length === asked.size && wanted.every((watched) => asked.has(watched))) return;
      if (this.#next) this.#hangUp(this.#next);
      this.#next = this.#open("events");
    }, SETTLE_MS);
  }

  #connect(): void {
    this.#drop();
    this.#current = this.#open(this.#websocketFailures < WEBSOCKET_FAILURES_MAX ? "websocket" : "events");
  }

  #open(via: Carrier["via"]): Carrier {
    const carrier: Carrier = {
      via, stream: undefined, ready: false, heardMs: undefined, tags: new Map(), awaited: new Set(), served: new Set(), timer: undefined,
    };
    const mine = (): boolean => carrier === this.#current || carrier === this.#next;
    const resuming: Watched[] = [];
    const events = {
      opened: (): void => {
        if (!mine()) return;
        carrier.ready = true;
        if (via === "websocket") for (const watched of this.#wanted()) this.#ask(carrier, watched);
        else for (const watched of resuming) this.#resume(carrier, watched);
        this.#progress(carrier);
      },
      message: (text: string): void => { if (mine()) this.#hear(carrier, text); },
      closed: (): void => { if (mine()) this.#lose(carrier); },
    };
    if (via === "websocket") {
      carrier.stream = this.outside.websocket(LIVE_URL, events);
    } else {
      carrier.ready = true;
      const query = new URLSearchParams();
      for (const watched of this.#wanted()) {
        const { address } = watched;
        const by = carrier.tags.get(address);
        if (!by) query.append("watch", address);
        carrier.tags.set(address, [...(by ?? []), watched]);
        carrier.awaited.add(watched);
        if (watched.resumes) resuming.push(watched);
      }
      carrier.stream = this.outside.eventStream(`${LIVE_URL}?${query}`, events);
    }
    this.#expect(carrier);
    return carrier;
  }

  #ask(carrier: Carrier, watched: Watched): void {
    const id = (this.#lastId += 1);
    carrier.tags.set(id, [watched]);
    carrier.stream?.send(JSON.stringify({ subscribe: { id, url: watched.address } }));
    if (watched.resumes) this.#resume(carrier, watched);
    else carrier.awaited.add(watched);
    this.#expect(carrier);
  }

  /** Nothing need come: where nothing has changed since, there is nothing to say. */
  #resume(carrier: Carrier, watched: Watched): void {
    if (!watched.wanted || !this.#watched.has(watched)) return;
    carrier.awaited.delete(watched);
    carrier.served.add(watched);
    watched.resumed(carrier.via);
  }

  #hear(carrier: Carrier, text: string): void {
    const said = parseTagged(text);
    if (!said) return;
    carrier.heardMs = this.outside.now();
    for (const watched of carrier.tags.get(said.tag) ?? []) {
      if ("error" in said) {
        this.#refused(carrier, watched, said.tag, said.error);
        continue;
      }
      if (!carrier.served.has(watched) && said.update.type !== "snapshot") continue;
      carrier.served.add(watched);
      carrier.awaited.delete(watched);
      // What the stream that takes over has brought is newer.
      if (carrier === this.#current && this.#next?.served.has(watched)) continue;
      this.#attempt = 0;
      if (carrier.via === "websocket") this.#websocketFailures = 0;
      watched.live(said.update, carrier.via);
    }
    this.#progress(carrier);
  }

  #refused(carrier: Carrier, watched: Watched, tag: number | string, error: { status: number; message: string }): void {
    carrier.awaited.delete(watched);
    carrier.tags.delete(tag);
    if (isFinal(error.status)) {
      watched.refused(error.status, error.message);
    } else {
      watched.lost();
      watched.timer = setTimeout(() => {
        watched.timer = undefined;
        this.#join(watched);
      }, this.#pause(watched.putOff));
      watched.putOff += 1;
    }
    this.#changed();
  }

  /** Something was answered or is no longer asked for. */
  #progress(carrier: Carrier): void {
    this.#expect(carrier);
    if (carrier !== this.#next || carrier.awaited.size > 0) return;
    if (this.#current) this.#hangUp(this.#current);
    this.#current = carrier;
    this.#next = undefined;
  }

  #expect(carrier: Carrier): void {
    clearTimeout(carrier.timer);
    if (carrier.ready && carrier.awaited.size === 0) return;
    carrier.timer = setTimeout(() => this.#lose(carrier), CONNECT_MS_MAX);
  }

  #hangUp(carrier: Carrier): void {
    clearTimeout(carrier.timer);
    carrier.stream?.close();
  }

  #drop(): void {
    this.#generation += 1;
    this.#waiting = false;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#settleTimer);
    for (const carrier of [this.#current, this.#next]) if (carrier) this.#hangUp(carrier);
    this.#current = this.#next = undefined;
  }

  // A connection that served is made again, and goes on from what is held. One that never did does not
  // say why. Plain requests do: no login, nobody there, or only the WebSocket kept out by something in
  // between.
  #lose(carrier = this.#current): void {
    const failed = !carrier || carrier.served.size === 0;
    const websocketFailed = carrier?.via === "websocket" && carrier.heardMs === undefined && (failed || carrier.awaited.size > 0);
    this.#drop();
    const mine = this.#generation;
    this.#waiting = true;
    const asked = this.#wanted();
    for (const watched of asked) watched.lost(carrier?.served.has(watched) ? carrier.heardMs : undefined);
    void Promise.all(failed ? asked.map((watched) => watched.ask()) : []).then((answered) => {
      if (mine !== this.#generation) return;
      if (websocketFailed && answered.includes(true)) this.#websocketFailures += 1;
      if (this.#wanted().length === 0) return this.#drop();
      this.#retryTimer = setTimeout(() => this.#connect(), this.#pause(this.#attempt));
      this.#attempt += 1;
    });
  }

  // Jitter: after a restart of the collector its subscribers do not come back in one burst.
  #pause(attempt: number): number {
    return RETRY_FIRST_MS / 2 + this.outside.random() * Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** attempt);
  }
}
