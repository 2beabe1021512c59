// What the kinds of heat maps are called, for the dashboard and for the overlay on the page.
//
// Owns: the words and how amounts of each are written. Refuses to know: numbers, drawing.

import { HEAT_KINDS, type HeatKind, type HeatMap } from "../api";

interface Words {
  /** In a list of kinds, and at the head of a column. */
  name: string;
  /** After a number: one, and several. For times: what the time is of. */
  one: string;
  many: string;
}

const WORDS: Record<HeatKind, Words> = {
  press: { name: "Presses", one: "press", many: "presses" },
  rage: { name: "Rage presses", one: "burst of rage presses", many: "bursts of rage presses" },
  dead: { name: "Dead presses", one: "press without effect", many: "presses without effect" },
  error_press: { name: "Presses with an error", one: "press with an error", many: "presses with an error" },
  long_press: { name: "Long presses", one: "long press", many: "long presses" },
  hesitation: { name: "Hesitations", one: "hesitation", many: "hesitations" },
  swipe: { name: "Swipes, where they began", one: "swipe", many: "swipes" },
  swipe_path: { name: "Swipes over the screen", one: "swipe", many: "swipes" },
  swipe_direction: { name: "Swipes by direction", one: "swipe", many: "swipes" },
  move: { name: "Where the pointer was", one: "of pointer", many: "of pointer" },
  attention: { name: "Attention", one: "of attention", many: "of attention" },
  scroll_depth: { name: "Scroll depth", one: "scroll gesture", many: "scroll gestures" },
  scroll_direction: { name: "Scrolls by direction", one: "scroll gesture", many: "scroll gestures" },
  impression: { name: "Impressions", one: "impression", many: "impressions" },
};

/** Every kind with its name, in the order in which one chooses. */
export const KIND_NAMES: readonly { kind: HeatKind; name: string }[] =
  HEAT_KINDS.map((kind) => ({ kind, name: WORDS[kind].name }));

/** What stands over a column of amounts. */
export const kindName = (kind: HeatKind): string => WORDS[kind].name;

/** What stands behind an amount. */
export const kindUnit = (kind: HeatKind, amount: number): string => WORDS[kind][amount === 1 ? "one" : "many"];

/** Whether it is drawn on a page, or has no place on it. */
export const isDrawn = (heat: Pick<HeatMap, "over">): boolean => heat.over !== "directions";

/** Whether amounts are milliseconds. */
export const isTime = (kind: HeatKind): boolean => kind === "move" || kind === "attention";

/** Directions in the order of their cells. */
export const DIRECTIONS = ["to and fro", "up", "down", "left", "right"] as const;

/** The times one chooses from; the first is what the collector takes without a word. */
export const WINDOWS = [
  { value: "", name: "Last day" },
  { value: "today", name: "Today (UTC)" },
  { value: "30m", name: "Last 30 minutes" },
  { value: "5m", name: "Last 5 minutes" },
] as const;

const UNITS: [number, string][] = [[3_600_000, "h"], [60_000, "min"], [1_000, "s"]];

/** A length of time with two digits at least: `3.2 min`, `41 s`, `0.4 s`. */
export function shortTime(ms: number): string {
  const [size, unit] = UNITS.find(([size]) => ms >= size) ?? [1_000, "s"];
  const value = ms / size;
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}
