// How the links of single resources add up to that of the page.

import { expect, it } from "vitest";
import { worst, type Link } from "./watched";

it("is refused before lost before connecting before live, and as old as the oldest", () => {
  const live: Link = { kind: "live", via: "websocket" };
  expect(worst([live, { kind: "lost", asOfMs: 20 }, { kind: "lost", asOfMs: 10 }])).toEqual({ kind: "lost", asOfMs: 10 });
  expect(worst([live, { kind: "connecting" }])).toEqual({ kind: "connecting" });
  expect(worst([{ kind: "lost", asOfMs: 1 }, { kind: "refused", status: 401, message: "" }]).kind).toBe("refused");
  expect(worst([live, live])).toEqual(live);
  // What this access may not see makes nothing else less true.
  const forbidden: Link = { kind: "refused", status: 403, message: "" };
  expect(worst([forbidden, live])).toEqual(live);
  expect(worst([forbidden, { kind: "lost", asOfMs: 10 }]).kind).toBe("lost");
  expect(worst([forbidden, forbidden])).toEqual(forbidden);
});
