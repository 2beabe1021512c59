// The overlay's one connection: the heat map of one page, with a ticket in the address.
//
// Owns: the WebSocket, the server-sent events where WebSocket cannot get through, and what they have
// brought. Refuses to know: where elements are, what is drawn. A ticket is good for a moment only,
// so a lost connection is not made again in secret: the overlay says so, and goes on when it is
// given another ticket.

import { liveUrl, type HeatMap } from "../api";
import { merge, type Held } from "../merge";
import { parse } from "../message";
import { browser, type Stream } from "../outside";

export type HeatHeld = Held["heatmap"];

export class HeatStream {
  held: HeatHeld | undefined;
  live = false;
  #stream: Stream | undefined;
  /** How the last snapshot came. */
  #via: "websocket" | "eventStream" = "websocket";

  constructor(
    readonly endpoint: string,
    readonly changed: () => void,
    readonly lost: () => void,
  ) {}

  /** Leaves the subscription there is and opens another one. */
  open(params: Record<string, string | undefined>): void {
    this.close();
    this.#connect(liveUrl("heatmap", params, this.endpoint), this.#via);
  }

  /** Leaves without a word to `lost`. */
  close(): void {
    this.live = false;
    this.#stream?.close();
    this.#stream = undefined;
  }

  #connect(url: string, via: "websocket" | "eventStream"): void {
    const message = (text: string): void => {
      const update = parse<HeatMap>(text);
      if (!update || (update.type === "delta" && !this.live)) return;
      this.held = merge("heatmap", this.held, update);
      this.live = true;
      this.#via = via;
      this.changed();
    };
    const closed = (): void => {
      const brought = this.live;
      this.live = false;
      this.#stream = undefined;
      this.#via = "websocket";
      if (brought || via === "eventStream") this.lost();
      else this.#connect(url, "eventStream");
    };
    try {
      this.#stream = browser[via](url, { opened: () => undefined, message, closed });
    } catch {
      // The shop's own policy may forbid the connection; that is thrown, not reported by an event.
      queueMicrotask(this.lost);
    }
  }
}
