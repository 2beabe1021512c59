// Snapshots and deltas merged into what a view shows.

import { describe, expect, it } from "vitest";
import type { CampaignRow, Update, Resources, ResourceName } from "./api";
import { ACTIVITY_ITEMS_MAX, merge, type Held } from "./merge";

const basis = { definition: "what", sql: "SELECT 1", from_ms: 5, complete: true };
const HEAT = { page: "/", kind: "press", unit: "events", over: "element", columns: 16, rows: 16 } as const;

function after<N extends ResourceName>(name: N, ...updates: [Update<Resources[N]>["type"], Resources[N]][]): Held[N] {
  let held: Held[N] | undefined;
  updates.forEach(([type, data], seq) => { held = merge(name, held, { seq, type, data }); });
  return held as Held[N];
}

const campaign = (source: string, name: string, visitors: number): CampaignRow => ({
  source, medium: "", campaign: name, visitors, engaged: 0, converted: 0, conversions: 0,
  value: [], rate: 0, rate_low: 0, rate_high: 0, minutes: [],
});

const item = (id: number): Resources["activity"]["items"][number] => ({
  id, time_ms: id, visitor: "00000000", kind: "press", path: "/", about: "", element: "0000000000000000", value: null,
  campaign: { source: "", medium: "", campaign: "", term: "", content: "" }, device: "phone",
});

const overview = {
  visitors: 1, page_views: 1, presses: 1, scrolls: 0, swipes: 0, customs: 0, conversions: 0, exposures: 0,
};

describe("merge", () => {
  it("keeps the basis of the snapshot through deltas, and forgets it with the next snapshot", () => {
    const value = [{ currency: "EUR", micros: 1 }];
    const held = after("overview", ["snapshot", { ...overview, basis, value }], ["delta", { ...overview, visitors: 2, value: [] }]);
    expect(held.basis).toEqual(basis);
    expect(held.visitors).toBe(2);
    expect(held.value.map(({ currency, micros }) => [currency, micros])).toEqual([["EUR", 1]]);
    const anew = after("overview", ["snapshot", { ...overview, basis, value }], ["snapshot", { ...overview, value: [] }]);
    expect(anew.basis).toBeUndefined();
    expect(anew.value).toEqual([]);
  });

  it("replaces rows by key, leaves the others, appends new ones", () => {
    const held = after("campaigns",
      ["snapshot", { basis, rows: [campaign("a", "x", 1), campaign("b", "x", 2)] }],
      ["delta", { rows: [campaign("b", "x", 7), campaign("c", "x", 3)] }]);
    expect(held.rows.map((row) => [row.source, row.visitors])).toEqual([["a", 1], ["b", 7], ["c", 3]]);
  });

  it("does not take one composite key for another", () => {
    const held = after("campaigns", ["snapshot", { rows: [campaign("a b", "c", 1), campaign("a", "b c", 2), campaign('a","', "", 3)] }]);
    expect(held.rows).toHaveLength(3);
    expect(new Set(held.rows.map((row) => row.key)).size).toBe(3);
  });

  it("gives the same result when a delta is applied twice", () => {
    const snapshot: Resources["campaigns"] = { rows: [campaign("a", "x", 1)] };
    const delta: Resources["campaigns"] = { rows: [campaign("a", "x", 9)] };
    expect(after("campaigns", ["snapshot", snapshot], ["delta", delta], ["delta", delta]))
      .toEqual(after("campaigns", ["snapshot", snapshot], ["delta", delta]));
  });

  it("forgets rows that a new snapshot does not hold", () => {
    const held = after("pages",
      ["snapshot", { rows: [{ path: "/a", views: 1, visitors: 1, presses: 1 }] }],
      ["snapshot", { rows: [{ path: "/b", views: 1, visitors: 1, presses: 1 }] }]);
    expect(held.rows.map((row) => row.path)).toEqual(["/b"]);
  });

  it("replaces the lists of presence as a whole", () => {
    const held = after("presence",
      ["snapshot", { online: 2, pages: [{ name: "/a", visitors: 1 }, { name: "/b", visitors: 1 }], devices: [], campaigns: [] }],
      ["delta", { online: 1, pages: [{ name: "/b", visitors: 1 }], devices: [], campaigns: [] }]);
    expect(held.pages.map((page) => page.name)).toEqual(["/b"]);
  });

  it("spreads an element's cells over its grid and drops those a newer row leaves out", () => {
    const row = { element: "00000000000000aa", selector: "#a", label: "", role: "", total: 3 };
    const held = after("heatmap",
      ["snapshot", { ...HEAT, total: 3, elements: [{ ...row, cells: [[0, 1], [255, 2]] }] }],
      ["delta", { ...HEAT, total: 5, elements: [{ ...row, total: 5, cells: [[17, 5]] }] }]);
    const { columns, rows, cells: grid } = held.elements[0]!.grid;
    expect([columns, rows]).toEqual([HEAT.columns, HEAT.rows]);
    expect(grid).toHaveLength(HEAT.columns * HEAT.rows);
    expect([...grid].reduce((sum, presses) => sum + presses, 0)).toBe(5);
    expect(grid[17]).toBe(5);
    expect(held.total).toBe(5);
  });

  it("bounds the activity stream, keeps it in order and without doubles", () => {
    const many = Array.from({ length: ACTIVITY_ITEMS_MAX }, (_, index) => item(index + 1));
    const held = after("activity", ["snapshot", { items: many }], ["delta", { items: [item(ACTIVITY_ITEMS_MAX + 1), item(50)] }]);
    expect(held.items).toHaveLength(ACTIVITY_ITEMS_MAX);
    expect(held.items[0]!.id).toBe(2);
    expect(held.items.at(-1)!.id).toBe(ACTIVITY_ITEMS_MAX + 1);
  });

  it("changes neither what was held nor what came", () => {
    const before = after("campaigns", ["snapshot", { rows: [campaign("a", "x", 1)] }]);
    const copy = structuredClone(before);
    merge("campaigns", before, { seq: 2, type: "delta", data: { rows: [campaign("a", "x", 2)] } });
    expect(before).toEqual(copy);
  });
});
