// Making, changing and removing a funnel on the dashboard, with a real collector.

import type { Browser, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { openBrowser, openPage } from "./browser";
import { startCollector, WALL_TOKEN, type Collector } from "./collector.mjs";

let browser: Browser;
let collector: Collector;

beforeAll(async () => { browser = await openBrowser(); });
afterAll(async () => { await browser.close(); });
beforeEach(async () => { collector = await startCollector({ site: FILE }); });
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await collector.stop();
});

/** A funnel of the sites file: it is shown, and cannot be changed here. */
const FILE = `
[[site.funnel]]
id = "in-file"
name = "In the file"
window = "30m"
step = [{ name = "First", kind = "custom", event = "first" }, { name = "Second", kind = "custom", event = "second" }]
`;

const panel = (page: Page) => page.getByRole("region", { name: /^Funnel/ });
const counts = (page: Page): Promise<string[]> => panel(page).locator(".step-count .figure").allTextContents();
const names = (page: Page): Promise<string[]> => panel(page).locator(".step-title").allTextContents();
const step = (page: Page, number: number) => page.getByRole("group", { name: `Step ${number}` });

/** Whether all of the open form is inside of the window's width, and what an audit complains of. */
async function audit(page: Page): Promise<unknown> {
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(where: string): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
    const { violations } = await axe.run("dialog");
    const dialog = document.querySelector("dialog")!;
    const wide = [...dialog.querySelectorAll("*"), dialog].filter((element) => element.getBoundingClientRect().right > innerWidth);
    return { violations: violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), wide: wide.map((element) => element.outerHTML.slice(0, 80)) };
  });
}

it("makes a funnel whose numbers come, changes it, and removes it", async () => {
  await collector.tell("first");
  const { page, complaints } = await openPage(browser);
  await page.goto(collector.login);
  await expect.poll(() => counts(page)).toEqual(["1", "0"]);
  // What stands in the sites file is changed there.
  await page.getByRole("button", { name: "New funnel" }).waitFor();
  expect(await page.getByRole("button", { name: "Change", exact: true }).count()).toBe(0);

  await page.getByRole("button", { name: "New funnel" }).click();
  const dialog = page.getByRole("dialog", { name: "New funnel" });
  await dialog.getByLabel("Name").first().fill("Looks & listens");
  for (const [number, name, event] of [[1, "Looks", "first"], [2, "Listens", "second"]] as const) {
    await step(page, number).getByLabel("Name", { exact: true }).fill(name);
    await step(page, number).getByLabel("What the visitor does").selectOption("custom");
    await step(page, number).getByLabel("Event name").fill(event);
  }
  expect(await audit(page)).toEqual({ violations: [], wide: [] });
  // What the collector says stands beside the field it says it of.
  await dialog.getByLabel("All of it within").fill("90");
  await dialog.getByLabel("Unit of time").selectOption("d");
  // In a window too low for all of the form, which shows its beginning.
  await page.setViewportSize({ width: 1_000, height: 500 });
  await dialog.evaluate((element) => { element.scrollTop = 0; });
  await dialog.getByRole("button", { name: "Make the funnel" }).click();
  const window = dialog.getByLabel("All of it within");
  await expect.poll(() => window.getAttribute("aria-invalid")).toBe("true");
  await expect.poll(() => window.evaluate((input) => input === document.activeElement)).toBe(true);
  const said = await window.getAttribute("aria-describedby");
  // In sight, and not under the buttons.
  const [words, buttons] = [await page.locator(`[id="${said}"]`).boundingBox(), await dialog.locator(".define-actions").boundingBox()];
  expect(words!.y + words!.height).toBeLessThanOrEqual(buttons!.y);
  await page.setViewportSize({ width: 1_440, height: 900 });
  expect(await page.locator(`[id="${said}"]`).textContent()).toBe("window must be between 1ms and 30d");
  await dialog.getByLabel("Unit of time").selectOption("m");
  await dialog.getByRole("button", { name: "Make the funnel" }).click();
  await dialog.waitFor({ state: "detached" });

  // What was before it, and what comes.
  await expect.poll(() => names(page)).toEqual(["Looks", "Listens"]);
  await expect.poll(() => counts(page)).toEqual(["1", "0"]);
  await collector.tell("second");
  await expect.poll(() => counts(page)).toEqual(["1", "1"]);
  expect(await panel(page).getByLabel("Funnel", { exact: true }).locator("option").allTextContents()).toEqual(["In the file", "Looks & listens"]);

  // By keyboard: another step that nobody has taken.
  await page.getByRole("button", { name: "Change", exact: true }).focus();
  await page.keyboard.press("Enter");
  const change = page.getByRole("dialog", { name: "Change the funnel" });
  expect(await change.getByLabel("All of it within").inputValue()).toBe("90");
  expect(await step(page, 2).getByLabel("Event name").inputValue()).toBe("second");
  await change.getByRole("button", { name: "Add a step" }).press("Enter");
  await step(page, 3).getByLabel("Name", { exact: true }).fill("Buys");
  await step(page, 3).getByLabel("What the visitor does").selectOption("conversion");
  await change.getByLabel("Name").first().fill("Looks and buys");
  await change.getByLabel("Name").first().press("Enter");
  await expect.poll(() => names(page)).toEqual(["Looks", "Listens", "Buys"]);
  await expect.poll(() => counts(page)).toEqual(["1", "1", "0"]);
  await expect.poll(() => panel(page).locator("option:checked").textContent()).toBe("Looks and buys");

  // One press removes nothing.
  await page.getByRole("button", { name: "Change", exact: true }).click();
  await change.getByRole("button", { name: "Remove", exact: true }).click();
  await page.keyboard.press("Escape");
  await change.waitFor({ state: "detached" });
  expect(await names(page)).toEqual(["Looks", "Listens", "Buys"]);
  await page.getByRole("button", { name: "Change", exact: true }).click();
  await change.getByRole("button", { name: "Remove", exact: true }).click();
  await change.getByRole("button", { name: "Really remove it?" }).click();
  await expect.poll(() => names(page)).toEqual(["First", "Second"]);
  await expect.poll(() => panel(page).locator("option").count()).toBe(0);
  expect(complaints.filter((text) => !text.includes("400"))).toEqual([]);
});

it("does not let two people overwrite each other", async () => {
  const { page } = await openPage(browser);
  await page.goto(collector.login);
  const body = { name: "Both", window: "30m", step: [{ name: "A", kind: "page_view" }, { name: "B", kind: "conversion" }] };
  await collector.define("funnel/both", body);
  await page.reload();
  await panel(page).getByLabel("Funnel", { exact: true }).selectOption("both");
  await page.getByRole("button", { name: "Change", exact: true }).click();
  const change = page.getByRole("dialog", { name: "Change the funnel" });
  await collector.define("funnel/both", { ...body, name: "Theirs" });
  await change.getByLabel("Name").first().fill("Mine");
  await change.getByRole("button", { name: "Save" }).click();
  await change.getByText("Somebody else changed this funnel meanwhile").waitFor();
  expect((await collector.definition("funnel/both")).body).toMatchObject({ name: "Theirs" });
});

it("fits a phone, and keeps what it does not show", async () => {
  const body = {
    name: "Rich", window: "1h 30m",
    step: [{ name: "A", kind: "page_view", page: "/product/*", props: {} }, { name: "B", kind: "swipe", element: "00000000000000ff", props: { side: "left" } }],
    exclude: [{ name: "Back", kind: "page_view", page: "/returns" }],
  };
  await collector.define("funnel/rich", body);
  const { page } = await openPage(browser, { viewport: { width: 360, height: 740 } });
  await page.goto(collector.login);
  await panel(page).getByLabel("Funnel", { exact: true }).selectOption("rich");
  await page.getByRole("button", { name: "Change", exact: true }).click();
  const change = page.getByRole("dialog", { name: "Change the funnel" });
  await change.getByText("Only with element 00000000000000ff, side = left").waitFor();
  expect(await audit(page)).toEqual({ violations: [], wide: [] });
  await change.getByLabel("Name").first().fill("Richer");
  await change.getByRole("button", { name: "Save" }).click();
  await change.waitFor({ state: "detached" });
  expect((await collector.definition("funnel/rich")).body).toEqual({ ...body, name: "Richer" });
});

it("offers nothing to whoever may not define", async () => {
  const { page } = await openPage(browser, { extraHTTPHeaders: { authorization: `Bearer ${WALL_TOKEN}` } });
  await page.goto(collector.relay.origin);
  await expect.poll(() => names(page)).toEqual(["First", "Second"]);
  await expect.poll(() => page.getByRole("banner").getByRole("status").textContent()).toBe("live");
  expect(await page.getByRole("button", { name: /^(New funnel|Change)$/ }).count()).toBe(0);
});
