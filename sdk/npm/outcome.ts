// What a page shows of what came of a press, while that is awaited.
//
// Owns the reading of the page for it, and the MutationObserver, which runs from a press to its
// outcome. Decides nothing (`sdk/src/presses.rs` does): it says what a press may become, and when
// something has changed.
//
// A press *may be dead* when it is on what looks pressable (a link, a button, a role, a hand for a
// cursor) and the page can tell: not when the browser itself answers, as fields, boxes, media,
// canvases, and links to elsewhere do. It *may be rage* but for the same, for what steps (next,
// previous, plus, a label without a letter), and for text that is selected by pressing again.
//
// An effect is any of these: a mutation that changes something; for as long, another address, a field
// or box, something on top of the page, media that start or stop; within 1 s also the focus going
// elsewhere or something beside it coming to sight, as styles alone can do; within 100 ms also a
// selection or a window opened; and the page being stopped by a dialog. Scrolls, page views and leaving
// the page are told by the recorder's other inputs.

import { options, step } from "./core.js";
import { BY_HAND, count, inSight, nearest } from "./element.js";
import { Kind } from "./wasm.js";

const MAY_RAGE = 1 << 8;
const MAY_BE_DEAD = 2 << 8;

const PRESSABLE = `a[href],button,summary,input,${BY_HAND}`;
/** What answers by itself, which no document shows. */
const ANSWERS =
  "input:not([type=button],[type=submit],[type=reset],[type=image]),select,textarea,label,option,video,audio,canvas,iframe,object,embed,[contenteditable],[popovertarget],[role=slider],[role=spinbutton]";
const STEPS = /next|prev(?!ent|iew)|plus|minus|(in|de)cre(ment|ase)|stepper|forward|rewind|zoom/i;
/** As much of an element is looked at for these. */
const MARKUP_MAX = 400;
/** Elements looked at for their values or whether they are to be seen. */
const NEAR_MAX = 64;
/** When an effect is looked for after a click, ms: for what follows at once, for what the browser does,
 * so that the page is never long unwatched, and (just before the press would be dead) at last. */
const LOOKS = [100, 1_000, 1_750];
/** A look that comes so late was kept from it by a dialog that stopped the page, ms. */
const STOPPED = 1_000;

const OBSERVED = { subtree: true, childList: true, attributeOldValue: true, characterDataOldValue: true };
/** As in sdk/src/presses.rs, ms. */
const DEAD = 2_500;

interface Watch {
  targets: EventTarget[];
  pressing: Element;
  was: Shown;
  /** It may be dead. */
  mayBeDead: boolean;
  /** It is known that it had an effect. */
  over?: boolean;
}

// What can change without a mutation: the page; the focus; what is to be seen nearby; the selection; whether the
// page is what is typed into, which a window takes that is opened over it.
type Shown = [string, Element | null, number, number, boolean];

/** From a click to being dead, ms. */
let deadMs: number;
let watch: Watch | undefined;
/** Ends the watch of a press that becomes no click. */
let unclicked: ReturnType<typeof setTimeout>;
/** From then on a look is so late that something has stopped the page: to be told ({@link stopped})
 * before the recorder hears of any later time. */
export let overdue = Infinity;

const effect = (elsewhere: boolean) => step(Kind.EFFECT, performance.now(), +elsewhere);

const observer = new MutationObserver((records) => {
  if (!watch) return;
  const { targets, pressing } = watch;
  // What is set to what it was is no change.
  const real = records.filter(({ target, attributeName, oldValue }) =>
    oldValue !== (attributeName ? (target as Element).getAttribute(attributeName) : (target as Text).data));
  const elsewhere = real.some(({ target, attributeName }) =>
    !pressing.contains(target) && !(attributeName && targets.includes(target)));
  if (real.length) effect(elsewhere);
  if (elsewhere) {
    watch.over = true;
    observer.disconnect();
  }
});

/** Something has stopped the page since the last click: its effect. */
export function stopped(): void {
  overdue = Infinity;
  if (watch) watch.over = true;
  effect(true);
}

// Looks for an effect of a click that was heard at this time, and will again.
function follow(mine: Watch, click: Event, from: number, round = 0): void {
  // Those of a site that waits for less come closer to each other.
  const due = from + Math.min(LOOKS[round] ?? deadMs, deadMs - 40 + 10 * round);
  if (watch === mine) overdue = due + STOPPED;
  setTimeout(() => {
    if (performance.now() > due + STOPPED) effect((mine.over = true));
    if (!mine.over) check(mine, click, round);
    if (!mine.over && mine.mayBeDead && round < LOOKS.length) follow(mine, click, from, round + 1);
    else if (watch !== mine) return;
    else if (mine.over || mine.mayBeDead) stop();
    // To tell rage one look is enough; and what changes by itself is seen.
    else overdue = Infinity;
  }, due - performance.now());
}

function check(mine: Watch, click: Event, round: number): void {
  const { targets, was, pressing } = mine;
  const [page, focus, sight, selected, typed] = shown(pressing);
  if (
    page !== was[0] ||
    (round < 2 && ((focus !== was[1] && !targets.includes(focus!)) || sight > was[2])) ||
    (!round && ((selected && selected !== was[3]) || (was[4] && !typed) || byBrowser(click)))
  ) effect((mine.over = true));
}

function stop(): void {
  clearTimeout(unclicked);
  observer.disconnect();
  watch = undefined;
  overdue = Infinity;
}

/** Presses of another recorder. */
export function begin(): void {
  stop();
  deadMs = options.dead ?? DEAD;
}

/** A press, before the page hears of it: what may become of it. */
export function pressed(targets: EventTarget[], pressing: Element): number {
  const under = targets[0] as Element;
  stop();
  if (nearest(under, [ANSWERS, options.sparePresses].filter(Boolean).join())) return 0;
  const was = shown(pressing);
  const hand = (at: Element) => getComputedStyle(at).cursor === "pointer";
  const pressable = nearest(under, PRESSABLE) || (hand(under) && !hand(document.body));
  const calm = pressable
    ? STEPS.test(pressing.outerHTML.slice(0, MARKUP_MAX)) || /^\s*[^\p{L}\s]\P{L}*$/u.test(pressing.textContent!)
    : was[3];
  // What a component hides inside is not seen.
  const hides = under.localName.includes("-") && !under.shadowRoot;
  const next = pressing.nextElementSibling;
  const opened = next && inSight(next) && /abs|fix/.test(getComputedStyle(next).position);
  const mayBeDead = !!pressable && !hides && !opened;
  watch = { targets, pressing, was, mayBeDead };
  // The document besides, where the press was in a frame of it.
  for (const root of new Set([...targets, document])) if ((root as Node).nodeType > 8) observer.observe(root as Node, OBSERVED);
  // One that becomes no click is not followed.
  unclicked = setTimeout(stop, deadMs);
  return (calm ? 0 : MAY_RAGE) | (mayBeDead ? MAY_BE_DEAD : 0);
}

/** The press became a click, of which the page has yet to hear. */
export function clicked(click: Event): void {
  const mine = watch;
  // What was pressed until the pointer was elsewhere is not what was clicked.
  if (!mine?.pressing.contains(click.composedPath()[0] as Node)) return void effect(false);
  if (mine.mayBeDead) clearTimeout(unclicked);
  follow(mine, click, performance.now());
}

/** Fields and media: lists that the browser keeps, so that a press walks the document for popovers alone. */
const kept = ["input", "textarea", "select", "video", "audio"].map(
  (name) => document.getElementsByTagName(name));

function shown({ parentElement: around }: Element): Shown {
  const { isCollapsed, focusOffset } = getSelection()!;
  // Cut before they are put together: a list may be long, and each press waits for it.
  const near = [around, around?.parentElement].flatMap((it): Element[] => [].slice.call(it?.children ?? [], 0, NEAR_MAX));
  return [
    [
      // A selector of this one state is found several times as fast as in a list.
      location.href.replace(/#$/, ""), count(document, ":popover-open"), !!document.fullscreenElement,
      [].filter.call(kept[0], ({ checked }) => checked).length,
      kept.map((all) => [].slice.call(all, 0, NEAR_MAX).map((it: any) =>
        it.type === "password" || [it.value, it.selectedOptions?.length, it.paused, it.muted])),
    ].join(),
    document.activeElement,
    near.slice(0, NEAR_MAX).filter(inSight).length,
    isCollapsed ? 0 : focusOffset + 1,
    // In a frame it says nothing: people go from one to the next.
    top === self && document.hasFocus(),
  ];
}

// Whether the browser itself does what a click asks for.
function byBrowser(click: Event): boolean {
  const target = click.target as Element;
  const link = nearest(target, "[href]")?.getAttribute("href");
  return (
    (!click.defaultPrevented && link !== undefined && !/^(#|javascript:)/.test(link!)) ||
    // Used up: by a window, a chooser of files, the whole screen.
    (navigator as any).userActivation?.isActive === false
  );
}
