// What a live connection needs of the world: streams, plain requests, the time, chance.
//
// Owns: WebSocket and EventSource, told in one way. Refuses to know: what is said on them, and when
// to try again. Tests put another world in its place and drive it with a fake clock.

import { request } from "./api";

export interface Stream {
  /** To a WebSocket that is open; server-sent events have no way up. */
  send(text: string): void;
  close(): void;
}

export interface StreamEvents {
  /** The other side has answered. To a WebSocket something can be sent from now on. */
  opened(): void;
  message(text: string): void;
  /** Called at most once, also where the stream never opened. */
  closed(): void;
}

/** The world. Addresses are paths on this origin; times are Unix milliseconds. */
export interface Outside {
  websocket(url: string, events: StreamEvents): Stream;
  eventStream(url: string, events: StreamEvents): Stream;
  get<T>(url: string): Promise<T>;
  /** Whether what lets it in is good for a moment only. */
  passExpires?: boolean;
  now(): number;
  random(): number;
}

/** The names under which the collector sends what it has to say. */
const EVENT_NAMES = ["snapshot", "delta", "refused"];

/** The browser. */
export const browser: Outside = {
  websocket: (url, events) => {
    const address = new URL(url, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.onopen = () => events.opened();
    socket.onmessage = (event) => { if (typeof event.data === "string") events.message(event.data); };
    socket.onclose = () => events.closed();
    // While it closes, before that is told, nobody hears what is said.
    const send = (text: string): void => { if (socket.readyState === WebSocket.OPEN) socket.send(text); };
    return { send, close: () => hangUp(socket) };
  },
  eventStream: (url, events) => {
    const source = new EventSource(url);
    let open = true;
    source.onopen = () => { if (open) events.opened(); };
    const close = (): void => { open = false; source.close(); };
    // EventSource would try again by itself, without back-off and without telling how old data is.
    source.onerror = () => { if (open) { close(); events.closed(); } };
    for (const name of EVENT_NAMES) {
      source.addEventListener(name, (event) => { if (open) events.message((event as MessageEvent<string>).data); });
    }
    return { send: () => undefined, close };
  },
  get: (url) => request(url),
  now: () => Date.now(),
  random: () => Math.random(),
};

/** Leaves a socket for good, and without the complaint browsers print when it is not open yet. */
export function hangUp(socket: WebSocket): void {
  socket.onmessage = null;
  socket.onclose = null;
  if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
  else socket.close();
}
