// One live subscription, kept alive and honest.
//
// Owns: WebSocket, then server-sent events where WebSocket cannot get through; reconnecting with
// back-off and jitter; knowing how old what is shown may be. Refuses to know: components, and what
// the messages mean beyond merge.ts. Whatever touches the outside comes in as `Outside`, so tests
// drive it with a fake clock.

import { Refusal, request, type ResourceName, type Resources, type Update } from "./api";
import { merge, type Held } from "./merge";

/** How a subscription stands. Times are Unix milliseconds. */
export type Link =
  | { kind: "connecting" }
  | { kind: "live"; via: "websocket" | "events" }
  /** Not connected. What is shown was last known to be true at `asOfMs`; undefined: nothing is shown yet. */
  | { kind: "lost"; asOfMs: number | undefined }
  /** The collector says no, and asking again will not help. */
  | { kind: "refused"; status: number; message: string };

export const RETRY_FIRST_MS = 500;
export const RETRY_MAX_MS = 15_000;
/** WebSocket failures, while plain requests get through, after which server-sent events are used. */
export const WEBSOCKET_FAILURES_MAX = 2;
/** A browser opens six HTTP/1.1 connections to a host; one must stay free for plain requests. */
export const EVENT_STREAMS_MAX = 5;
/** Silence after which a plain request checks that the stream still speaks the truth. */
export const SILENCE_MS_MAX = 60_000;
/** An attempt that has brought no snapshot by then has failed. */
export const CONNECT_MS_MAX = 10_000;

interface Stream {
  close(): void;
}

interface StreamEvents {
  message(text: string): void;
  /** Called at most once, also where the stream never opened. */
  closed(): void;
}

/** What a subscription needs of the world. */
export interface Outside {
  websocket(url: string, events: StreamEvents): Stream;
  eventStream(url: string, events: StreamEvents): Stream;
  get<T>(url: string): Promise<T>;
  now(): number;
  random(): number;
}

export interface Subscription {
  close(): void;
  /** Connects at once instead of at the end of the back-off. */
  retry(): void;
}

let eventStreams = 0;

interface Listener<N extends ResourceName> {
  data(held: Held[N]): void;
  link(link: Link): void;
}

/** Subscribes to `url`, a path on this origin. `on` is called with every change. */
export function subscribe<N extends ResourceName>(
  name: N,
  url: string,
  on: Listener<N>,
  outside: Outside = browser,
): Subscription {
  return new Running(name, url, on, outside);
}

class Running<N extends ResourceName> implements Subscription {
  #held: Held[N] | undefined;
  #seq = -1;
  #stream: Stream | undefined;
  /** Failed attempts since the last snapshot: the exponent of the back-off. */
  #attempt = 0;
  /** WebSocket failures while plain requests got through. */
  #websocketFailures = 0;
  #asOfMs: number | undefined;
  #done = false;
  /** Callbacks of an earlier attempt find another number here and do nothing. */
  #generation = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #watchTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly name: N,
    readonly url: string,
    readonly on: Listener<N>,
    readonly outside: Outside,
  ) {
    on.link({ kind: "connecting" });
    this.#connect();
  }

  close(): void {
    this.#done = true;
    this.#drop();
  }

  retry(): void {
    if (this.#done || this.#stream) return;
    this.#attempt = 0;
    this.#connect();
  }

  #connect(): void {
    this.#drop();
    const mine = this.#generation;
    const via = this.#websocketFailures < WEBSOCKET_FAILURES_MAX || eventStreams >= EVENT_STREAMS_MAX ? "websocket" : "events";
    let opened = false;
    const message = (text: string): void => {
      if (mine !== this.#generation) return;
      const update = parse<Resources[N]>(text);
      // A delta first means that the snapshot got lost; without one the numbers would be wrong.
      if (!update || (!opened && update.type !== "snapshot")) return;
      opened = true;
      this.#attempt = 0;
      if (via === "websocket") this.#websocketFailures = 0;
      this.#take(update);
      this.on.link({ kind: "live", via });
      this.#watch(mine);
    };
    const failed = (): void => { if (mine === this.#generation) this.#lose(via === "websocket" && !opened); };
    this.#stream = this.outside[via === "websocket" ? "websocket" : "eventStream"](this.url, { message, closed: failed });
    this.#watchTimer = setTimeout(failed, CONNECT_MS_MAX);
  }

  #take(update: Update<Resources[N]>): void {
    this.#seq = update.seq;
    this.#asOfMs = this.outside.now();
    this.#held = merge(this.name, this.#held, update);
    this.on.data(this.#held);
  }

  #drop(): void {
    this.#generation += 1;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#watchTimer);
    this.#stream?.close();
    this.#stream = undefined;
  }

  // A failed handshake does not say why. A plain request does: no login, nobody there, or only the
  // WebSocket kept out by something in between.
  #lose(websocketFailed: boolean): void {
    this.#drop();
    const mine = this.#generation;
    this.on.link({ kind: "lost", asOfMs: this.#asOfMs });
    this.#ask(mine, (update) => {
      if (websocketFailed) this.#websocketFailures += 1;
      this.#take(update);
      this.on.link({ kind: "lost", asOfMs: this.#asOfMs });
      this.#again(mine);
    }, (error) => {
      if (error instanceof Refusal && error.status >= 400 && error.status < 500 && error.status !== 429) {
        this.on.link({ kind: "refused", status: error.status, message: error.message });
      } else {
        this.#again(mine);
      }
    });
  }

  #again(mine: number): void {
    // Jitter: after a restart of the collector its subscribers do not come back in one burst.
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    this.#retryTimer = setTimeout(() => { if (mine === this.#generation) this.#connect(); },
      RETRY_FIRST_MS / 2 + this.outside.random() * ceiling);
  }

  #watch(mine: number): void {
    clearTimeout(this.#watchTimer);
    this.#watchTimer = setTimeout(() => {
      const seen = this.#seq;
      this.#ask(mine, (update) => {
        if (this.#seq !== seen) return;
        // Nothing new on either way: the silence is true. Something new that the stream did not
        // bring: it hangs, as a half-open connection does.
        if (update.seq !== seen) return this.#lose(false);
        this.#asOfMs = this.outside.now();
        this.#watch(mine);
      }, () => this.#lose(false));
    }, SILENCE_MS_MAX * (0.9 + 0.2 * this.outside.random()));
  }

  #ask(mine: number, answered: (update: Update<Resources[N]>) => void, failed: (error: unknown) => void): void {
    this.outside.get<Update<Resources[N]>>(this.url).then(
      (update) => { if (mine === this.#generation && !this.#done) answered(update); },
      (error: unknown) => { if (mine === this.#generation && !this.#done) failed(error); },
    );
  }
}

/** The worst of several links is how the page stands as a whole. */
export function worst(links: Link[]): Link {
  const refused = links.find((link) => link.kind === "refused");
  if (refused) return refused;
  const lost = links.filter((link) => link.kind === "lost");
  if (lost.length > 0) {
    const times = lost.map((link) => link.asOfMs).filter((time) => time !== undefined);
    return { kind: "lost", asOfMs: times.length > 0 ? Math.min(...times) : undefined };
  }
  return links.find((link) => link.kind === "connecting") ?? links[0] ?? { kind: "connecting" };
}

/** An `Update`, or nothing where the text is not one. */
export function parse<T>(text: string): Update<T> | undefined {
  try {
    const value = JSON.parse(text) as Partial<Update<T>> | null;
    const known = value && typeof value.seq === "number" && typeof value.data === "object" && value.data !== null
      && (value.type === "snapshot" || value.type === "delta");
    return known ? (value as Update<T>) : undefined;
  } catch {
    return undefined;
  }
}

/** Leaves a socket for good, and without the complaint browsers print when it is not open yet. */
export function hangUp(socket: WebSocket): void {
  socket.onmessage = null;
  socket.onclose = null;
  if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
  else socket.close();
}

const browser: Outside = {
  websocket: (url, events) => {
    const address = new URL(url, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.onmessage = (event) => { if (typeof event.data === "string") events.message(event.data); };
    socket.onclose = () => events.closed();
    return { close: () => hangUp(socket) };
  },
  eventStream: (url, events) => {
    const source = new EventSource(url);
    eventStreams += 1;
    let open = true;
    const close = (): void => {
      if (!open) return;
      open = false;
      eventStreams -= 1;
      source.close();
    };
    source.onmessage = (event: MessageEvent<string>) => events.message(event.data);
    // EventSource would try again by itself, without back-off and without telling how old data is.
    source.onerror = () => { if (open) { close(); events.closed(); } };
    for (const type of ["snapshot", "delta"]) {
      source.addEventListener(type, (event) => events.message((event as MessageEvent<string>).data));
    }
    return { close };
  },
  get: (url) => request(url),
  now: () => Date.now(),
  random: () => Math.random(),
};
