// What the dashboard shows to whoever may see a part of it only, with a real collector.

import type { Browser } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openBrowser, openPage } from "./browser";
import { startCollector, WALL_TOKEN, type Collector } from "./collector.mjs";

let browser: Browser;
let collector: Collector;

beforeAll(async () => {
  browser = await openBrowser();
  collector = await startCollector();
});
afterAll(async () => {
  await browser.close();
  await collector.stop();
});

it("says of what a token may not see that it may not, and is live all the same", async () => {
  // As a proxy in front of a screen on a wall adds it.
  const { page } = await openPage(browser, { extraHTTPHeaders: { authorization: `Bearer ${WALL_TOKEN}` } });
  await page.goto(collector.relay.origin);
  const visitors = page.getByRole("region", { name: "Who is here", exact: true });
  await visitors.getByText("This access does not show it.").waitFor();
  expect(await visitors.textContent()).toContain("lacks the scope visitors:read");
  await expect.poll(() => page.getByRole("banner").getByRole("status").textContent()).toBe("live");
  await collector.tell("seen");
  const newest = page.locator(".activity .entry").first();
  await expect.poll(() => newest.textContent()).toContain("event seen");
  // Nor does it stand there by whom.
  expect(await newest.locator(".entry-visitor").count()).toBe(0);
});
