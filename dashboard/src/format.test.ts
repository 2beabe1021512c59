// How numbers, money and times are written.

import { describe, expect, it } from "vitest";
import { campaignName, duration, money, percent, share } from "./format";

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
