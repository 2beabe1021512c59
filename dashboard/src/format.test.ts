// How numbers, money and times are written.

import { describe, expect, it } from "vitest";
import { campaignName, duration, money, percent, share, took } from "./format";

describe("format", () => {
  it("gives small rates the digits they need and never a negative nothing", () => {
    expect(["1", "0.5", "0.099", "0.0123", "0.00123", "0", "-1e-18"].map((value) => percent(Number(value))))
      .toEqual(["100%", "50%", "9.9%", "1.2%", "0.12%", "0%", "0%"]);
  });
  it("has no share of nothing", () => {
    expect(share(1, 0)).toBe("–");
    expect(share(1, 4)).toBe("25%");
  });
  it("reads micros in their currency, and prints codes it does not know", () => {
    expect(money(59_900_000, "EUR")).toContain("59.90");
    expect(money(1_000_000, "not a code")).toBe("1 not a code");
    expect(money(1_000_000, "")).toBe("1");
  });
  it("tells how long something took to two digits", () => {
    expect([0, 340, 4_200, 59_999, 252_000, 7_300_000, 200_000_000].map(took))
      .toEqual(["0 milliseconds", "340 milliseconds", "4.2 seconds", "60 seconds", "4.2 minutes", "2 hours", "2.3 days"]);
  });
  it("names a duration by its largest whole unit", () => {
    expect(duration(1_800_000)).toBe("30 minutes");
    expect(duration(86_400_000)).toBe("1 day");
    expect(duration(90_000)).toBe("90 seconds");
  });
  it("names a campaign by what there is", () => {
    expect(campaignName({ source: "mail", medium: "", campaign: "" })).toBe("mail");
    expect(campaignName({ source: "", medium: "", campaign: "" })).toBe("(none)");
  });
});
