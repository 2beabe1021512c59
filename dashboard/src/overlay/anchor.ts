// Where the elements of a heat map are in the window right now.
//
// Owns: finding each element by its selector, its box, and the part of the box that its scrolling
// ancestors let through. Refuses to know: presses, drawing. Reads layout, never writes to the page.

import type { Box } from "../draw/heat";
import type { HeatRow } from "../merge";

/** A heat-map row that was found on the page. */
export interface Anchor {
  row: HeatRow;
  /** Nothing where the row lies over the window or the whole document. */
  element?: Element;
  box: Box;
  /** What of the window the element may show in. */
  clip: Box;
}

interface Found {
  selector: string;
  element: Element | undefined;
  /** Ancestors that cut off what leaves them. */
  clippers: Element[];
}

export class Anchors {
  /** Rows that have a selector which finds nothing, or none yet. */
  missing = 0;
  #found = new Map<string, Found>();
  #rows = new WeakMap<Element, HeatRow>();

  /** Looks everything up again at the next `measure`, because the page has changed. */
  forget(): void {
    for (const [key, found] of this.#found) {
      // An element that is still there stays: looking selectors up is what costs.
      if (!found.element?.isConnected) this.#found.delete(key);
      else found.clippers = clippersOf(found.element);
    }
  }

  /** The rows that are on the page, with their boxes in the window in CSS pixels. */
  measure(rows: readonly HeatRow[]): Anchor[] {
    const anchors: Anchor[] = [];
    const window_: Box = { left: 0, top: 0, width: innerWidth, height: innerHeight };
    this.missing = 0;
    for (const row of rows) {
      const found = this.#find(row);
      if (!found.element) { this.missing += 1; continue; }
      this.#rows.set(found.element, row);
      const { left, top, width, height } = found.element.getBoundingClientRect();
      if (width === 0 || height === 0) continue;
      let clip = window_;
      for (const clipper of found.clippers) clip = cut(clip, clipper.getBoundingClientRect());
      anchors.push({ row, element: found.element, box: { left, top, width, height }, clip });
    }
    return anchors;
  }

  /** Rows that lie over the window, or over the whole document. */
  spread(rows: readonly HeatRow[], over: "window" | "document"): Anchor[] {
    const clip: Box = { left: 0, top: 0, width: innerWidth, height: innerHeight };
    this.missing = 0;
    this.#rows = new WeakMap();
    const { scrollWidth: width, scrollHeight: height } = document.documentElement;
    const box = over === "window" ? clip : { left: -scrollX, top: -scrollY, width, height };
    return rows.map((row) => ({ row, box, clip }));
  }

  /** The row of the innermost element on an event's way that has one. */
  rowOf(path: readonly EventTarget[]): { row: HeatRow; element: Element } | undefined {
    for (const target of path) {
      const row = target instanceof Element ? this.#rows.get(target) : undefined;
      if (row) return { row, element: target as Element };
    }
    return undefined;
  }

  #find(row: HeatRow): Found {
    const known = this.#found.get(row.key);
    if (known && known.selector === row.selector) return known;
    const element = find(row.selector);
    const found = { selector: row.selector, element, clippers: element ? clippersOf(element) : [] };
    this.#found.set(row.key, found);
    return found;
  }
}

/** Separates the part of a selector outside of an open shadow root from the part inside. */
const SHADOW = " >>> ";

/** The element a selector finds, through open shadow roots; invalid selectors find nothing. */
export function find(selector: string): Element | undefined {
  let scope: ParentNode | null = document;
  let element: Element | null = null;
  for (const part of parts(selector)) {
    // Selectors come from visitors' browsers; one that does not parse is no reason to stop.
    try { element = scope?.querySelector(part) ?? null; } catch { return undefined; }
    scope = element?.shadowRoot ?? null;
  }
  return element ?? undefined;
}

/**
 * Scrolls an element to the middle of its scrollers and of the window. Not by `scrollIntoView`,
 * which would scroll the dashboard around a framed page too.
 */
export function reveal(element: Element): void {
  for (const scroller of clippersOf(element)) {
    const inner = element.getBoundingClientRect();
    const outer = scroller.getBoundingClientRect();
    scroller.scrollBy({ left: middle(inner).x - middle(outer).x, top: middle(inner).y - middle(outer).y, behavior: "instant" });
  }
  const { x, y } = middle(element.getBoundingClientRect());
  scrollBy({ left: x - innerWidth / 2, top: y - innerHeight / 2, behavior: "instant" });
}

const middle = ({ left, top, width, height }: DOMRect): { x: number; y: number } =>
  ({ x: left + width / 2, y: top + height / 2 });

// The separator is no CSS, unless it stands inside of a quoted attribute value.
function parts(selector: string): string[] {
  if (!selector) return [];
  return selector.includes('"') ? selector.split(/ >>> (?=(?:[^"]*"[^"]*")*[^"]*$)/) : selector.split(SHADOW);
}

function clippersOf(element: Element): Element[] {
  const clippers: Element[] = [];
  let position = getComputedStyle(element).position;
  for (let at = parentOf(element); at && at !== document.documentElement && at !== document.body; at = parentOf(at)) {
    if (position === "fixed") break;
    const style = getComputedStyle(at);
    // An absolutely placed element leaves ancestors that are not placed themselves.
    const escapes = position === "absolute" && style.position === "static";
    if (!escapes && (style.overflowX !== "visible" || style.overflowY !== "visible")) clippers.push(at);
    if (!escapes) position = style.position;
  }
  return clippers;
}

function parentOf(element: Element): Element | null {
  const slot = element.assignedSlot ?? element.parentElement;
  if (slot) return slot;
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}

function cut(a: Box, b: DOMRect): Box {
  const left = Math.max(a.left, b.left);
  const top = Math.max(a.top, b.top);
  return {
    left,
    top,
    width: Math.max(0, Math.min(a.left + a.width, b.right) - left),
    height: Math.max(0, Math.min(a.top + a.height, b.bottom) - top),
  };
}
