// What each event of the page says to the recorder.
//
// Owns the reading of events, as they are told or later, with the facts kept from then. Knows
// nothing of what a press or a gesture is, and adds no listener.

import { utf8 } from "./bytes.js";
import { alive, arm, entry, give, named, settle, show as view, step, thin, wake } from "./core.js";
import { byHand, frameOf, look as looks, onScrollbar, pressable, pressed } from "./element.js";
import { fault } from "./fault.js";
import * as forms from "./forms.js";
import * as looking from "./looking.js";
import * as outcome from "./outcome.js";
import { held, leave } from "./persist.js";
import { hurry } from "./transport.js";
import type { Facts, Framed } from "./types.js";
import { Kind } from "./wasm.js";

/** What is listened to, in the order of `kinds` in `index.ts`. */
const enum Heard {
  TOUCH_END,
  TOUCH_MOVE,
  WHEEL,
  MOVE,
  UP,
  CANCEL,
  SCROLL,
  DOWN,
  CLICK,
  KEY,
  SUBMIT,
  VISIBILITY,
  LEAVE,
  ERROR,
  REJECTION,
}

const POINTERS = ["mouse", "touch", "pen"];
const KEYBOARD = 3;
const BUTTON_OTHER = 3;
/** Bits, by their place. */
const FIRST_OF_KIND = 6;
const BUTTONS = 3 << 4;
const PRESSABLE = 7;
const TOUCH = 1;
/** So long movements wait to be told together, ms: one that finds the code warm costs a fraction. */
const HELD = 500;

/** The page has been left; whatever comes then comes of a page that is back. */
let left: boolean;
// What lies under the pointer, what of it one can press, and a number for that.
let under: Element | undefined;
let over: Element | undefined;
let number = 0;
let last: PointerEvent;
/** Movements that wait to be told of, each with what it was over, and the places the browser has joined in
 * it where that forgets them. */
let waiting: [event: Event, targets: EventTarget[], places?: PointerEvent[]][] = [];
/** Whether the browser forgets the places of an event that is over, as Firefox does: it says (0, 0) then. The
 * first movement, which is not asked at once, tells. */
let forgets: boolean | undefined;
// Frames, the documents of theirs that are heard, and where the one stands that was pressed in last.
const frames = document.getElementsByTagName("iframe");
const heard = new WeakSet<Document>();
let frameX = 0;
let frameY = 0;
// Of the event that is read: what it is about, also inside open shadow roots, from the innermost on; and
// the facts, if it is told later.
let path: EventTarget[];
let kept: Facts | undefined;

/** Events of another recorder. */
export function begin(): void {
  left = false;
  under = over = undefined;
  waiting = [];
  outcome.begin();
}

const boxOf = (element: Element): DOMRect => kept?.boxes[path.indexOf(element)] ?? element.getBoundingClientRect();

const kindOf = (pointer: PointerEvent) => Math.max(POINTERS.indexOf(pointer.pointerType), 0);

// A fraction of a box as the wire has it; what is beyond its edge is at its edge.
const steps = (part: number, all: number) => Math.min(Math.max((all > 0 ? part / all : 0.5) * 1023 + 0.5, 0), 1023);

// A press of something at a place in the window; without one it counts for the middle of the box.
function press(kind: number, at: number, event: MouseEvent, target: Element, how: number, placed = true): void {
  const { element, interactive, box, layer } = pressed(target, boxOf);
  const { left, top, width, height } = box;
  const x = placed ? event.clientX : left + width / 2;
  const y = placed ? event.clientY : top + height / 2;
  const frame = frameOf(element);
  const outer = frame?.getBoundingClientRect();
  frameX = outer ? outer.left + frame!.clientLeft : 0;
  frameY = outer ? outer.top + frame!.clientTop : 0;
  alive(at);
  named(element, () => looks(element, new DOMRect(left + frameX, top + frameY, width, height)), interactive);
  // Only the main button presses; and what is told later was not watched.
  const signs = kind === Kind.RESTS || how & BUTTONS || kept ? 0 : outcome.pressed(path, element);
  const [scrollLeft, scrollTop] = kept?.scrolls ?? [];
  step(
    kind, at, scrollLeft ?? scrollX, scrollTop ?? scrollY, how | (layer << 2) | (+interactive << PRESSABLE) | signs,
    x + frameX, y + frameY, (steps(x - left, width) << 10) | steps(y - top, height), 0, (event as PointerEvent).pointerId,
  );
}

/** Listens to what happens in frames that have come since. */
export function enter(): void {
  for (const { contentDocument: page } of frames) {
    // None where it is of another origin.
    if (!page || heard.has(page)) continue;
    heard.add(page);
    entry.listen("add", page);
  }
}

/** Looks where the pointer is, if that is due; and for frames. */
export function look(at: number): void {
  enter();
  const wanted = step(Kind.LOOK, at);
  if (!wanted) return;
  kept = undefined;
  if (!over?.matches(":hover")) step(Kind.AWAY, at);
  else if (wanted < 2) press(Kind.RESTS, at, last, over, kindOf(last));
}

/** Takes an event of the page; `facts`: what was true when it was told, for one told earlier. */
export function hear(event: Event, facts?: Facts): void {
  const kind = heardAs(event);
  if (!facts && kind === Heard.SCROLL) return note(event, 0);
  // A key in the field that was used last tells of nothing but that somebody is there.
  if (!facts && kind === Heard.KEY && event.target === forms.last) return note(event);
  catchUp();
  // All it goes through is asked for where something is pressed.
  read(kind, event, facts?.targets ?? (kind < Heard.DOWN ? innermost(event) : event.composedPath()), facts && joined(event), facts);
  enter();
  arm();
}

/** Takes a movement, to be told of with others, at the latest after `wait` ms. */
export function note(event: Event, wait = HELD): void {
  waiting.push([event, innermost(event), forgets ? joined(event) : undefined]);
  forgets ??= "pointerId" in event || undefined;
  // The first has set the timer.
  if (!waiting[1] || !wait) wake(event.timeStamp + wait);
}

/** Tells of the movements that wait: before anything else is told. */
export function catchUp(): void {
  if (!waiting[0]) return;
  const all = waiting;
  waiting = [];
  for (const [event, targets, early] of all) {
    let places = early ?? joined(event);
    const last = places?.at(-1);
    if (last && !early && (forgets = last.clientX !== (event as PointerEvent).clientX)) places = [];
    read(heardAs(event), event, targets, places);
  }
}

const heardAs = ({ type }: Event) => entry.kinds.indexOf(type);

// The places the browser has joined in one movement.
const joined = (event: Event): PointerEvent[] | undefined => (event as PointerEvent).getCoalescedEvents?.();

// What an event is about, where nothing else that it goes through is asked for.
const innermost = (event: Event): EventTarget[] =>
  (event.target as Element).shadowRoot ? event.composedPath() : [event.target!];

function read(kind: number, event: Event, targets: EventTarget[], places: PointerEvent[] = [], facts?: Facts): void {
  const pointer = event as PointerEvent;
  const target = targets[0] as Element;
  const asleep = () => facts?.asleep ?? document.hidden;
  const frame = frameOf(target);
  path = targets;
  kept = facts;
  let at = event.timeStamp;
  if (frame) {
    const { contentDocument, contentWindow } = frame;
    // One that records itself, and what only the page is asked for.
    if ((contentDocument as Framed)?.upriver || kind === Heard.VISIBILITY) return;
    at += contentWindow!.performance.timeOrigin - performance.timeOrigin;
  }
  if (left && !asleep()) {
    left = false;
    held(true);
    step(Kind.RESUME, at);
    show(at, true);
    view(at, 2);
  }
  // Of a finger, and in a frame, what comes of a press is followed, no more.
  if (kind === Heard.MOVE && !frame && kindOf(pointer) !== TOUCH) return moved(pointer, target, at, places);
  const [dx, dy] = frame ? [frameX, frameY] : [0, 0];
  switch (kind) {
    case Heard.MOVE:
    case Heard.UP:
    case Heard.CANCEL:
      step(kind - Heard.MOVE + Kind.MOVE, at, 0, 0, TOUCH, pointer.clientX + dx, pointer.clientY + dy, 0, 0, pointer.pointerId);
      break;
    case Heard.DOWN:
      if (target.nodeType !== 1 || (!kindOf(pointer) && onScrollbar(target, pointer.clientX, pointer.clientY, boxOf))) return;
      press(Kind.DOWN, at, pointer, target,
        kindOf(pointer) | (Math.min(pointer.button, BUTTON_OTHER) << 4) | (+pointer.isPrimary << FIRST_OF_KIND));
      break;
    case Heard.ERROR:
    case Heard.REJECTION: {
      const [place, bytes] = fault(event) ?? [];
      if (!bytes) return;
      give(utf8(place!));
      step(Kind.NAME, at);
      give(bytes);
      step(Kind.FAULT, at);
      break;
    }
    case Heard.SUBMIT:
      // Unless a script sends it, another page comes, however late.
      setTimeout(() => event.defaultPrevented || step(Kind.EFFECT, performance.now(), 1));
      forms.submitted(target as HTMLFormElement, at);
      break;
    case Heard.CLICK: {
      const placed = pointer.detail > 0;
      forms.used(event, target, at);
      if (step(Kind.CLICK, at, pointer.detail) && target) press(Kind.ACTIVATED, at, pointer, target, placed ? kindOf(pointer) : KEYBOARD, placed);
      if (!facts) outcome.clicked(event);
      break;
    }
    case Heard.KEY: {
      const { repeat, key } = event as KeyboardEvent;
      step(Kind.KEY, at, +repeat);
      forms.used(event, target, at);
      // What a site has made pressable by itself makes no click when a key is pressed.
      if (!repeat && target && /^( |Enter)$/.test(key) && byHand(target)) {
        press(Kind.ACTIVATED, at, pointer, target, KEYBOARD, false);
        if (!facts) outcome.clicked(event);
      }
      break;
    }
    case Heard.TOUCH_MOVE:
    case Heard.TOUCH_END: {
      const { touches, changedTouches } = event as TouchEvent;
      const [touch, second] = kind ? touches : changedTouches;
      const other = second ? [second.clientX + dx, second.clientY + dy] : [];
      if (touch) step(Kind.TOUCH_END - kind, at, +!!second, 0, 0, touch.clientX + dx, touch.clientY + dy, ...other);
      break;
    }
    case Heard.WHEEL:
      step(Kind.WHEEL, at);
      break;
    case Heard.SCROLL: {
      // Not read before it is laid out, which would be done twice.
      const root = (target as Node as Document).scrollingElement;
      const { scrollLeft, scrollTop } = root ?? target;
      if (targets[0] === document) step(Kind.SCROLLED, at, scrollX, scrollY);
      else {
        named(root ? frame! : target);
        step(Kind.SCROLLED_INNER, at, scrollLeft, scrollTop);
      }
      break;
    }
    default:
      stands(kind === Heard.LEAVE, asleep(), event.timeStamp);
      settle();
      leave();
  }
}

// A mouse or a pen was moved; a browser may tell of several places at once.
function moved(pointer: PointerEvent, target: Element, at: number, places: PointerEvent[]): void {
  alive(at, at);
  last = pointer;
  if (under !== target) {
    under = target;
    const found = pressable(target);
    if (found !== over) number++;
    over = found;
  }
  for (const { timeStamp, clientX, clientY } of places[0] ? places : [pointer]) {
    // Where bytes are dear, the way of a pointer is left out.
    step(Kind.MOVE, timeStamp, over ? number : 0, +!thin, kindOf(pointer), clientX, clientY, 0, 0, pointer.pointerId);
  }
}

// The page is shown, hidden or left.
function stands(leaves: boolean, asleep: boolean, at: number): void {
  if (!leaves && !asleep) {
    step(Kind.RESUME, at);
    return show(at, true);
  }
  hurry();
  // Where the last movement ended: no event may tell of it any more.
  step(Kind.SCROLLED, at, scrollX, scrollY);
  show(at, false);
  if (leaves) forms.left(at);
  step(Kind.LEAVE, at);
  if (leaves) {
    step(Kind.PAUSE, at);
    held(false);
    left = true;
  }
}

/** The page is visible from this time on, or hidden. */
export function show(at: number, visible: boolean): void {
  step(Kind.SHOWN, at, +visible);
  looking.since(visible ? at : Infinity);
}
