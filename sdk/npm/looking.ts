// What comes into view: interactive elements, and how high the page is.
//
// Owns the observers, the search for interactive elements, and the second that one must be seen.
// Reads boxes and styles only when something counts, from the timer, a few milliseconds at a time;
// the height of the page right after the browser has laid it out. What counts once, and how much at
// most, is the recorder's business.

import { arm, give, named, step } from "./core.js";
import { INTERACTIVE, inSight, isPrivate, look as looks } from "./element.js";
import * as forms from "./forms.js";
import { Kind } from "./wasm.js";

/** So much of an element must be in the window … */
const SHARE = 0.5;
/** … for so long, ms. */
const SEEN = 1_000;
/** Elements watched in one view. */
const WATCHED_MAX = 5_000;
/** A page that changes is searched again after so long, ms, and … */
const SEARCH_AFTER = 1_000;
/** … so many times as long as the search itself takes. */
const SEARCH_SHARE = 100;
/** The longest that is read at a stretch, ms. */
const SLICE = 4;

/** Since when an element is in the window, oldest first. */
const inside = new Map<Element, number>();
let watched: WeakSet<Element>;
let room: number;
let searchAt: number;
let shownAt: number;
let took = 0;
let ended: boolean;

const sight = new IntersectionObserver(
  (entries) => {
    for (const { target, time, intersectionRatio } of entries) {
      inside.delete(target);
      if (intersectionRatio >= SHARE) inside.set(target, time);
    }
    arm();
  },
  { threshold: SHARE },
);
// Looks away after the first change, until the page has been searched.
const changes = new MutationObserver(() => {
  changes.disconnect();
  searchAt = performance.now() + SEARCH_AFTER + took * SEARCH_SHARE;
  arm();
});
const size = new ResizeObserver(measure);

/** Sights of another recorder. */
export function begin(): void {
  searchAt = shownAt = Infinity;
  ended = false;
}

function measure(): void {
  step(Kind.SIZED, performance.now(), innerHeight, document.documentElement.scrollHeight);
}

function search(): void {
  if (ended) return;
  const from = performance.now();
  within(document);
  for (const root of document.querySelectorAll("html,body")) size.observe(root);
  took = performance.now() - from;
  forms.left(from, true);
  arm();
}

function within(root: Document | ShadowRoot): void {
  changes.observe(root, { attributes: true, childList: true, subtree: true });
  // By their places: over a list as long as the page, an iterator takes twice as long.
  const all = root.querySelectorAll("*");
  for (let at = 0; at < all.length; at++) if (all[at]!.shadowRoot) within(all[at]!.shadowRoot!);
  for (const element of root.querySelectorAll(INTERACTIVE)) {
    if (room > 0 && !watched.has(element)) {
      room--;
      watched.add(element);
      sight.observe(element);
    }
  }
}

function count(element: Element, at: number): void {
  const box = element.getBoundingClientRect();
  if (!(box.width * box.height) || inSight(element) === false) {
    // It may show itself later: the next search finds it again.
    watched.delete(element);
  } else if (!isPrivate(element)) {
    const now = looks(element, box);
    named(element, () => now, true);
    give(new Uint8Array(new Int32Array(now).buffer));
    step(Kind.IMPRESSION, at);
  }
}

/** When {@link look} has something to do, ms. */
export function due(): number {
  const [first = Infinity] = inside.values();
  return Math.min(searchAt, Math.max(first, shownAt) + SEEN);
}

/** A view of a page begins. */
export function view(): void {
  inside.clear();
  watched = new WeakSet();
  room = WATCHED_MAX;
  sight.disconnect();
  measure();
  searchAt = 0;
}

/** The page is shown from this time on, or (infinite) hidden: nothing has been seen for longer. */
export function since(at: number): void {
  shownAt = at;
}

/** Counts what has been seen for long enough, and searches the page if that is due. */
export function look(): void {
  const now = performance.now();
  if (now >= searchAt) {
    searchAt = Infinity;
    // When the page has nothing better to do, but some time.
    (window.requestIdleCallback ?? setTimeout)(search, { timeout: SEARCH_AFTER } as IdleRequestOptions & number);
  }
  while (now >= due() && performance.now() <= now + SLICE) {
    const [element] = inside.keys() as Iterable<Element>;
    inside.delete(element!);
    sight.unobserve(element!);
    count(element!, now);
  }
}

/** Looks no more. */
export function end(): void {
  for (const observer of [sight, changes, size]) observer.disconnect();
  inside.clear();
  ended = true;
}
