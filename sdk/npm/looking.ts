// What comes into view: interactive elements, and how high the page is.
//
// Owns the observers, the search for interactive elements, and the second that one must be seen.
// Reads boxes and styles only when something counts, from the timer, a few milliseconds at a time;
// the height of the page right after the browser has laid it out. What counts once, and how much at
// most, is the recorder's business.

import type { Shell } from "./core.js";
import { INTERACTIVE, isPrivate, look } from "./element.js";
import type { Forms } from "./forms.js";
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
const VISIBLE = { opacityProperty: true, visibilityProperty: true };

/** The view of one page. */
export type Looking = ReturnType<typeof looking>;

export function looking({ step, give, name, settle }: Shell, forms: Forms) {
  /** Since when an element is in the window, oldest first. */
  const inside = new Map<Element, number>();
  let watched = new WeakSet<Element>();
  let room = 0;
  let searchAt = Infinity;
  let shownAt = 0;
  let took = 0;
  let ended = false;

  const sight = new IntersectionObserver(
    (entries) => {
      for (const { target, time, intersectionRatio } of entries) {
        inside.delete(target);
        if (intersectionRatio >= SHARE) inside.set(target, time);
      }
      settle();
    },
    { threshold: SHARE },
  );
  // Looks away after the first change, until the page has been searched.
  const changes = new MutationObserver(() => {
    changes.disconnect();
    searchAt = performance.now() + SEARCH_AFTER + took * SEARCH_SHARE;
    settle();
  });
  const size = new ResizeObserver(measure);

  function measure(): void {
    step(Kind.SIZED, performance.now(), innerHeight, document.documentElement.scrollHeight);
  }

  function search(): void {
    if (ended) return;
    const from = performance.now();
    within(document);
    for (const root of document.querySelectorAll("html,body")) size.observe(root);
    took = performance.now() - from;
    forms.left(from, false);
    settle();
  }

  function within(root: Document | ShadowRoot): void {
    changes.observe(root, { attributes: true, childList: true, subtree: true });
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) within(element.shadowRoot);
      if (room > 0 && !watched.has(element) && element.matches(INTERACTIVE)) {
        room--;
        watched.add(element);
        sight.observe(element);
      }
    }
  }

  function count(element: Element, at: number): void {
    const box = element.getBoundingClientRect();
    if (!(box.width * box.height) || element.checkVisibility?.(VISIBLE) === false) {
      // It may show itself later: the next search finds it again.
      watched.delete(element);
    } else if (!isPrivate(element)) {
      name(element, box, true);
      give(look(element, box).all);
      step(Kind.IMPRESSION, at);
    }
  }

  /** When {@link look} has something to do, ms. */
  function due(): number {
    const [first = Infinity] = inside.values();
    return Math.min(searchAt, Math.max(first, shownAt) + SEEN);
  }

  return {
    due,

    /** A view of a page begins. */
    begin(): void {
      inside.clear();
      watched = new WeakSet();
      room = WATCHED_MAX;
      sight.disconnect();
      measure();
      searchAt = 0;
    },

    /** The page is shown from this time on, or (infinite) hidden: nothing has been seen for longer. */
    since(at: number): void {
      shownAt = at;
    },

    /** Counts what has been seen for long enough, and searches the page if that is due. */
    look(): void {
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
    },

    end(): void {
      for (const observer of [sight, changes, size]) observer.disconnect();
      inside.clear();
      ended = true;
    },
  };
}
