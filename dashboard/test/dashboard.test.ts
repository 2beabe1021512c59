// The dashboard in a real browser, under the collector's exact policy, against the fixture.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Browser, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openBrowser, openPage } from "./browser";
import { startFixture, type Fixture } from "./fixture/server.mjs";

let browser: Browser;
let fixture: Fixture;

beforeAll(async () => { browser = await openBrowser(); });
afterAll(async () => { await browser.close(); });
beforeEach(async () => { fixture = await startFixture(); });
afterEach(async () => {
  fixture.close();
  for (const context of browser.contexts()) await context.close();
});

/** How each panel stands, by its class. */
const links = (page: Page): Promise<Record<string, string>> => page.evaluate(() =>
  Object.fromEntries([...document.querySelectorAll<HTMLElement>("[data-link]")].map((panel) => [panel.classList[1], panel.dataset["link"]!])));

/** Waits until every panel is live: from then on whatever the collector pushes is shown. */
const allLive = (page: Page): Promise<void> => expect.poll(() => links(page)).toEqual(
  Object.fromEntries(PANELS.map((name) => [name, "live"])));

const PANELS = [
  "overview", "alerts", "funnel", "campaigns", "sources", "experiments", "presence", "visitors", "activity", "releases", "errors",
  "heat", "board",
];

describe("alerts and experiments", () => {
  it("shows what is wrong, and what opens, without a reload", async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(fixture.login);
    await allLive(page);
    const alerts = page.getByRole("region", { name: "Alerts" });
    await expect.poll(() => alerts.locator(".alert[data-open]").count()).toBe(1);
    expect(await alerts.textContent()).toContain("0 went on to Order; 31 expected of 96 who came to Cart");
    const { basis: _, ...rest } = fixture.data.shop.alerts;
    const row = { ...rest.rows[1]!, id: "alert_new", open: true, title: "Something else broke" };
    fixture.push("alerts", { ...rest, rows: [row] });
    await expect.poll(() => alerts.locator(".alert[data-open]").count()).toBe(2);
    fixture.push("alerts", { ...rest, rows: [{ ...rest.rows[0]!, open: false }, { ...row, open: false }] });
    await expect.poll(() => alerts.textContent()).toContain("Nothing is wrong.");
    const experiments = page.getByRole("region", { name: "Experiments" });
    expect(await experiments.locator("[data-verdict=better]").count()).toBe(1);
    expect(await experiments.textContent()).toContain("not shown the variants in the planned shares");
    expect(complaints).toEqual([]);
  });
});

describe("sources, releases, errors and who is here", () => {
  it("shows each, and what changes", async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(fixture.login);
    await allLive(page);
    const { shop } = fixture.data;

    const sources = page.getByRole("region", { name: "Sources" });
    expect(await sources.locator("tbody tr").allTextContents()).toHaveLength(4);
    expect(await sources.locator("tbody tr", { hasText: "Direct" }).textContent()).toContain("291");
    fixture.push("sources", { rows: [{ ...shop.sources.rows[2]!, visitors: 300 }] });
    await expect.poll(() => sources.locator("tbody tr", { hasText: "Direct" }).textContent()).toContain("300");

    const errors = page.getByRole("region", { name: "Script errors" });
    const first = errors.locator(".error").first();
    expect(await first.textContent()).toContain("checkout-4f2a.js:118");
    expect(await first.locator(".counts li").allTextContents()).toEqual(["before the first step4", "1 Product2", "2 Cart21", "3 Checkout4"]);
    expect(await errors.locator(".error").nth(1).textContent()).toContain("Nobody it hit was in a funnel");
    fixture.push("errors", { left_out: 2, rows: [{ ...shop.errors.rows[1]!, message: "<b>worse</b>", visitors: 99, errors: 120 }] });
    await expect.poll(() => first.textContent()).toContain("<b>worse</b>99 visitors, 120 times");
    expect(await errors.textContent()).toContain("2 more are not listed");

    const releases = page.getByRole("region", { name: "Releases" });
    expect(await releases.locator(".release-verdict").allTextContents())
      .toEqual(["Worse: angry presses, presses that fail, script errors.", "Better: conversions, presses in vain."]);
    const release = shop.releases.rows[0]!;
    fixture.push("releases", { window_ms: 3_600_000, left_out: 0, rows: [{ ...release, name: "2026.11.3", at_ms: release.at_ms + 60_000, converted: null, raged: null, dead: null, error_pressed: null, faulted: null }] });
    await expect.poll(() => releases.locator(".release h3").first().textContent()).toContain("2026.11.3");
    expect(await releases.locator(".release-verdict").first().textContent()).toBe("Nothing has clearly changed.");
    await releases.getByRole("radio", { name: "15 min" }).check();
    await expect.poll(() => fixture.watched).toContain("/v1/live/releases?site=shop&window=15m");

    const visitors = page.getByRole("region", { name: "Who is here", exact: true });
    const top = visitors.locator("li").first();
    const visitor = shop["presence/visitors"].rows[5]!;
    fixture.push("presence/visitors", { left_out: 0, rows: [{ ...visitor, page: "/cart", kind: "press", label: "Pay", last_ms: visitor.last_ms + 3_600_000 }] });
    await expect.poll(() => top.textContent()).toContain("/cart pressed Pay");
    expect(await visitors.locator("li").count()).toBe(6);
    await visitors.getByRole("button", { name: "Show all 12" }).click();
    expect(await visitors.locator("li").count()).toBe(12);
    expect(complaints).toEqual([]);
  });
});

describe("dashboard", () => {
  it("shows snapshots, then what deltas change and nothing else", async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(fixture.login);
    await allLive(page);
    const overview = page.getByRole("region", { name: "Overview" });
    const presses = overview.locator(".figures-item", { hasText: "Presses" }).locator(".figure");
    await expect.poll(() => presses.textContent()).toBe("4,127");
    const { basis: _, ...rest } = fixture.data.shop.overview;
    fixture.push("overview", { ...rest, presses: 4128 });
    await expect.poll(() => presses.textContent()).toBe("4,128");
    await expect.poll(() => overview.textContent()).toContain("since");

    const campaigns = page.getByRole("region", { name: "Campaigns" });
    await expect.poll(() => campaigns.locator("tbody tr").count()).toBe(4);
    const row = fixture.data.shop.campaigns.rows[0]!;
    fixture.push("campaigns", { rows: [{ ...row, visitors: 543, converted: 10 }, { ...row, campaign: "new-one", visitors: 1 }] });
    await expect.poll(() => campaigns.locator("tbody tr").count()).toBe(5);
    expect(await campaigns.locator("tbody tr").first().textContent()).toContain("543");
    expect(await campaigns.locator("tbody tr", { hasText: "partner" }).textContent()).toContain("33");

    const funnel = page.getByRole("region", { name: "Funnel", exact: true });
    const { basis: __, ...steps } = fixture.data.shop.funnel;
    fixture.push("funnel", { ...steps, steps: steps.steps.map((step, index) => ({ ...step, visitors: step.visitors + (index === 0 ? 1 : 0) })), groups: [] });
    await expect.poll(() => funnel.locator(".step").first().textContent()).toContain("903");
    await expect.poll(() => funnel.textContent()).toContain("What is counted. Visitor-scoped");
    await funnel.getByText("SQL", { exact: true }).click();
    expect(await funnel.locator("pre").textContent()).toContain("windowFunnel");

    fixture.push("activity", { items: [{ ...fixture.data.shop.activity.items[1]!, id: 999, about: "<img src=x onerror=alert(1)>" }] });
    const newest = page.getByRole("region", { name: "Activity, newest first" }).locator("li").first();
    await expect.poll(() => newest.textContent()).toContain("<img src=x onerror=alert(1)>");
    expect(complaints).toEqual([]);
  });

  it("says that it is stale, dims the numbers, and comes back by itself", async () => {
    const { page } = await openPage(browser);
    await page.goto(fixture.login);
    const status = page.getByRole("banner").getByRole("status");
    await allLive(page);
    expect(await status.textContent()).toBe("live");
    fixture.down = true;
    fixture.drop();
    await expect.poll(() => status.textContent()).toMatch(/^stale since \d\d:\d\d:\d\d$/);
    expect(await page.locator(".overview").getAttribute("data-link")).toBe("lost");
    expect(await page.getByText("47 online").count()).toBe(0);
    fixture.data.shop.overview.visitors = 2_000;
    fixture.down = false;
    await allLive(page);
    await expect.poll(() => page.locator(".overview").textContent()).toContain("2,000");
  });

  it("says how to log in, at the start and when the login ends", async () => {
    const { page } = await openPage(browser);
    await page.goto(`${fixture.origin}/`);
    await page.getByRole("heading", { name: "You are not logged in" }).waitFor();
    expect(await page.textContent("main")).toContain("upriver login-link");
    await page.goto(fixture.login);
    await allLive(page);
    await page.context().clearCookies();
    fixture.drop();
    await page.getByRole("heading", { name: "You are not logged in" }).waitFor();
  });

  it("works over server-sent events where WebSockets are kept out", async () => {
    fixture.close();
    fixture = await startFixture({ websocket: false });
    const { page } = await openPage(browser);
    await page.goto(fixture.login);
    await allLive(page);
    const { basis: _, ...rest } = fixture.data.shop.overview;
    fixture.push("overview", { ...rest, visitors: 1_285 });
    await expect.poll(() => page.locator(".overview").textContent()).toContain("1,285");

    // Another choice needs another stream. What is on the page stays live and whole meanwhile.
    const before = fixture.opened.length;
    await page.evaluate(() => {
      const seen = ((window as unknown as { seen: string[] }).seen = []) as (string | undefined)[];
      for (const panel of document.querySelectorAll<HTMLElement>("[data-link]:not(.heat, .board)")) {
        new MutationObserver(() => seen.push(panel.dataset["link"])).observe(panel, { attributeFilter: ["data-link"] });
      }
    });
    await page.getByLabel("From device").selectOption("phone");
    await expect.poll(() => fixture.opened.length).toBeGreaterThan(before);
    await allLive(page);
    fixture.push("overview", { ...rest, visitors: 1_286 });
    await expect.poll(() => page.locator(".overview").textContent()).toContain("1,286");
    expect(await page.evaluate(() => (window as unknown as { seen: string[] }).seen.filter((link) => link !== "live"))).toEqual([]);
    await expect.poll(() => fixture.open).toBe(1);
    // The overlay in the frame has a way of its own, and takes the same.
    await page.getByText("Drawn live on the page").waitFor();
    expect(fixture.opened.filter((opened) => !opened.startsWith("events"))).toEqual([]);
  });

  it("has one connection for all that it shows", async () => {
    const { page } = await openPage(browser);
    await page.goto(fixture.login);
    await allLive(page);
    await page.getByLabel("From device").selectOption("phone");
    await expect.poll(() => fixture.watched.filter((url) => url.includes("/heatmap?") && url.includes("device=phone")).length).toBe(1);
    await allLive(page);
    expect(fixture.opened.filter((opened) => !opened.includes("ticket="))).toEqual(["websocket live"]);
    expect(fixture.open).toBe(1);
    expect(fixture.gets).toEqual([]);
  });

  it("draws the heat map over the framed page, and follows filters and numbers", async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(fixture.login);
    const heat = page.getByRole("region", { name: "Heat map" });
    await page.getByText("Drawn live on the page at 1280 px").waitFor();
    await heat.scrollIntoViewIfNeeded();
    await page.getByText("Drawn live on the page at 1280 px; 1 element is not on it now.").waitFor();
    const frame = page.frames()[1]!;
    await frame.evaluate(() => { document.title = "the same page"; });
    await heat.getByLabel("From device").selectOption("phone");
    await expect.poll(() => fixture.opened.filter((opened) => opened.includes("ticket=") && opened.includes("device=phone")).length).toBeGreaterThan(0);
    await expect.poll(() => fixture.watched.filter((url) => url.includes("/heatmap?") && url.includes("device=phone")).length).toBe(1);
    await allLive(page);
    const element = fixture.data.shop.heatmap.elements[6]!;
    const { basis: _, ...shape } = fixture.data.shop.heatmap;
    fixture.push("heatmap", { ...shape, total: 2_812, elements: [{ ...element, total: 1_000 }] });
    await expect.poll(() => heat.locator(".elements tbody tr").first().textContent()).toContain("Black Friday");
    // A press on its name brings the element into sight in the frame.
    // The page in the frame is still the one it was, and not loaded again.
    expect(await frame.title()).toBe("the same page");
    await frame.evaluate(() => scrollTo(0, 900));
    await heat.getByRole("button", { name: /^Add to basket/ }).click();
    await expect.poll(() => frame.evaluate(() => scrollY)).toBeLessThan(300);
    // A lost connection of the framed overlay gets another ticket from the dashboard around it.
    const tickets = (): number => fixture.opened.filter((opened) => opened.includes("ticket=")).length;
    const before = tickets();
    fixture.drop();
    await expect.poll(tickets).toBeGreaterThan(before);
    await page.getByText("Drawn live on the page").waitFor();
    // The ticket before it was spent: that is how the overlay knows.
    expect(complaints.filter((text) => !text.includes("WebSocket") && !text.includes("401"))).toEqual([]);
  });

  it("draws every kind of heat map, over what it lies over, here and on the page", async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(fixture.login);
    const heat = page.getByRole("region", { name: "Heat map" });
    await page.getByText("Drawn live on the page").waitFor();
    const choose = async (kind: string, words: RegExp): Promise<void> => {
      await heat.getByLabel("What is drawn").selectOption(kind);
      await expect.poll(() => heat.locator(".heat-side").textContent()).toMatch(words);
      await expect.poll(() => fixture.opened.filter((opened) => opened.includes("ticket=") && opened.includes(`kind=${kind}`)).length).toBeGreaterThan(0);
    };
    await choose("hesitation", /^344 hesitations on 1 element.*Add to basket/);
    await choose("attention", /of attentionIn each twentieth.*0–5 %1\.5 h/);
    await choose("move", /of pointerOver the whole page/);
    await choose("swipe_path", /swipesOver the screen/);
    await choose("scroll_direction", /^2,535 scroll gestures.*down2,204 · 87%/);
    await heat.getByLabel("Of which time").selectOption("5m");
    await expect.poll(() => fixture.watched.filter((url) => url.includes("window=5m")).map((url) => url.split("?")[0]).sort())
      .toEqual(["/v1/live/elements", "/v1/live/heatmap"]);
    await allLive(page);
    expect(complaints).toEqual([]);
  });

  it("shows who saw, hesitated and pressed, and compares", async () => {
    const { page } = await openPage(browser);
    await page.goto(fixture.login);
    const board = page.getByRole("region", { name: "Buttons and links" });
    const first = board.locator("tbody").first();
    await expect.poll(() => first.textContent()).toMatch(/^Add to basketbutton#buy902344118 34%363/);
    await board.getByRole("radio", { name: "By variant" }).check();
    await expect.poll(() => first.textContent()).toContain("buy-button=blue");
    const row = fixture.data.shop.elements.rows[0]!;
    fixture.push("elements", { page: "/product/kettle", by: "variant", left_out: 0, rows: [{ ...row, seen: 1_000, groups: [] }] });
    await expect.poll(() => first.textContent()).toContain("1,000");
    // Its name brings the element into sight on the page above.
    await page.getByText("Drawn live on the page").waitFor();
    const frame = page.frames()[1]!;
    await frame.evaluate(() => scrollTo(0, 900));
    await first.getByRole("button", { name: /^Add to basket/ }).click();
    await expect.poll(() => frame.evaluate(() => scrollY)).toBeLessThan(300);
  });

  it("says so when the page refuses to be framed, and still has the table", async () => {
    fixture.close();
    fixture = await startFixture({ framing: false });
    const { page } = await openPage(browser);
    await page.goto(fixture.login);
    await page.getByText("The page has not drawn its heat map here").waitFor();
    await page.getByRole("cell", { name: "612" }).waitFor();
  });

  it("tells what to do while there is nothing, and that history is still loading", async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(fixture.login);
    await page.getByLabel("Site", { exact: true }).selectOption("empty");
    for (const text of ["No visitors yet", "No campaign yet", "No visit yet", "No release within the last day", "No script has failed", "Nobody is here", "Nothing has happened yet", "No page has been seen yet", "History is still loading"]) {
      await page.getByText(text).waitFor();
    }
    expect(complaints).toEqual([]);
  });

  it.each([[360, 740], [390, 844], [768, 1024], [1440, 900], [2560, 1440]])("fits into %i px", async (width, height) => {
    const { page } = await openPage(browser, { viewport: { width, height } });
    await page.goto(fixture.login);
    await page.getByText("Drawn live on the page").waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  });

  it.each(["light", "dark"] as const)("can be read and operated by everyone, in %s", async (colorScheme) => {
    const { page } = await openPage(browser, { colorScheme, reducedMotion: "reduce" });
    await page.goto(fixture.login);
    await page.getByText("Drawn live on the page").waitFor();
    await allLive(page);
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
    const audit = async (): Promise<string[]> => page.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run(root: Document, options: object): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } };
      const { violations } = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa"], iframes: false });
      return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
    });
    expect(await audit()).toEqual([]);
    fixture.down = true;
    fixture.drop();
    await page.getByText(/^stale since/).waitFor();
    expect(await audit()).toEqual([]);
  });

  it("keeps the chosen theme", async () => {
    const { page } = await openPage(browser, { colorScheme: "light" });
    await page.goto(fixture.login);
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await ground();
    await page.getByRole("button", { name: /Change to light/ }).click();
    await page.getByRole("button", { name: /Change to dark/ }).click();
    await expect.poll(ground).not.toBe(before);
    const dark = await ground();
    await page.reload();
    await expect.poll(ground).toBe(dark);
  });
});
