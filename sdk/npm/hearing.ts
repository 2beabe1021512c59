// What each event of the page says to the recorder.
//
// Owns the reading of events, as they are told or later, with the facts kept from then. Knows
// nothing of what a press or a gesture is, and adds no listener.

import type { Shell } from "./core.js";
import { byHand, onScrollbar, pressable, pressed } from "./element.js";
import type { Forms } from "./forms.js";
import type { Facts } from "./types.js";
import type { Looking } from "./looking.js";
import * as wasm from "./wasm.js";

const POINTERS = ["mouse", "touch", "pen"];
const KEYBOARD = 3;
const BUTTON_OTHER = 3;
const FIRST_OF_KIND = 64;
const PRESSABLE = 128;
const TOUCH = 1;

/** How the page's events come in. */
export interface Hearing {
  hear(event: Event, kept?: Facts): void;
  /** Looks where the pointer is, if that is due. */
  look(at: number): void;
}

/** How the page's events come in. */
export function hearing(shell: Shell, forms: Forms, looking: Looking): Hearing {
  const { step, settle, alive, name, view } = shell;
  /** The page has been left; whatever comes then comes of a page that is back. */
  let left = false;
  // Where bytes are dear, the way of a pointer is left out.
  const followed = +!(navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
  // What lies under the pointer, what of it one can press, and a number for that.
  let under: Element | undefined;
  let over: Element | undefined;
  let number = 0;
  let last: PointerEvent;
  // What was scrolled, and when.
  const scrolled = new Map<EventTarget, number>();

  // A press at a place in the window; without one it counts for the middle of the box.
  function press(kind: number, at: number, event: MouseEvent, facts: Now, how: number, placed = true): void {
    const { element, interactive, box, layer } = pressed(facts.under, facts.boxOf);
    const { left, top, width, height } = box;
    const x = placed ? event.clientX : left + width / 2;
    const y = placed ? event.clientY : top + height / 2;
    alive(at);
    name(element, box, interactive);
    const across = width > 0 && placed ? (x - left) / width : 0.5;
    const down = height > 0 && placed ? (y - top) / height : 0.5;
    const packed = how | (layer << 2) | (interactive ? PRESSABLE : 0);
    step(kind, at, facts.page[0], facts.page[1], packed, x, y, across, down, (event as PointerEvent).pointerId);
  }

  // Once what was scrolled is laid out, or before what follows.
  function settleScrolls(): void {
    for (const [target, at] of scrolled) {
      const { scrollLeft, scrollTop } = target as Element;
      if (target === document) step(wasm.SCROLLED, at, scrollX, scrollY);
      else {
        name(target as Element);
        step(wasm.SCROLLED_INNER, at, scrollLeft, scrollTop);
      }
    }
    scrolled.clear();
  }

  function look(at: number): void {
    const wanted = step(wasm.LOOK, at);
    if (!wanted) return;
    if (!over?.matches(":hover")) step(wasm.AWAY, at);
    else if (wanted < 2) press(wasm.RESTS, at, last, now(last, undefined, over), kindOf(last));
  }

  function hear(event: Event, kept?: Facts): void {
    const at = event.timeStamp;
    const facts = now(event, kept);
    if (left && !facts.hidden) {
      left = false;
      step(wasm.RESUME, at);
      show(at, 1);
      view(at, 2);
    }
    // Those of a pointer, a key or a wheel.
    if (event instanceof UIEvent) step(wasm.ALIVE, at);
    const pointer = event as PointerEvent;
    const { clientX: x, clientY: y, pointerId: id } = pointer;
    const kind = kindOf(pointer);
    const moves = (input: number) => step(input, at, 0, 0, 0, x, y, 0, 0, id);
    switch (event.type) {
      case "pointermove":
        if (kind !== TOUCH) {
          alive(at, true);
          last = pointer;
          if (under !== facts.under) {
            under = facts.under;
            const found = pressable(under);
            if (found !== over) number++;
            over = found;
          }
        }
        for (const each of coalesced(pointer)) {
          step(wasm.MOVE, each.timeStamp, over ? number : 0, followed, kind, each.clientX, each.clientY, 0, 0, id);
        }
        break;
      case "pointerdown": {
        if (facts.under.nodeType !== 1 || (kind === 0 && onScrollbar(facts.under, x, y, facts.boxOf))) return;
        const button = Math.min(Math.max(pointer.button, 0), BUTTON_OTHER);
        press(wasm.DOWN, at, pointer, facts, kind | (button << 4) | (pointer.isPrimary ? FIRST_OF_KIND : 0));
        break;
      }
      case "pointerup":
        moves(wasm.UP);
        break;
      case "pointercancel":
        moves(wasm.CANCEL);
        break;
      case "submit":
        forms.submitted(facts.under as HTMLFormElement, at);
        break;
      case "click":
        forms.used(event, facts.under, at);
        if (step(wasm.CLICK, at, pointer.detail) && facts.under) {
          const placed = pointer.detail > 0;
          press(wasm.ACTIVATED, at, pointer, facts, placed ? kind : KEYBOARD, placed);
        }
        break;
      case "keydown": {
        const { repeat, key } = event as KeyboardEvent;
        step(wasm.KEY, at, +repeat);
        forms.used(event, facts.under, at);
        // What a site has made pressable by itself makes no click when a key is pressed.
        if (!repeat && facts.under && /^( |Enter)$/.test(key) && byHand(facts.under)) {
          press(wasm.ACTIVATED, at, pointer, facts, KEYBOARD, false);
        }
        break;
      }
      case "touchmove":
      case "touchend": {
        const { touches, changedTouches } = event as TouchEvent;
        const ends = event.type === "touchend";
        const [touch, second] = ends ? changedTouches : touches;
        const input = ends ? wasm.TOUCH_END : wasm.TOUCH_MOVE;
        if (touch) step(input, at, 0, 0, 0, touch.clientX, touch.clientY, second?.clientX ?? NaN, second?.clientY ?? NaN);
        break;
      }
      case "wheel":
        step(wasm.WHEEL, at);
        break;
      case "scroll":
        // Not read before it is laid out: that would be done twice.
        if (!scrolled.size) setTimeout(() => (settleScrolls(), settle()));
        scrolled.set(facts.path[0]!, at);
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
      step(wasm.RESUME, at);
      return show(at, 1);
    }
    // Where the last movement ended: no event may tell of it any more.
    settleScrolls();
    step(wasm.SCROLLED, at, ...page);
    show(at, 0);
    if (leaves) forms.left(at);
    step(wasm.LEAVE, at);
    if (leaves) step(wasm.PAUSE, at);
    left ||= leaves;
  }

  function show(at: number, visible: number): void {
    step(wasm.SHOWN, at, visible);
    looking.since(at);
  }

  return { hear, look };
}

/** What is true of an event, told now or then. */
interface Now {
  path: EventTarget[];
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
    under: under ?? (path[0] as Element),
    // Read when asked for: most events ask for none of it.
    get page(): [number, number] {
      return [x ?? scrollX, y ?? scrollY];
    },
    hidden: kept?.hidden ?? document.hidden,
    boxOf: (element) => kept?.boxes[path.indexOf(element)] ?? element.getBoundingClientRect(),
  };
}

const kindOf = (pointer: PointerEvent) => Math.max(POINTERS.indexOf(pointer.pointerType), 0);

// All places of a movement; a browser may tell of several at once.
function coalesced(pointer: PointerEvent): PointerEvent[] {
  const all = pointer.getCoalescedEvents?.();
  return all?.length ? all : [pointer];
}
