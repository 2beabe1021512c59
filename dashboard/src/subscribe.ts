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

/** Subscribes to `url`, a path on this origin. `data` and `link` are called with every change. */
export function subscribe<N extends ResourceName>(
  name: N,
  url: string,
  on: { data(held: Held[N]): void; link(link: Link): void },
  outside: Outside = browser,
): Subscription {
  let held: Held[N] | undefined;
  let seq = -1;
  let stream: Stream | undefined;
  let attempt = 0;
  let failures = 0;
  let asOfMs: number | undefined;
  let done = false;
  // Timer callbacks of an earlier attempt find another generation and do nothing.
  let generation = 0;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let watchTimer: ReturnType<typeof setTimeout> | undefined;

  const take = (update: Update<Resources[N]>): void => {
    seq = update.seq;
    asOfMs = outside.now();
    held = merge(name, held, update);
    on.data(held);
  };

  const drop = (): void => {
    generation += 1;
    clearTimeout(retryTimer);
    clearTimeout(watchTimer);
    stream?.close();
    stream = undefined;
  };

  const connect = (): void => {
    drop();
    const mine = generation;
    const via = failures < WEBSOCKET_FAILURES_MAX || eventStreams >= EVENT_STREAMS_MAX ? "websocket" : "events";
    let opened = false;
    const events: StreamEvents = {
      message: (text) => {
        if (mine !== generation) return;
        const update = parse<Resources[N]>(text);
        if (!update) return;
        if (!opened) {
          // A delta first means that the snapshot got lost; without one the numbers would be wrong.
          if (update.type !== "snapshot") return;
          opened = true;
          attempt = 0;
          if (via === "websocket") failures = 0;
        }
        take(update);
        on.link({ kind: "live", via });
        watch(mine);
      },
      closed: () => {
        if (mine === generation) lose(via === "websocket" && !opened);
      },
    };
    stream = via === "websocket" ? outside.websocket(url, events) : outside.eventStream(url, events);
    watchTimer = setTimeout(() => { if (mine === generation && !opened) lose(via === "websocket"); }, CONNECT_MS_MAX);
  };

  const lose = (websocketFailed: boolean): void => {
    drop();
    if (done) return;
    on.link({ kind: "lost", asOfMs });
    const mine = generation;
    // A failed handshake does not say why. A plain request does: no login, nobody there, or
    // only the WebSocket kept out by something in between.
    outside.get<Update<Resources[N]>>(url).then(
      (update) => {
        if (mine !== generation || done) return;
        if (websocketFailed) failures += 1;
        take(update);
        on.link({ kind: "lost", asOfMs });
        again(mine);
      },
      (error: unknown) => {
        if (mine !== generation || done) return;
        if (error instanceof Refusal && error.status >= 400 && error.status < 500 && error.status !== 429) {
          on.link({ kind: "refused", status: error.status, message: error.message });
        } else {
          again(mine);
        }
      },
    );
  };

  const again = (mine: number): void => {
    // Full jitter: after a restart of the collector its subscribers do not come back in one burst.
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** attempt);
    attempt += 1;
    retryTimer = setTimeout(() => { if (mine === generation && !done) connect(); },
      RETRY_FIRST_MS / 2 + outside.random() * ceiling);
  };

  const watch = (mine: number): void => {
    clearTimeout(watchTimer);
    watchTimer = setTimeout(() => {
      const seen = seq;
      outside.get<Update<Resources[N]>>(url).then(
        (update) => {
          if (mine !== generation || done || seq !== seen) return;
          // Nothing new on either way: the silence is true. Something new that the stream did not
          // bring: it hangs, as a half-open connection does.
          if (update.seq === seen) { asOfMs = outside.now(); watch(mine); } else lose(false);
        },
        () => { if (mine === generation && !done) lose(false); },
      );
    }, SILENCE_MS_MAX * (0.9 + 0.2 * outside.random()));
  };

  on.link({ kind: "connecting" });
  connect();
  return {
    close: () => { done = true; drop(); },
    retry: () => { if (!done && !stream) { attempt = 0; connect(); } },
  };
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

const browser: Outside = {
  websocket: (url, events) => {
    const address = new URL(url, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.onmessage = (event) => { if (typeof event.data === "string") events.message(event.data); };
    socket.onclose = () => events.closed();
    return { close: () => { socket.onclose = null; socket.onmessage = null; socket.close(); } };
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
