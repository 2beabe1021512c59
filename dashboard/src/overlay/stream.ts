// The overlay's connection: the heat map of one page, over the line that the dashboard has too.
//
// Owns: which address is listened to, and the ticket that everything asked for carries. Refuses to
// know: how a connection is kept and gone on with (subscribe.ts), where elements are, what is drawn.
// A ticket opens connections for a moment only. What it has opened stays open; after a later cut the
// answer is no, and the line goes on from what is held once it is given another ticket.

import { liveUrl } from "../api";
import { mergeHeat, type Held } from "../merge";
import { browser, type Outside, type Stream, type StreamEvents } from "../outside";
import { Line, type Subscription } from "../subscribe";
import type { Link } from "../watched";

export type HeatHeld = Held["heatmap"];

export class HeatStream {
  held: HeatHeld | undefined;
  link: Link = { kind: "connecting" };
  #line: Line;
  #subscription: Subscription | undefined;

  /** `changed` is called with every change of `held` or `link`. */
  constructor(endpoint: string, private ticket: string, readonly changed: () => void) {
    const address = (url: string): string =>
      `${endpoint}${url}${url.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(this.ticket)}`;
    const open = (way: "websocket" | "eventStream") => (url: string, events: StreamEvents): Stream => {
      try {
        return browser[way](address(url), events);
      } catch {
        // The shop's own policy may forbid the connection; that is thrown, not reported by an event.
        queueMicrotask(events.closed);
        return { send: () => undefined, close: () => undefined };
      }
    };
    const outside: Outside = {
      ...browser, websocket: open("websocket"), eventStream: open("eventStream"), get: (url) => browser.get(address(url)), passExpires: true,
    };
    this.#line = new Line(outside, mergeHeat);
  }

  /** Leaves the subscription there is and opens another one. */
  open(params: Record<string, string | undefined>): void {
    this.close();
    this.held = undefined;
    this.#subscription = this.#line.subscribe("heatmap", liveUrl("heatmap", params), {
      data: (held) => { this.held = held; this.changed(); },
      link: (link) => { this.link = link; this.changed(); },
    });
  }

  /** Takes another ticket, and goes on with it where the one before has ended. */
  renew(ticket: string): void {
    this.ticket = ticket;
    if (this.link.kind === "live") return;
    this.#line.anew();
    this.#subscription?.retry();
  }

  close(): void {
    this.#subscription?.close();
    this.#subscription = undefined;
  }
}
