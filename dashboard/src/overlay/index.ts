// The heat map drawn on the real page. Loaded by the SDK in the shop's own page when its address
// asks for it, or never.
//
// Owns: when to look, when to draw, and what the parts tell each other. Refuses to know: cookies,
// logins, anything of the page but where its elements are. The page below stays usable.

import { HEAT_CHOICE, type HeatChoice } from "../api";
import { Anchors, find, reveal, type Anchor } from "./anchor";
import { Layer } from "./layer";
import { readSet, readShow, type OverlayState } from "./messages";
import { Panel } from "./panel";
import { HeatStream, type HeatHeld } from "./stream";
import { sheet } from "./style";

export interface OverlayOptions {
  /** Origin of the collector, `https://collect.example`. */
  endpoint: string;
  /** The pass from the page's address. */
  ticket: string;
  /** The page's path as the SDK reports it; default: the path without its query. */
  path?: () => string;
}

export interface Overlay {
  /** Removes everything from the page. */
  stop(): void;
}

/** Layout is checked this often for changes no event tells of, such as a banner that slides in. */
const CHECK_MS = 400;
/** Movement is followed frame by frame this long after an animation has begun. */
const FOLLOW_MS = 1_000;
/** Waits between asking the dashboard for another ticket. */
const ASK_MS_FIRST = 1_000;
const ASK_MS_MAX = 30_000;

/** Draws the live heat map over this page until `stop`. */
export function start(options: OverlayOptions): Overlay {
  const running = new Running(options);
  return { stop: () => running.stop() };
}

class Running {
  #endpoint: string;
  #path: () => string;
  #page = "";
  #choice: HeatChoice = HEAT_CHOICE;
  #host = document.createElement("div");
  #layer = new Layer();
  #anchors = new Anchors();
  #panel: Panel;
  #stream: HeatStream;
  #stopped = new AbortController();
  #frame = 0;
  #followUntil = 0;
  #drawn: Anchor[] = [];
  #stale = true;
  #hovered: readonly EventTarget[] = [];
  #framed = parent !== window;
  #wantsTicket = false;
  #askMs = ASK_MS_FIRST;
  #askTimer: ReturnType<typeof setTimeout> | undefined;
  #told = "";

  constructor(options: OverlayOptions) {
    this.#endpoint = new URL(options.endpoint, location.href).origin;
    this.#path = options.path ?? (() => location.pathname);
    this.#stream = new HeatStream(this.#endpoint, options.ticket, () => this.#changed());
    this.#panel = new Panel({
      chosen: (choice) => { this.#choice = choice; this.#subscribe(); },
      opacity: (value) => this.#layer.canvas.style.setProperty("opacity", String(value)),
      hidden: (hidden) => { this.#layer.canvas.hidden = hidden; },
      closed: () => this.stop(),
    }, this.#framed);
    this.#panel.notice("");
    this.#mount();
    this.#listen();
    this.#subscribe();
  }

  stop(): void {
    this.#stopped.abort();
    this.#stream.close();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#askTimer);
    this.#host.remove();
  }

  #mount(): void {
    const shadow = this.#host.attachShadow({ mode: "closed" });
    shadow.adoptedStyleSheets = [sheet()];
    shadow.append(this.#layer.canvas, this.#layer.outline, this.#panel.root);
    // Beside the body, where a page's own transforms and its re-rendering do not reach.
    document.documentElement.append(this.#host);
  }

  #subscribe(): void {
    this.#page = this.#path();
    this.#stream.open({ page: this.#page, ...this.#choice });
  }

  #changed(): void {
    const { link } = this.#stream;
    if (link.kind === "live") {
      this.#askMs = ASK_MS_FIRST;
      this.#wantsTicket = false;
      clearTimeout(this.#askTimer);
      this.#panel.notice("");
    } else if (link.kind === "lost" && !this.#framed) {
      this.#panel.notice("The connection is cut and tried again; what you see is no longer live.");
    } else if (link.kind === "refused") {
      if (link.status === 401) this.#ended();
      else this.#panel.notice(`The collector does not show this: ${link.message}.`);
    }
    this.#stale = true;
    this.#schedule();
    // At once and not with the drawing: a frame that is scrolled out of sight draws nothing.
    this.#tell();
  }

  // The ticket opens nothing any more. In the dashboard's frame another one is asked for; in a tab of
  // its own only the reader can open the page again.
  #ended(): void {
    if (this.#framed) {
      this.#wantsTicket = true;
      clearTimeout(this.#askTimer);
      this.#askTimer = setTimeout(() => { this.#told = ""; this.#ended(); this.#tell(); }, this.#askMs);
      this.#askMs = Math.min(ASK_MS_MAX, this.#askMs * 2);
    } else {
      this.#panel.notice("The connection is gone; what you see is no longer live. Open this page again from the dashboard.");
      this.#panel.fold(false);
    }
  }

  #listen(): void {
    const { signal } = this.#stopped;
    const passive = { signal, passive: true, capture: true } as const;
    const again = (): void => this.#schedule();
    addEventListener("scroll", again, passive);
    addEventListener("resize", again, passive);
    addEventListener("load", again, passive);
    for (const type of ["transitionrun", "animationstart"]) {
      addEventListener(type, () => { this.#followUntil = performance.now() + FOLLOW_MS; again(); }, passive);
    }
    addEventListener("pointermove", (event) => { this.#hovered = event.composedPath(); again(); }, passive);
    addEventListener("popstate", () => this.#check(), passive);
    addEventListener("message", (event) => this.#hear(event), { signal });
    const sizes = new ResizeObserver(again);
    sizes.observe(document.documentElement);
    if (document.body) sizes.observe(document.body);
    const changes = new MutationObserver(() => { this.#stale = true; again(); });
    changes.observe(document.documentElement, { subtree: true, childList: true, attributeFilter: ["class", "style", "hidden", "open"] });
    const timer = setInterval(() => this.#check(), CHECK_MS);
    signal.addEventListener("abort", () => { sizes.disconnect(); changes.disconnect(); clearInterval(timer); });
  }

  /** Follows a route change, and layout that moved without an event. */
  #check(): void {
    if (this.#path() !== this.#page) return this.#subscribe();
    const moved = this.#drawn.some(({ element, box }) => {
      if (!element) return false;
      const now = element.getBoundingClientRect();
      return now.left !== box.left || now.top !== box.top || now.width !== box.width || now.height !== box.height;
    });
    if (moved) this.#schedule();
  }

  #schedule(): void {
    if (this.#frame === 0 && !this.#stopped.signal.aborted) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#draw();
        if (performance.now() < this.#followUntil) this.#schedule();
      });
    }
  }

  #draw(): void {
    if (this.#stale) this.#anchors.forget();
    this.#stale = false;
    const held = this.#stream.held;
    this.#drawn = held ? this.#measure(held) : [];
    this.#layer.draw(this.#drawn);
    const under = this.#anchors.rowOf(this.#hovered);
    this.#layer.mark(under?.element);
    this.#panel.hover(under && { ...under.row, share: under.row.total / Math.max(1, held?.total ?? 1) }, this.#choice.kind);
    this.#panel.show({
      status: this.#wantsTicket ? "refused" : this.#stream.link.kind,
      page: this.#page,
      kind: this.#choice.kind,
      held,
      missing: this.#anchors.missing,
      max: this.#layer.max,
    });
    this.#tell();
  }

  #measure({ over, elements }: HeatHeld): Anchor[] {
    switch (over) {
      case "element": case "nothing": return this.#anchors.measure(elements);
      case "window": return this.#anchors.spread(elements, "window");
      case "document": case "bands": return this.#anchors.spread(elements, "document");
      case "directions": return [];
    }
  }

  // The dashboard's origin is the collector's; nobody else's frame gets to hear anything.
  #tell(): void {
    if (!this.#framed) return;
    const state: OverlayState = {
      upriver: "overlay.state", page: this.#page, live: this.#stream.link.kind === "live",
      missing: this.#anchors.missing, wantsTicket: this.#wantsTicket,
    };
    const text = JSON.stringify(state);
    if (text === this.#told) return;
    this.#told = text;
    parent.postMessage(state, this.#endpoint);
  }

  #show(key: string): void {
    const row = this.#stream.held?.elements.find((row) => row.key === key);
    const element = row && find(row.selector);
    if (!element) return;
    reveal(element);
    this.#hovered = [element];
    this.#schedule();
  }

  #hear(event: MessageEvent): void {
    if (!this.#framed || event.source !== parent || event.origin !== this.#endpoint) return;
    const show = readShow(event.data);
    if (show) return this.#show(show.element);
    const set = readSet(event.data);
    if (!set) return;
    const { upriver: _, ticket, ...choice } = set;
    const names = Object.keys(HEAT_CHOICE) as (keyof HeatChoice)[];
    const changed = names.some((name) => choice[name] !== this.#choice[name]);
    this.#choice = choice;
    this.#panel.set(this.#choice);
    if (changed) this.#stream.close();
    if (ticket !== undefined) {
      clearTimeout(this.#askTimer);
      this.#stream.renew(ticket);
    }
    if (changed) this.#subscribe();
  }
}

// The SDK in the page below waits to be told, and hands over what its page says.
dispatchEvent(new CustomEvent("upriver-overlay", { detail: start }));
