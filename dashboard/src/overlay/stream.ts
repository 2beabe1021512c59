// The overlay's one connection: the heat map of one page, with a ticket in the address.
//
// Owns: the WebSocket and what it has brought. Refuses to know: where elements are, what is drawn.
// A ticket connects once per subscription, so a lost connection is not made again in secret: the
// overlay says so, and goes on when it is given another ticket.

import { liveUrl, type HeatMap } from "../api";
import { merge, type Held } from "../merge";
import { hangUp, parse } from "../subscribe";

export type HeatHeld = Held["heatmap"];

export class HeatStream {
  held: HeatHeld | undefined;
  live = false;
  #socket: WebSocket | undefined;

  constructor(
    readonly endpoint: string,
    readonly changed: () => void,
    readonly lost: () => void,
  ) {}

  /** Leaves the subscription there is and opens another one. */
  open(params: Record<string, string | undefined>): void {
    this.close();
    const address = new URL(liveUrl("heatmap", params, this.endpoint));
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    let socket: WebSocket;
    try {
      socket = new WebSocket(address);
    } catch {
      // The shop's own policy may forbid the connection; that is thrown, not reported by an event.
      queueMicrotask(this.lost);
      return;
    }
    this.#socket = socket;
    socket.onmessage = (event) => {
      const update = typeof event.data === "string" ? parse<HeatMap>(event.data) : undefined;
      if (!update || (update.type === "delta" && !this.live)) return;
      this.held = merge("heatmap", this.held, update);
      this.live = true;
      this.changed();
    };
    socket.onclose = () => {
      this.live = false;
      this.#socket = undefined;
      this.lost();
    };
  }

  /** Leaves without a word to `lost`. */
  close(): void {
    this.live = false;
    if (!this.#socket) return;
    hangUp(this.#socket);
    this.#socket = undefined;
  }
}
