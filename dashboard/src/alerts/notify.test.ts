// Which alerts are new.

import { expect, test } from "vitest";
import { createNotifier } from "./notify";

test("what was open when the page came is not news; what opens later is, once", () => {
  const isNew = createNotifier();
  const row = (key: string, open = true) => ({ key, open });
  expect(isNew([row("a"), row("b", false)])).toEqual([]);
  expect(isNew([row("a"), row("b")])).toEqual([row("b")]);
  expect(isNew([row("a"), row("b")])).toEqual([]);
  // Over and open again is news again.
  expect(isNew([row("a", false), row("b")])).toEqual([]);
  expect(isNew([row("a"), row("b")])).toEqual([row("a")]);
});
