// What is said of a release.

import { expect, it } from "vitest";
import { RELEASE_MEASURES, type ReleaseMeasure, type ReleaseRow } from "../api";
import { change, verdict } from "./verdict";

/** A release with these differences, `[low, high]`; of what is not named nothing changed. */
function release(rose: Partial<Record<ReleaseMeasure, [number, number] | null>>, before = 100, after = 100): ReleaseRow {
  const side = (visitors: number) => ({ visitors }) as ReleaseRow["before"];
  const differences = RELEASE_MEASURES.map((measure) => {
    const interval = rose[measure] === undefined ? [-0.01, 0.01] : rose[measure];
    return [measure, interval && { by: 0, low: interval[0], high: interval[1] }];
  });
  return { name: "1", id: "", at_ms: 0, span_ms: 60_000, before: side(before), after: side(after), ...Object.fromEntries(differences) };
}

it("calls a share changed only where its interval leaves out zero, and more troubles worse", () => {
  const intervals: [number, number][] = [[0.01, 0.2], [-0.2, -0.01], [0, 0.2], [-0.2, 0]];
  expect(intervals.map((interval) => change(release({ converted: interval }), "converted"))).toEqual(["better", "worse", "open", "open"]);
  expect(intervals.map((interval) => change(release({ raged: interval }), "raged"))).toEqual(["worse", "better", "open", "open"]);
  expect(change(release({ dead: null }), "dead")).toBe("open");
});

it("says what is worse first, and why there is nothing to say", () => {
  expect(verdict(release({ converted: [0.1, 0.2], faulted: [0.1, 0.2] }))).toEqual({ kind: "worse", text: "Worse: script errors. Better: conversions." });
  expect(verdict(release({ dead: [-0.2, -0.1] }))).toEqual({ kind: "better", text: "Better: presses in vain." });
  expect([verdict({ ...release({}), span_ms: 0 }), verdict(release({})), verdict(release({}, 0)), verdict(release({}, 1, 0))].map(({ text }) => text)).toEqual([
    "Its first whole minute is not over yet.", "Nothing has clearly changed.", "Nobody was here before it, so there is nothing to compare.", "Nobody has been here since.",
  ]);
});
