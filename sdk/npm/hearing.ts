// What each event of the page says to the recorder.
//
// Owns the reading of events, as they are told or later, with the facts kept from then. Knows
// nothing of what a press or a gesture is, and adds no listener.

import type { Shell } from "./core.js";
import { byHand, onScrollbar, pressed } from "./element.js";
import type { Forms } from "./forms.js";
import type { Facts } from "./index.js";
import type { Looking } from "./looking.js";
import * as wasm from "./wasm.js";

const POINTERS = ["mouse", "touch", "pen"];
const KEYBOARD = 3;
const BUTTON_OTHER = 3;
const FIRST_OF_KIND = 64;
/** A mouse that only moves sets the timer at most this often, ms. */
const MOVED_EVERY = 1_000;

/** How the page's events come in. */
export function hearing(shell: Shell, forms: Forms, looking: Looking) {
  const { recorder, step, settle, alive, name, view, click } = shell;
  /** The page has been left; whatever comes then comes of a page that is back. */
  let left = false;
  /** When the timer was last set by a mouse that only moves. */
  let moved = 0;

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
    const id = (event as PointerEvent).pointerId;
    step(kind, at, facts.page[0], facts.page[1], how | (layer << 2), x, y, across, down, id);
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
    const kind = Math.max(POINTERS.indexOf(pointer.pointerType), 0);
    const moves = (input: number) => step(input, at, 0, 0, 0, x, y, 0, 0, id);
    switch (event.type) {
      case "pointermove":
        // Nothing is read of the movements of a mouse.
        if (kind === 0 || !recorder(wasm.TOUCHING)) {
          if (at < moved + MOVED_EVERY) return;
          moved = at;
          break;
        }
        moves(wasm.MOVE);
        break;
      case "pointerdown": {
        if (!(facts.under instanceof Element) || (kind === 0 && onScrollbar(facts.under, x, y, facts.boxOf))) return;
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
        if (click(at, pointer.detail) && facts.under) {
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
        const touch = (event as TouchEvent).changedTouches[0];
        const input = event.type === "touchend" ? wasm.TOUCH_END : wasm.TOUCH_MOVE;
        if (touch) step(input, at, 0, 0, 0, touch.clientX, touch.clientY);
        break;
      }
      case "wheel":
        step(wasm.WHEEL, at);
        break;
      case "scroll":
        if (facts.path[0] instanceof Element) {
          name(facts.path[0]);
          step(wasm.SCROLLED_INNER, at, ...facts.inner);
        } else step(wasm.SCROLLED, at, ...facts.page);
        break;
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

  return hear;
}

/** What is true of an event, told now or then. */
interface Now {
  path: EventTarget[];
  /** The element it is about, also inside an open shadow root. */
  under: Element;
  page: [number, number];
  inner: [number, number];
  hidden: boolean;
  boxOf: (element: Element) => DOMRect;
}

function now(event: Event, kept?: Facts): Now {
  const path = kept?.path ?? event.composedPath();
  const under = path[0] as Element;
  const [left, top, x, y] = kept?.at ?? [];
  const place = (at: number) => Math.max(at + 0.5, 0);
  return {
    path,
    under,
    // Read when asked for: most events ask for none of it.
    get page(): [number, number] {
      return [place(x ?? scrollX), place(y ?? scrollY)];
    },
    get inner(): [number, number] {
      return [left ?? under.scrollLeft, top ?? under.scrollTop];
    },
    hidden: kept?.hidden ?? document.hidden,
    boxOf: (element) => kept?.boxes[path.indexOf(element)] ?? element.getBoundingClientRect(),
  };
}
