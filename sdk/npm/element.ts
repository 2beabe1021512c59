// Elements: which one was meant, what it is called, how it looks.
//
// Owns reading the tree, boxes and styles; on a press, and of an element once. Knows no rules of
// naming (`naming.ts`) and nothing of gestures.

import { bytes, text, uint } from "./bytes.js";
import * as naming from "./naming.js";

const ROLES = ["button", "link", "tab", "menuitem", "checkbox", "radio", "switch", "option", "treeitem"];
/** What a site makes pressable by itself. */
export const BY_HAND = `[onclick],${ROLES.map((role) => `[role=${role}]`)}`;
/** What people press. The pressed thing is the nearest of these, or what lay under the pointer. */
export const INTERACTIVE = `a,button,input,select,textarea,label,summary,option,[data-upriver],${BY_HAND}`;
/** What a browser itself turns a key into a click on, or what takes text. */
const NATIVE = "a[href],button,input,select,textarea,summary,[contenteditable]";
/** Types of fields that are buttons. */
export const BUTTONS = /^(submit|button|reset|image)$/;
const PRIVATE = "[data-upriver-private]";
/** Text inside these is never read. */
const UNREAD = `input,output,textarea,select,script,style,noscript,[contenteditable],${PRIVATE}`;
const TOP_LAYER = ":is(:modal,:popover-open,:fullscreen)";
/** Values of attributes longer than this name nothing, bytes. */
const VALUE_MAX = 96;
/** Ancestors looked at for layer and background. */
const ANCESTORS_MAX = 48;
/** Nodes looked at for a label. */
const LABEL_NODES_MAX = 48;
/** Largest coordinate or length. */
const PIXELS_MAX = 1e7;
/** Largest radius of a corner: differences of two fit into the 16 bits the wire has for them. */
const RADIUS_MAX = 0x7fff;
const WHITE = 0xffffff;
const SIGHT = { opacityProperty: true, visibilityProperty: true };

/** A length as it may travel. */
export const whole = (length: number, min = 0): number =>
  Math.min(Math.max(Math.floor(length + 0.5) || 0, min), PIXELS_MAX);

/** What was pressed, with its box and its layer: 0 flow, 1 fixed, 2 stuck, 3 top. */
export interface Pressed {
  element: Element;
  interactive: boolean;
  box: DOMRect;
  layer: number;
}

/** The thing a press is on; `boxOf` tells boxes, now or as they were. */
export function pressed(under: Element, boxOf: (element: Element) => DOMRect): Pressed {
  const found = pressable(under);
  const element = found ?? drawing(under) ?? under;
  return { element, interactive: !!found, box: boxOf(element), layer: layer(element, boxOf) };
}

/** What one can press there, if anything. */
export const pressable = (under: Element): Element | undefined =>
  under.nodeType === 1 ? nearest(under, INTERACTIVE) : undefined;

/** Whether a key on this element is a press, though no browser makes a click of it. */
export const byHand = (element: Element): boolean =>
  !!nearest(element, BY_HAND) && !nearest(element, NATIVE);

/** Whether a place in the window is on an element's scroll bar. */
export function onScrollbar(element: Element, x: number, y: number, boxOf: (element: Element) => DOMRect): boolean {
  const { clientWidth: w, clientHeight: h, offsetWidth, offsetHeight } = element as HTMLElement;
  if (element.localName === "html") return x >= w || y >= h;
  // Nearly every element has none, and needs no box to be read.
  if (!(w > 0 && (offsetWidth - w >= 8 || offsetHeight - h >= 8))) return false;
  const { left, top } = boxOf(element);
  return x >= left + element.clientLeft + w || y >= top + element.clientTop + h;
}

/** The canonical selector: see `naming.ts`. */
export function canonical(element: Element, hidden = isPrivate(element)): string {
  const inside = host(element);
  const root = inside ? (element.getRootNode() as ShadowRoot) : document;
  const anchor = inside ? canonical(inside, hidden) + naming.SHADOW : "";
  const own = !hidden && ownName(root, element, true);
  if (own) return anchor + own;
  const steps: string[] = [];
  for (let at: Element | null = element; at; at = at.parentElement) {
    const name = steps.length > 0 && !hidden && ownName(root, at, false);
    if (name) return naming.path(anchor + name, steps);
    steps.push(step(at));
  }
  // The root is in every path and tells nothing.
  if (steps.length > 2 && steps.at(-1) === "html") steps.pop();
  return naming.path(anchor, steps);
}

/** The descriptor, as the wire writes it. Without a look (a scroller) none is read. */
export function describe(element: Element, selector: string, looks: Look, interactive?: boolean): number[] {
  let shown = naming.fitting(selector);
  if (shown !== selector && !unique(document, shown)) shown = "";
  const labelled = interactive && !isPrivate(element);
  return [
    ...text(shown, naming.SELECTOR_MAX),
    ...text(labelled ? label(element) : "", naming.LABEL_MAX),
    ...bytes(role(element)),
    // A descriptor's place has no sign.
    ...looks.flatMap((it) => uint(Math.max(it, 0))),
  ];
}

/** Colour, width, height, place from the left and the top of the page, and radius of the corners. */
type Look = number[];

/** How an element looks now, in whole numbers; without a box nothing of it is read. */
export function look(element: Element, box?: DOMRect): Look {
  if (!box) return [WHITE, 0, 0, 0, 0, 0];
  const round = parseInt(getComputedStyle(element).borderTopLeftRadius);
  const colour = climb(element, ({ backgroundColor }) => naming.colour(backgroundColor)) ?? WHITE;
  const place = (at: number) => whole(at, -PIXELS_MAX);
  return [colour, whole(box.width), whole(box.height), place(box.left + scrollX), place(box.top + scrollY),
    Math.min(round || 0, RADIUS_MAX)];
}

/** The frame something lives in, when that is not the page itself. */
export function frameOf(node: Node): HTMLIFrameElement | undefined {
  const page = node.ownerDocument ?? (node as Document);
  return (page !== document && (page.defaultView?.frameElement as HTMLIFrameElement)) || undefined;
}

// The host of the shadow root an element lives in, or the frame of its document.
const host = (element: Node): Element | undefined =>
  (element.getRootNode() as ShadowRoot).host ?? frameOf(element);

/** The nearest that matches, up through open shadow roots. */
export function nearest(element: Element | undefined, selector: string): Element | undefined {
  try {
    return element && (element.closest(selector) ?? nearest(host(element), selector));
  } catch {
    // A browser that does not know one of the states.
    return undefined;
  }
}

// The outermost drawing an element is part of: its shapes are nothing anybody knows by name.
function drawing(element: Element): Element | undefined {
  const svg = nearest(element, "svg");
  return svg && ((svg.parentElement && drawing(svg.parentElement)) ?? svg);
}

/** Whether an element is to be seen, as far as styles tell; undefined where the browser cannot. */
export const inSight = (element: Element) => element.checkVisibility?.(SIGHT);

export const isPrivate = (element: Element) => !!nearest(element, PRIVATE);

/** How many match; none where the browser does not know the selector. */
export function count(root: ParentNode, selector: string): number {
  try {
    return root.querySelectorAll(selector).length;
  } catch {
    return 0;
  }
}

const unique = (root: ParentNode, selector: string) => count(root, selector) === 1;

// A selector of an element's own that finds nothing else. `any`: by any attribute that may name it;
// otherwise only by those that may anchor a path.
function ownName(root: ParentNode, element: Element, any: boolean): string | undefined {
  for (let rank = 0; rank < (any ? 6 : 2); rank++) {
    const name = naming.ATTRIBUTES[rank]!;
    const value = element.getAttribute(name);
    if (!value) continue;
    // What a label would hide must not travel in a selector either.
    const selector = rank === 1
      ? !naming.generated(value) && naming.idSelector(value)
      : naming.length(value) <= VALUE_MAX && (!rank || naming.mask(value) === value) &&
        naming.attribute(rank ? element.localName : "", name, value);
    if (selector && unique(root, selector)) return selector;
  }
  return undefined;
}

function step(element: Element): string {
  const tag = element.localName;
  let nth = 0;
  if (!element.matches(":only-of-type")) {
    for (let at: Element | null = element; at; at = at.previousElementSibling) nth += +(at.localName === tag);
  }
  return naming.step(tag, nth);
}

// What is first found in the styles of an element and of what it is in.
function climb<T>(element: Element, find: (style: CSSStyleDeclaration, at: Element) => T | undefined): T | undefined {
  let found: T | undefined;
  let at: Element | undefined = element;
  for (let left = ANCESTORS_MAX; at && left && found === undefined; left--) {
    found = find(getComputedStyle(at), at);
    at = at.parentElement ?? host(at);
  }
  return found;
}

function role(element: Element): string {
  const tag = element.localName;
  const given = element.getAttribute("role");
  if (given) return given;
  if (tag === "a") return "link";
  if (tag === "select" || tag === "textarea") return "input";
  return tag === "input" && BUTTONS.test(element.getAttribute("type")!) ? "button" : tag;
}

// The accessible name as far as it is the site's own text. Never anything typed.
function label(element: Element): string {
  for (const name of ["aria-label", "title", "alt"]) {
    const given = element.getAttribute(name);
    if (given) return naming.mask(given);
  }
  return nearest(element, UNREAD) ? "" : naming.mask(read(element, { left: LABEL_NODES_MAX }));
}

function read(node: Node, budget: { left: number }): string {
  let text = "";
  for (let at = node.firstChild; at && budget.left-- > 0 && text.length < 2 * naming.LABEL_MAX; at = at.nextSibling) {
    if (at.nodeType === 3) text += `${at.textContent} `;
    else if ((at as Element).matches?.(UNREAD) === false) text += read(at, budget);
  }
  return text;
}

// How an element is laid over the page right now.
function layer(element: Element, boxOf: (element: Element) => DOMRect): number {
  const top = nearest(element, TOP_LAYER);
  if (top && top.localName !== "html") return 3;
  return climb(element, ({ position, top, bottom }, at) => {
    if (position === "fixed") return 1;
    if (position !== "sticky") return undefined;
    // Whether it stands at its edge because the page is scrolled, not by itself.
    const box = boxOf(at);
    const stuck = (edge: number, inset: string) => inset.endsWith("px") && Math.abs(edge - parseInt(inset)) < 1.5;
    return (scrollY > 0 && stuck(box.top, top)) || stuck(innerHeight - box.bottom, bottom) ? 2 : undefined;
  }) ?? 0;
}
