// What the dashboard and the overlay in its frame say to each other by `postMessage`.
//
// Owns: the shapes and the reading of them. Both sides check origin and source before they read;
// everything read is still checked here, because the shop's own scripts share the overlay's origin.

import { HEAT_CHOICE, HEAT_KINDS, type HeatChoice } from "../api";

/** Dashboard → overlay. `ticket` is there when the overlay asked for one. */
export interface OverlaySet extends HeatChoice {
  upriver: "overlay.set";
  ticket?: string;
}

/** Dashboard → overlay: bring this element into sight. */
export interface OverlayShow {
  upriver: "overlay.show";
  /** Its id, 16 hexadecimal digits. */
  element: string;
}

/** Overlay → dashboard, whenever it changes. */
export interface OverlayState {
  upriver: "overlay.state";
  /** Path whose heat map is drawn. */
  page: string;
  /** False while the numbers are not live. */
  live: boolean;
  /** Elements of the heat map that are not on the page. */
  missing: number;
  /** The overlay needs a new ticket to go on. */
  wantsTicket: boolean;
}

/** Characters of a path, a name or a ticket; anything longer is not ours. */
const TEXT_CHARS_MAX = 2048;

export function readSet(data: unknown): OverlaySet | undefined {
  const set = data as Partial<OverlaySet> | null;
  if (typeof set !== "object" || set === null || set.upriver !== "overlay.set") return undefined;
  const names = Object.keys(HEAT_CHOICE) as (keyof HeatChoice)[];
  if (!names.every((name) => isText(set[name])) || !HEAT_KINDS.includes(set.kind as HeatChoice["kind"])) return undefined;
  if (set.ticket !== undefined && !isText(set.ticket)) return undefined;
  return set as OverlaySet;
}

export function readShow(data: unknown): OverlayShow | undefined {
  const show = data as Partial<OverlayShow> | null;
  if (typeof show !== "object" || show === null || show.upriver !== "overlay.show") return undefined;
  return isText(show.element) ? (show as OverlayShow) : undefined;
}

export function readState(data: unknown): OverlayState | undefined {
  const state = data as Partial<OverlayState> | null;
  if (typeof state !== "object" || state === null || state.upriver !== "overlay.state") return undefined;
  const known = isText(state.page) && typeof state.live === "boolean"
    && typeof state.missing === "number" && typeof state.wantsTicket === "boolean";
  return known ? (state as OverlayState) : undefined;
}

const isText = (value: unknown): value is string => typeof value === "string" && value.length <= TEXT_CHARS_MAX;
