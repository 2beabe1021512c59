// The debug view: draws on the page what is being captured, as it goes out.
//
// Owns one element in the top layer, behind a closed shadow root and deaf to pointers, so that neither
// the page nor the recorder meets it. Loaded by itself, and only where somebody asked for it. Sees what
// the shell and the recorder say to each other; changes none of it.

import { type Told, read } from "./batch.js";
import type { State } from "./types.js";
import { Kind, type Loaded, taken } from "./wasm.js";

const LINES_MAX = 10;
/** A drawing stays so long, ms. */
const STAYS = 2_500;
const MARKS_MAX = 40;
/** Elements whose selectors are remembered. */
const SELECTORS_MAX = 2_000;

const STYLE = `
  :host { all: initial; position: fixed; inset: 0; width: 100%; height: 100%; border: 0; padding: 0;
    background: none; overflow: hidden; pointer-events: none; z-index: 2147483647; }
  * { box-sizing: border-box; }
  .panel { position: absolute; left: 8px; bottom: 8px; width: min(400px, calc(100% - 16px));
    padding: 8px 10px; border-radius: 8px; background: #0b1526e6; color: #dbe7ff;
    font: 11px/1.5 ui-monospace, Menlo, Consolas, monospace; }
  .state { color: #fff; font-weight: 600; }
  .dot { display: inline-block; width: 8px; height: 8px; margin-right: 6px; border-radius: 50%; background: #9aa7bd; }
  .dot.stream { background: #3ddc97; } .dot.http { background: #ffc857; }
  .dot.offline, .dot.forbidden { background: #ff5d73; }
  .line { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
  .line b { color: #7cc4ff; font-weight: 600; }
  .mark { position: absolute; animation: fade ${STAYS}ms forwards; }
  .press { width: 28px; height: 28px; margin: -14px; border: 3px solid #ff3d81; border-radius: 50%; background: #ff3d8140; }
  .box { border: 2px solid #2f8cff; border-radius: 3px; background: #2f8cff1f; }
  .box span { position: absolute; left: -2px; bottom: 100%; max-width: 260px; padding: 1px 5px; border-radius: 3px;
    overflow: hidden; white-space: nowrap; text-overflow: ellipsis; background: #2f8cff; color: #fff;
    font: 11px/1.5 ui-monospace, Menlo, Consolas, monospace; }
  .box.low span { bottom: auto; top: 100%; }
  .way { height: 4px; border-radius: 2px; background: #ff8a3d; transform-origin: 0 50%; }
  @keyframes fade { 0%, 60% { opacity: 1; } to { opacity: 0; } }`;

/** Watches the recorder. `states`: how events can travel. */
export function watch(loaded: Loaded, states: State[]): void {
  const { recorder, memory } = loaded;
  const view = open();
  const selectors = new Map<string, string>();
  let batches = 0;
  let answers = 0;

  function figures(): void {
    const [recorded, acked, dropped, refused] = [0, 1, 2, 3].map((it) => recorder(Kind.RECORDED + it));
    view.figures(
      states[recorder(Kind.TRANSPORT)]!,
      `${recorded} recorded, ${acked} acked, ${dropped} dropped, ${refused} refused · ${batches} batches, ${answers} answers`,
    );
  }

  function sent(bytes: Uint8Array, way: string): void {
    const { events, firstSeq, selectors: described } = read(bytes);
    batches++;
    for (const [id, selector] of described) if (selectors.size < SELECTORS_MAX) selectors.set(id, selector);
    view.line("batch", `#${firstSeq} ${events.length} events, ${bytes.length} bytes by ${way}`);
    for (const event of events) {
      view.event(event, event.element ? (selectors.get(event.element) ?? "") : "");
    }
  }

  loaded.recorder = (kind, now, ...numbers) => {
    const result = recorder(kind, now, ...numbers);
    try {
      if (kind === Kind.DOWN || kind === Kind.ACTIVATED) view.press(numbers[3]!, numbers[4]!);
      else if (kind === Kind.FRAME || kind === Kind.POSTED) answers++;
      else if (kind === Kind.NEXT && result > 2 && result < 6) sent(taken(recorder, memory), result === 3 ? "stream" : "request");
      if (kind === Kind.NEXT || kind === Kind.FRAME || kind === Kind.POSTED) figures();
    } catch (error) {
      view.line("debug", `${error}`);
    }
    return result;
  };
}

function open() {
  document.querySelector("upriver-debug")?.remove();
  const host = document.createElement("upriver-debug");
  const root = host.attachShadow({ mode: "closed" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const panel = part("panel");
  const state = part("state");
  const counts = part("counts");
  const lines = part("lines");
  panel.append(state, counts, lines);
  root.append(panel);
  document.documentElement.append(host);
  // Above dialogs too, where the browser can.
  if ("popover" in host) {
    host.popover = "manual";
    host.showPopover();
  }

  function part(name: string): HTMLElement {
    const made = document.createElement("div");
    made.className = name;
    return made;
  }

  function mark(name: string, place: Record<string, string>): HTMLElement {
    const made = part(`mark ${name}`);
    Object.assign(made.style, place);
    root.prepend(made);
    setTimeout(() => made.remove(), STAYS);
    const marks = root.querySelectorAll(".mark");
    if (marks.length > MARKS_MAX) marks[marks.length - 1]!.remove();
    return made;
  }

  function line(name: string, words: string): void {
    const made = part("line");
    const kind = document.createElement("b");
    kind.textContent = name;
    made.append(kind, ` ${words}`);
    lines.prepend(made);
    while (lines.childElementCount > LINES_MAX) lines.lastElementChild!.remove();
  }

  function outline(selector: string, words: string): void {
    let element: Element | null = null;
    try {
      element = document.querySelector(selector);
    } catch {}
    if (!element) return;
    const { left, top, width, height } = element.getBoundingClientRect();
    const box = mark(top < 24 ? "box low" : "box", { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    const label = document.createElement("span");
    label.textContent = words;
    box.append(label);
  }

  return {
    line,
    press(x: number, y: number): void {
      mark("press", { left: `${x}px`, top: `${y}px` });
    },
    event({ kind, at, by, words }: Told, selector: string): void {
      line(kind, [selector, by && `${by.x}, ${by.y} px`, words].filter(Boolean).join(" · "));
      if (selector) outline(selector, `${kind} ${selector}`);
      if (at && by) {
        const turn = Math.atan2(by.y, by.x);
        mark("way", { left: `${at.x}px`, top: `${at.y}px`, width: `${Math.hypot(by.x, by.y)}px`, transform: `rotate(${turn}rad)` });
      }
    },
    figures(now: State, words: string): void {
      const dot = document.createElement("span");
      dot.className = `dot ${now}`;
      state.replaceChildren(dot, `upriver: ${now}`);
      counts.textContent = words;
    },
  };
}
