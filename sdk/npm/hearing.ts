// What each event of the page says to the recorder.
//
// Owns the reading of events, as they are told or later, with the facts kept from then. Knows
// nothing of what a press or a gesture is, and adds no listener.

import type { Shell } from "./core.js";
import { byHand, frameOf, onScrollbar, pressable, pressed } from "./element.js";
import { fault } from "./fault.js";
import type { Forms } from "./forms.js";
import type { Facts, Framed } from "./types.js";
import type { Looking } from "./looking.js";
import { outcome } from "./outcome.js";
import { Kind } from "./wasm.js";

const encoder = new TextEncoder();
const POINTERS = ["mouse", "touch", "pen"];
const KEYBOARD = 3;
const BUTTON_OTHER = 3;
const FIRST_OF_KIND = 64;
const BUTTONS = 3 << 4;
const PRESSABLE = 128;
const TOUCH = 1;
/** As in sdk/src/presses.rs, ms. */
const DEAD = 2_500;

/** Nothing that a movement begins is due before, ms: `REST_MS` in sdk/src/way.rs. */
const REST = 500;

/** How the page's events come in. */
export interface Hearing {
  hear(event: Event, kept?: Facts): void;
  /** Looks where the pointer is, if that is due. */
  look(at: number): void;
}

/** How the page's events come in. */
export function hearing(shell: Shell, forms: Forms, looking: Looking): Hearing {
  const { step, settle, arm, alive, name, view, held, entry, give, options } = shell;
  const { pressed: follow, clicked } = outcome(step, options.dead ?? DEAD, options.sparePresses);
  /** The page has been left; whatever comes then comes of a page that is back. */
  let left = false;
  // Where bytes are dear, the way of a pointer is left out.
  const followed = +!shell.thin;
  // What lies under the pointer, what of it one can press, and a number for that.
  let under: Element | undefined;
  let over: Element | undefined;
  let number = 0;
  let last: PointerEvent;
  // What was scrolled, and when.
  const scrolled = new Map<Element | Document, number>();
  // Frames, the documents of theirs that are heard, and where the one stands that was pressed in last.
  const frames = document.getElementsByTagName("iframe");
  const heard = new WeakSet<Document>();
  let frameX = 0;
  let frameY = 0;

  // A press at a place in the window; without one it counts for the middle of the box.
  function press(kind: number, at: number, event: MouseEvent, facts: Now, how: number, placed = true): void {
    const { element, interactive, box, layer } = pressed(facts.under, facts.boxOf);
    const { left, top, width, height } = box;
    const x = placed ? event.clientX : left + width / 2;
    const y = placed ? event.clientY : top + height / 2;
    const frame = frameOf(element);
    const outer = frame?.getBoundingClientRect();
    frameX = outer ? outer.left + frame!.clientLeft : 0;
    frameY = outer ? outer.top + frame!.clientTop : 0;
    alive(at);
    name(element, new DOMRect(left + frameX, top + frameY, width, height), interactive);
    const across = width > 0 && placed ? (x - left) / width : 0.5;
    const down = height > 0 && placed ? (y - top) / height : 0.5;
    // Only the main button presses; and what is told later was not watched.
    const watched = kind !== Kind.RESTS && !(how & BUTTONS) && !facts.kept;
    const signs = watched ? follow(facts.path, element) : 0;
    const packed = how | (layer << 2) | (interactive ? PRESSABLE : 0) | signs;
    const place = (steps(across) << 10) | steps(down);
    step(kind, at, facts.page[0], facts.page[1], packed, x + frameX, y + frameY, place, 0, (event as PointerEvent).pointerId);
  }

  // Once what was scrolled is laid out, or before what follows.
  function settleScrolls(): void {
    for (const [target, at] of scrolled) {
      const root = (target as Document).scrollingElement;
      const { scrollLeft, scrollTop } = root ?? (target as Element);
      if (target === document) step(Kind.SCROLLED, at, scrollX, scrollY);
      else {
        name(root ? frameOf(root)! : (target as Element));
        step(Kind.SCROLLED_INNER, at, scrollLeft, scrollTop);
      }
    }
    scrolled.clear();
  }

  function look(at: number): void {
    for (const { contentDocument: page } of frames) {
      // None where it is of another origin.
      if (!page || heard.has(page)) continue;
      heard.add(page);
      entry.listen("add", page);
    }
    const wanted = step(Kind.LOOK, at);
    if (!wanted) return;
    if (!over?.matches(":hover")) step(Kind.AWAY, at);
    else if (wanted < 2) press(Kind.RESTS, at, last, now(last, undefined, over), kindOf(last));
  }

  function hear(event: Event, kept?: Facts): void {
    const facts = now(event, kept);
    const frame = frameOf(facts.under);
    const pointer = event as PointerEvent;
    const kind = kindOf(pointer);
    let at = event.timeStamp;
    let x = pointer.clientX;
    let y = pointer.clientY;
    if (frame) {
      const { contentDocument, contentWindow } = frame;
      // One that records itself, and what only the page is asked for.
      if ((contentDocument as Framed)?.upriver || event.type === "visibilitychange") return;
      at += contentWindow!.performance.timeOrigin - performance.timeOrigin;
      x += frameX;
      y += frameY;
    }
    if (left && !facts.hidden) {
      left = false;
      held(true);
      step(Kind.RESUME, at);
      show(at, 1);
      view(at, 2);
    }
    // Those of a pointer, a key or a wheel.
    if (pointer.view) step(Kind.ALIVE, at);
    const id = pointer.pointerId;
    const moves = (input: number) => step(input, at, 0, 0, TOUCH, x, y, 0, 0, id);
    switch (event.type) {
      case "pointermove":
        // Of a finger, and in a frame, what comes of a press is followed, no more.
        if (kind === TOUCH || frame) {
          moves(Kind.MOVE);
          break;
        }
        alive(at, true);
        last = pointer;
        if (under !== facts.under) {
          under = facts.under;
          const found = pressable(under);
          if (found !== over) number++;
          over = found;
        }
        for (const each of coalesced(pointer)) {
          step(Kind.MOVE, each.timeStamp, over ? number : 0, followed, kind, each.clientX, each.clientY, 0, 0, id);
        }
        return arm(at + REST);
      case "pointerdown": {
        if (facts.under.nodeType !== 1 || (kind === 0 && onScrollbar(facts.under, pointer.clientX, pointer.clientY, facts.boxOf))) return;
        const button = Math.min(Math.max(pointer.button, 0), BUTTON_OTHER);
        press(Kind.DOWN, at, pointer, facts, kind | (button << 4) | (pointer.isPrimary ? FIRST_OF_KIND : 0));
        break;
      }
      case "pointerup":
        moves(Kind.UP);
        break;
      case "pointercancel":
        moves(Kind.CANCEL);
        break;
      case "error":
      case "unhandledrejection": {
        const found = fault(event);
        if (!found) return;
        give(encoder.encode(found[0]));
        step(Kind.NAME, at);
        give(found[1]);
        step(Kind.FAULT, at);
        break;
      }
      case "submit":
        // Unless a script sends it, another page comes, however late.
        setTimeout(() => event.defaultPrevented || step(Kind.EFFECT, performance.now(), 1));
        forms.submitted(facts.under as HTMLFormElement, at);
        break;
      case "click":
        forms.used(event, facts.under, at);
        if (step(Kind.CLICK, at, pointer.detail) && facts.under) {
          const placed = pointer.detail > 0;
          press(Kind.ACTIVATED, at, pointer, facts, placed ? kind : KEYBOARD, placed);
        }
        if (!kept) clicked(event);
        break;
      case "keydown": {
        const { repeat, key } = event as KeyboardEvent;
        step(Kind.KEY, at, +repeat);
        forms.used(event, facts.under, at);
        // What a site has made pressable by itself makes no click when a key is pressed.
        if (!repeat && facts.under && /^( |Enter)$/.test(key) && byHand(facts.under)) {
          press(Kind.ACTIVATED, at, pointer, facts, KEYBOARD, false);
          if (!kept) clicked(event);
        }
        break;
      }
      case "touchmove":
      case "touchend": {
        const { touches, changedTouches } = event as TouchEvent;
        const ends = event.type === "touchend";
        const [touch, second] = ends ? changedTouches : touches;
        const input = ends ? Kind.TOUCH_END : Kind.TOUCH_MOVE;
        const [left, top] = frame ? [frameX, frameY] : [0, 0];
        const other = second ? [second.clientX + left, second.clientY + top] : [];
        if (touch) step(input, at, +!!second, 0, 0, touch.clientX + left, touch.clientY + top, ...other);
        break;
      }
      case "wheel":
        step(Kind.WHEEL, at);
        break;
      case "scroll":
        // Not read before it is laid out: that would be done twice.
        if (!scrolled.size) setTimeout(() => (settleScrolls(), settle()));
        scrolled.set(facts.under, at);
        return;
      default:
        stands(event, facts);
        return settle();
    }
    settle();
  }

  // The page is shown, hidden or left.
  function stands({ type, timeStamp: at }: Event, { page, hidden }: Now): void {
    const leaves = type === "pagehide";
    if (!leaves && !hidden) {
      step(Kind.RESUME, at);
      return show(at, 1);
    }
    // Where the last movement ended: no event may tell of it any more.
    settleScrolls();
    step(Kind.SCROLLED, at, ...page);
    show(at, 0);
    if (leaves) forms.left(at);
    step(Kind.LEAVE, at);
    if (leaves) {
      step(Kind.PAUSE, at);
      held(false);
    }
    left ||= leaves;
  }

  function show(at: number, visible: number): void {
    step(Kind.SHOWN, at, visible);
    looking.since(visible ? at : Infinity);
  }

  return { hear, look };
}

/** What is true of an event, told now or then. */
interface Now {
  path: EventTarget[];
  /** It is told later. */
  kept: boolean;
  /** The element it is about, also inside an open shadow root. */
  under: Element;
  page: [number, number];
  hidden: boolean;
  boxOf: (element: Element) => DOMRect;
}

function now(event: Event, kept?: Facts, under?: Element): Now {
  const path = kept?.path ?? event.composedPath();
  const [x, y] = kept?.at ?? [];
  return {
    path,
    kept: !!kept,
    under: under ?? (path[0] as Element),
    // Read when asked for: most events ask for none of it.
    get page(): [number, number] {
      return [x ?? scrollX, y ?? scrollY];
    },
    hidden: kept?.hidden ?? document.hidden,
    boxOf: (element) => kept?.boxes[path.indexOf(element)] ?? element.getBoundingClientRect(),
  };
}

// A fraction of a box as the wire has it; what is beyond its edge is at its edge.
const steps = (fraction: number) => Math.min(Math.max(fraction * 1023 + 0.5, 0), 1023);

const kindOf = (pointer: PointerEvent) => Math.max(POINTERS.indexOf(pointer.pointerType), 0);

// All places of a movement; a browser may tell of several at once.
function coalesced(pointer: PointerEvent): PointerEvent[] {
  const all = pointer.getCoalescedEvents?.();
  return all?.length ? all : [pointer];
}
