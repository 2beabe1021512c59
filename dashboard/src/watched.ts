// One live resource as the page holds it, and how true that is right now.
//
// Owns: what is held, since when it counts, and the check of a silence that may be a broken line.
// Refuses to know: connections (subscribe.ts), what messages mean beyond merge.ts.

import { Refusal, type ResourceName, type Resources, type Update } from "./api";
import type { Held, Merge } from "./merge";
import type { Outside } from "./outside";

/** How a subscription stands. Times are Unix milliseconds. */
export type Link =
  | { kind: "connecting" }
  | { kind: "live"; via: "websocket" | "events" }
  /** Not connected. What is shown was last known to be true at `asOfMs`; undefined: nothing is shown yet. */
  | { kind: "lost"; asOfMs: number | undefined }
  /** The collector says no, and asking again will not help. */
  | { kind: "refused"; status: number; message: string };

/** Silence after which a plain request checks that the stream still speaks the truth. */
export const SILENCE_MS_MAX = 60_000;
/** Time a stream has to bring what a plain request has brought already. */
export const CATCH_UP_MS_MAX = 5_000;

/** Cursors are much shorter; a longer one is no cursor. */
const CURSOR_CHARS_MAX = 128;

export interface Listener<N extends ResourceName> {
  data(held: Held[N]): void;
  link(link: Link): void;
}

/** Whether asking again would help. */
export const isFinal = (status: number): boolean => status >= 400 && status < 500 && status !== 429;

/** Whether whoever asks may not see it, and may see other things. */
export const isForbidden = (link: Link): boolean => link.kind === "refused" && link.status === 403;

export class Watched<N extends ResourceName = ResourceName> {
  link: Link = { kind: "connecting" };
  /** Times in a row it was told to come back later. */
  putOff = 0;
  /** Runs while it is to come back later. */
  timer: ReturnType<typeof setTimeout> | undefined;
  #held: Held[N] | undefined;
  #seq = -1;
  /** What is held, as the collector says it; undefined: there is nothing to go on from. */
  #cursor: string | undefined;
  #asOfMs: number | undefined;
  #closed = false;
  #silence: ReturnType<typeof setTimeout> | undefined;

  /** `hangs` is called when the stream does not bring what there is. */
  constructor(
    readonly name: N,
    readonly url: string,
    readonly on: Listener<N>,
    readonly outside: Outside,
    readonly merge: Merge,
    readonly hangs: () => void,
  ) {
    on.link(this.link);
  }

  /** Whether a connection should bring it. */
  get wanted(): boolean {
    return this.link.kind !== "refused" && this.timer === undefined;
  }

  /** Whether a stream can go on from what is held, and so may have nothing to bring at first. */
  get resumes(): boolean {
    return this.#cursor !== undefined;
  }

  /** Where a stream gets it from: what changed since what is held, where that is possible. */
  get address(): string {
    if (this.#cursor === undefined) return this.url;
    return `${this.url}${this.url.includes("?") ? "&" : "?"}after=${encodeURIComponent(this.#cursor)}`;
  }

  /** Takes what a stream brought. What is older than what is held came on another one before. */
  live(update: Update<unknown>, via: "websocket" | "events"): void {
    this.putOff = 0;
    this.#take(update);
    this.#say({ kind: "live", via });
    this.#watch();
  }

  /** A stream goes on from what is held: whatever has changed since is on its way. */
  resumed(via: "websocket" | "events"): void {
    this.putOff = 0;
    this.#asOfMs = this.outside.now();
    this.#say({ kind: "live", via });
    this.#watch();
  }

  connecting(): void {
    this.#still();
    this.#say({ kind: "connecting" });
  }

  /** It was true until `untilMs`, where that is known, or else when it came. */
  lost(untilMs?: number): void {
    this.#still();
    if (this.#asOfMs !== undefined && untilMs !== undefined) this.#asOfMs = Math.max(this.#asOfMs, untilMs);
    this.#say({ kind: "lost", asOfMs: this.#asOfMs });
  }

  refused(status: number, message: string): void {
    this.#still();
    this.#say({ kind: "refused", status, message });
  }

  /** Says nothing more. */
  close(): void {
    this.#still();
    clearTimeout(this.timer);
    this.#closed = true;
  }

  /**
   * Asks by a plain request while no stream brings it. That shows numbers that are not older than
   * need be, and tells what a failed stream does not: that the answer is no. Only what changed is
   * asked for, where that is possible. True: it was answered.
   */
  async ask(): Promise<boolean> {
    try {
      const updates = this.resumes
        ? (await this.outside.get<{ updates: Update<unknown>[] }>(`${this.address}&wait=0`)).updates
        : [await this.outside.get<Update<unknown>>(this.url)];
      if (this.link.kind !== "lost") return true;
      for (const update of updates) this.#take(update);
      this.lost(this.outside.now());
      return true;
    } catch (error) {
      const final = error instanceof Refusal && isFinal(error.status);
      if (final && this.link.kind === "lost") this.refused(error.status, error.message);
      return false;
    }
  }

  #take(update: Update<unknown>): void {
    if (this.#closed || (update.type === "delta" && update.seq <= this.#seq)) return;
    this.#seq = update.seq;
    const { cursor } = update;
    this.#cursor = typeof cursor === "string" && cursor.length <= CURSOR_CHARS_MAX ? cursor : undefined;
    this.#asOfMs = this.outside.now();
    this.#held = this.merge(this.name, this.#held, update as Update<Resources[N]>);
    this.on.data(this.#held);
  }

  #say(link: Link): void {
    this.link = link;
    if (!this.#closed) this.on.link(link);
  }

  #still(): void {
    clearTimeout(this.#silence);
  }

  // A line that says nothing may bring nothing when it is made again either: it has to prove itself by
  // bringing all of it.
  #hang(): void {
    this.#cursor = undefined;
    this.hangs();
  }

  #watch(): void {
    this.#after(SILENCE_MS_MAX * (0.9 + 0.2 * this.outside.random()), () => {
      const seen = this.#seq;
      const silent = (): boolean => !this.#closed && this.link.kind === "live" && this.#seq === seen;
      this.outside.get<Update<unknown>>(this.url).then((update) => {
        if (!silent()) return;
        if (update.seq <= seen) {
          // Nothing new on either way: the silence is true.
          this.#asOfMs = this.outside.now();
          return this.#watch();
        }
        // Something new that the stream has not brought: on its way, or the stream hangs as a
        // half-open connection does.
        this.#after(CATCH_UP_MS_MAX, () => { if (silent()) this.#hang(); });
      }, (error) => {
        if (!silent()) return;
        // A pass that is good for opening something says nothing, once it is old, of what it has opened.
        if (this.outside.passExpires && error instanceof Refusal && error.status === 401) return this.#watch();
        this.hangs();
      });
    });
  }

  #after(ms: number, then: () => void): void {
    this.#still();
    this.#silence = setTimeout(then, ms);
  }
}

/** The worst of several links is how the page stands as a whole. */
export function worst(links: Link[]): Link {
  // What this access may not see says so where it would stand, and makes nothing else less true.
  if (links.some((link) => !isForbidden(link))) links = links.filter((link) => !isForbidden(link));
  const refused = links.find((link) => link.kind === "refused");
  if (refused) return refused;
  const lost = links.filter((link) => link.kind === "lost");
  if (lost.length > 0) {
    const times = lost.map((link) => link.asOfMs).filter((time) => time !== undefined);
    return { kind: "lost", asOfMs: times.length > 0 ? Math.min(...times) : undefined };
  }
  return links.find((link) => link.kind === "connecting") ?? links[0] ?? { kind: "connecting" };
}
