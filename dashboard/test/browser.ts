// The browser the tests drive: one Chromium, one fresh context a test, every complaint on record.

import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright";

const CHROMIUM = process.env["UPRIVER_CHROMIUM"] ?? "/usr/bin/chromium";
/** Longest anything in a page may take: a deadline, not a promise about speed. */
const WAIT_MS_MAX = 60_000;
const ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export const openBrowser = (): Promise<Browser> => chromium.launch({ executablePath: CHROMIUM, args: ARGS, timeout: WAIT_MS_MAX });

/** A page in a context of its own, and the list of errors its console and its policy reported. */
export async function openPage(
  browser: Browser, options: BrowserContextOptions = {},
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1440, height: 900 }, ...options });
  context.setDefaultTimeout(WAIT_MS_MAX);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => { if (message.type() === "error" || message.type() === "warning") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, complaints };
}
