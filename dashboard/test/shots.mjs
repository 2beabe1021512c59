// Takes pictures of the dashboard at phone and desk size, light and dark. `node test/shots.mjs DIR`

import { chromium } from "playwright";
import { startFixture } from "./fixture/server.mjs";

const dir = process.argv[2] ?? "shots";
const fixture = await startFixture();
const browser = await chromium.launch({ executablePath: process.env.UPRIVER_CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
for (const [name, viewport] of [["phone", { width: 390, height: 844 }], ["desk", { width: 1440, height: 900 }]]) {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport, colorScheme, locale: "en-GB" });
    const page = await context.newPage();
    page.on("console", (message) => { if (message.type() === "error") process.stderr.write(`${message.text()}\n`); });
    page.on("pageerror", (error) => process.stderr.write(`${error}\n`));
    await page.goto(fixture.login);
    await page.getByText("Drawn live on the page").waitFor();
    // A frame out of sight draws nothing, and a full-page picture does not bring it into sight.
    await page.locator("iframe").scrollIntoViewIfNeeded();
    await page.waitForTimeout(600);
    await page.screenshot({ path: `${dir}/${name}-${colorScheme}-heat.png` });
    await page.locator(".board").scrollIntoViewIfNeeded();
    await page.locator(".board").getByRole("radio", { name: "By variant" }).check();
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${dir}/${name}-${colorScheme}-board.png` });
    for (const kind of ["attention", "move", "swipe_path", "scroll_direction"]) {
      await page.getByLabel("What is drawn").selectOption(kind);
      await page.locator("iframe").scrollIntoViewIfNeeded();
      await page.waitForTimeout(700);
      if (colorScheme === "dark") await page.locator(".heat").screenshot({ path: `${dir}/${name}-${kind}.png` });
    }
    for (const panel of ["sources", "releases", "errors", "visitors"]) await page.locator(`.${panel}`).screenshot({ path: `${dir}/${name}-${colorScheme}-${panel}.png` });
    await page.evaluate(() => scrollTo(0, 0));
    await page.waitForTimeout(200);
    await page.screenshot({ path: `${dir}/${name}-${colorScheme}.png`, fullPage: true });
    await context.close();
  }
}
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB" });
const page = await context.newPage();
await page.goto(`${fixture.origin}/`);
await page.getByRole("heading").waitFor();
await page.screenshot({ path: `${dir}/login.png` });
await page.goto(fixture.login);
await page.getByLabel("Site", { exact: true }).selectOption("empty");
await page.getByText("No visitors yet").waitFor();
await page.waitForTimeout(300);
await page.screenshot({ path: `${dir}/empty.png`, fullPage: true });
await page.goto(`${fixture.shop}/product/kettle#upriver-overlay=${fixture.ticket()}`);
await page.waitForTimeout(1200);
await page.hover("#buy");
await page.waitForTimeout(200);
await page.screenshot({ path: `${dir}/overlay.png` });
await browser.close();
fixture.close();
