// What a release did, in a few words: which shares clearly changed, and whether that is good.

import { RELEASE_MEASURES, type ReleaseMeasure, type ReleaseRow } from "../api";

/** Of each measure what visitors did, what that is called, and whether more of it is good. */
export const MEASURES: Record<ReleaseMeasure, { did: string; noun: string; good: boolean }> = {
  converted: { did: "converted", noun: "conversions", good: true },
  raged: { did: "pressed again and again", noun: "angry presses", good: false },
  dead: { did: "pressed in vain", noun: "presses in vain", good: false },
  error_pressed: { did: "got an error from a press", noun: "presses that fail", good: false },
  faulted: { did: "met a script error", noun: "script errors", good: false },
};

/** Whether a share clearly changed: its interval leaves out zero. */
export function change(row: ReleaseRow, measure: ReleaseMeasure): "better" | "worse" | "open" {
  const rose = row[measure];
  if (!rose || (rose.low <= 0 && rose.high >= 0)) return "open";
  return rose.low > 0 === MEASURES[measure].good ? "better" : "worse";
}

/** All of it in one sentence, what is worse first. */
export function verdict(row: ReleaseRow): { kind: "better" | "worse" | "open"; text: string } {
  const named = (kind: "better" | "worse"): string =>
    RELEASE_MEASURES.filter((measure) => change(row, measure) === kind).map((measure) => MEASURES[measure].noun).join(", ");
  const [worse, better] = [named("worse"), named("better")];
  if (worse) return { kind: "worse", text: `Worse: ${worse}.${better ? ` Better: ${better}.` : ""}` };
  if (better) return { kind: "better", text: `Better: ${better}.` };
  if (row.span_ms === 0) return { kind: "open", text: "Its first whole minute is not over yet." };
  if (row.before.visitors === 0) return { kind: "open", text: "Nobody was here before it, so there is nothing to compare." };
  if (row.after.visitors === 0) return { kind: "open", text: "Nobody has been here since." };
  return { kind: "open", text: "Nothing has clearly changed." };
}
