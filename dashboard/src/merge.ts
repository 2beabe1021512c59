// How a message changes what a subscriber holds.
//
// Owns: the rule of each live resource (what a delta replaces, what it appends, what it leaves
// alone) and the shape in which the page holds it. Refuses to know: connections, components.
// Pure: `merge` never changes its arguments. Rows carry a `key`, the identity the wire gives them.

import type {
  Activity, ActivityItem, AlertRow, Alerts, Basis, Board, BoardRow, CampaignRow, Campaigns, Count, ErrorRow, Errors,
  ExperimentRow, Experiments, Funnel, FunnelGroup, FunnelStep,
  HeatElement, HeatMap, Money, Overview, PageRow, Pages, Presence, PresentVisitor, PresentVisitors, ReleaseRow,
  Releases, ResourceName, Resources, SourceRow, Sources, Update,
} from "./api";
import type { Grid } from "./draw/heat";

export type Keyed<T> = T & { key: string };

/** An element with its amounts spread out. */
export type HeatRow = Keyed<Omit<HeatElement, "cells"> & { grid: Grid }>;

/** What the page holds of each resource. */
export interface Held {
  overview: Omit<Overview, "value"> & { value: Keyed<Money>[] };
  heatmap: Omit<HeatMap, "elements"> & { elements: HeatRow[] };
  elements: Omit<Board, "rows"> & { rows: Keyed<BoardRow>[] };
  funnel: Omit<Funnel, "groups" | "steps"> & { steps: Keyed<FunnelStep>[]; groups: Keyed<FunnelGroup>[] };
  campaigns: { basis?: Basis; rows: Keyed<CampaignRow>[] };
  experiments: { basis?: Basis; rows: Keyed<ExperimentRow>[] };
  alerts: Omit<Alerts, "rows"> & { rows: Keyed<AlertRow>[] };
  presence: {
    basis?: Basis; online: number;
    pages: Keyed<Count>[]; devices: Keyed<Count>[]; campaigns: Keyed<Count>[];
  };
  "presence/visitors": Omit<PresentVisitors, "rows"> & { rows: Keyed<PresentVisitor>[] };
  sources: { basis?: Basis; rows: Keyed<SourceRow>[] };
  errors: Omit<Errors, "rows"> & { rows: Keyed<ErrorRow>[] };
  releases: Omit<Releases, "rows"> & { rows: Keyed<ReleaseRow>[] };
  pages: { basis?: Basis; rows: Keyed<PageRow>[] };
  activity: { basis?: Basis; items: Keyed<ActivityItem>[] };
}

/** Entries of the activity stream that are kept; older ones go. */
export const ACTIVITY_ITEMS_MAX = 100;

/** Rows of one list that are kept. The collector's own bounds are lower; this one guards the page. */
export const ROWS_MAX = 10_000;

type Rule<N extends ResourceName> = (before: Held[N] | undefined, data: Resources[N]) => Held[N];
type Rules = { [N in ResourceName]: Rule<N> };

/** How messages combine where someone listens to them. */
export type Merge = <N extends ResourceName>(name: N, held: Held[N] | undefined, update: Update<Resources[N]>) => Held[N];

/** What is held after `update`. A delta before any snapshot is taken as far as it goes. */
export const merge: Merge = (name, held, update) => combine(RULES[name], held, update);

/** The same where nothing but heat maps is listened to: the overlay carries no other rule with it. */
export const mergeHeat: Merge = (_, held, update) => combine(heatmap as never, held, update);

function combine<N extends ResourceName>(rule: Rule<N>, held: Held[N] | undefined, update: Update<Resources[N]>): Held[N] {
  const before = update.type === "snapshot" ? undefined : held;
  const after = rule(before, update.data);
  const basis = update.data.basis ?? before?.basis;
  if (basis) after.basis = basis;
  return after;
}

const heatmap: Rule<"heatmap"> = (before, data) => ({
  ...data,
  elements: replace(before?.elements, data.elements.map((element) => heatRow(element, data.columns, data.rows))),
});

const RULES: Rules = {
  overview: (before, data: Overview) => ({
    ...data,
    value: replace(before?.value, keyed(data.value, (money) => money.currency)),
  }),
  heatmap,
  elements: (before, data: Board) => ({
    ...data,
    rows: replace(before?.rows, keyed(data.rows, (row) => row.element)),
  }),
  funnel: (before, data: Funnel) => ({
    ...data,
    steps: data.steps.map((step, index) => ({ ...step, key: String(index) })),
    groups: replace(before?.groups, keyed(data.groups, (group) => composite(group.dimension, group.value))),
  }),
  campaigns: (before, data: Campaigns) => ({
    rows: replace(
      before?.rows,
      keyed(data.rows, (row) => composite(row.source, row.medium, row.campaign)),
    ),
  }),
  experiments: (before, data: Experiments) => ({
    rows: replace(before?.rows, keyed(data.rows, (row) => row.experiment)),
  }),
  alerts: (before, data: Alerts) => {
    const rows = replace(before?.rows, keyed(data.rows, (row) => row.id));
    rows.sort((a, b) => Number(b.open) - Number(a.open) || b.opened_ms - a.opened_ms);
    return { ...data, rows };
  },
  presence: (_, data: Presence) => ({
    online: data.online,
    pages: keyed(data.pages, (count) => count.name),
    devices: keyed(data.devices, (count) => count.name),
    campaigns: keyed(data.campaigns, (count) => count.name),
  }),
  "presence/visitors": (before, data: PresentVisitors) => {
    const rows = replace(before?.rows, keyed(data.rows, (row) => row.visitor));
    rows.sort((a, b) => b.last_ms - a.last_ms || (a.key < b.key ? -1 : 1));
    return { ...data, rows };
  },
  sources: (before, data: Sources) => ({
    rows: replace(before?.rows, keyed(data.rows, (row) => composite(row.source, row.medium, row.referrer))),
  }),
  errors: (before, data: Errors) => {
    const key = (row: ErrorRow): string => composite(row.message, row.source, String(row.line));
    const rows = replace(before?.rows, keyed(data.rows, key));
    rows.sort((a, b) => b.visitors - a.visitors || b.errors - a.errors || (a.key < b.key ? -1 : 1));
    return { ...data, rows };
  },
  releases: (before, data: Releases) => {
    const rows = replace(before?.rows, keyed(data.rows, (row) => composite(row.name, row.id)));
    rows.sort((a, b) => b.at_ms - a.at_ms || (a.key < b.key ? -1 : 1));
    return { ...data, rows };
  },
  pages: (before, data: Pages) => ({
    rows: replace(before?.rows, keyed(data.rows, (row) => row.path)),
  }),
  activity: (before, data: Activity) => {
    const items = replace(before?.items, keyed(data.items, (item) => String(item.id)));
    items.sort((a, b) => a.id - b.id);
    return { items: items.slice(-ACTIVITY_ITEMS_MAX) };
  },
};

/** `old` with the rows of `changed` in the place of those with the same key, new ones at the end. */
function replace<T extends { key: string }>(old: T[] | undefined, changed: T[]): T[] {
  const rows = new Map<string, T>();
  for (const row of old ?? []) rows.set(row.key, row);
  for (const row of changed) {
    if (rows.has(row.key) || rows.size < ROWS_MAX) rows.set(row.key, row);
  }
  return [...rows.values()];
}

function keyed<T>(rows: T[], key: (row: T) => string): Keyed<T>[] {
  return rows.map((row) => ({ ...row, key: key(row) }));
}

// Names come from addresses and may hold any character; JSON keeps ["a","b c"] and ["a b","c"] apart.
function composite(...parts: string[]): string {
  return JSON.stringify(parts);
}

/** Cells of the largest grid there is, over a document. */
const CELLS_MAX = 32 * 128;

function heatRow({ cells, ...element }: HeatElement, columns: number, rows: number): HeatRow {
  const grid = { columns, rows, cells: new Uint32Array(Math.min(columns * rows, CELLS_MAX)) };
  for (const [cell, amount] of cells) grid.cells[cell] = amount;
  return { ...element, key: element.element, grid };
}
