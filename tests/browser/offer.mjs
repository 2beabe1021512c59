// Visitors of the shop who hesitate over the buy button: who is offered something, and what comes of it.
//
// Owns those visitors, and the comparison of what their pages showed with what the collector wrote down of the rule.
// The rule itself is the shop's (demo-site/upriver.toml); which of them are left out is the collector's secret.
import { settleMsMax } from './collector.mjs';
import { devices, personAgent } from './visitor.mjs';

const rule = 'rule:free-delivery';
const product = '/product/heron-kettle';
/** One in five is left out: so many in a row happen once in 400,000 drives. */
const visitorsMax = 8;
/** Beyond the half second from which on it is hesitation. */
const hesitationMs = 700;
const waitMsMax = 20_000;

/** Somebody who does not say that they are a program, as all others of the drive do: those fire no rule. */
async function open(browser, shop) {
  const context = await browser.newContext({ ...devices.desktop, userAgent: personAgent(browser) });
  context.setDefaultTimeout(waitMsMax);
  const page = await context.newPage();
  const streamed = page.waitForEvent('websocket');
  await page.goto(`${shop}${product}`);
  await streamed;
  return page;
}

async function hesitate(page) {
  const { x, y, width, height } = await page.locator('[data-upriver="buy"]').boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2, { steps: 4 });
  await page.waitForTimeout(hesitationMs);
  await page.mouse.move(x + width / 2, Math.max(1, y - 60), { steps: 4 });
}

/** What was written down of the rule: visitors by variant. */
async function written(collector) {
  const sql = `SELECT props['variant'] AS variant, uniqExact(visitor) AS visitors FROM events WHERE site = 'shop' AND kind = 'exposure' AND name = '${rule}' GROUP BY variant`;
  const rows = await collector.rows(sql);
  const of = (name) => Number(rows.find(({ variant }) => variant === name)?.visitors ?? 0);
  return { shown: of('shown'), heldOut: of('held_out') };
}

/** Resolves with what `look` finds as soon as it is something; undefined after `settleMsMax`. */
async function until(look) {
  for (const begun = Date.now(); Date.now() - begun < settleMsMax; ) {
    const found = await look();
    if (found) return found;
    await new Promise((next) => setTimeout(next, 50));
  }
  return undefined;
}

/** Accepts, and says whether the cart keeps the promise: what it holds is below the limit for free delivery. */
async function accepted(page, shop) {
  await page.click('[data-upriver="offer-accept"]');
  await page.goto(`${shop}/product/moss-mug`);
  await page.click('[data-upriver="add-to-cart"]');
  await page.goto(`${shop}/cart`);
  return (await page.locator('main').innerText()).replace(/\s+/g, ' ');
}

/** The checks, in the shape of `compare`'s; and the picture of an offer. */
export async function offers(browser, collector, { shop, picture }) {
  const made = { visitors: 0, shown: 0 };
  let cart = '';
  // One after the other until one was offered something; and who presses is offered nothing.
  while (made.visitors < visitorsMax && made.shown === 0) {
    const page = await open(browser, shop);
    made.visitors += 1;
    await hesitate(page);
    await hesitate(page);
    const { heldOut } = (await until(async () => {
      const now = await written(collector);
      return now.shown + now.heldOut === made.visitors && now;
    })) ?? { heldOut: 0 };
    if (heldOut === made.visitors) {
      await page.context().close();
      continue;
    }
    await page.locator('.offer').waitFor().catch(() => {});
    if (await page.locator('.offer').isVisible()) {
      made.shown += 1;
      await page.screenshot({ path: picture });
      cart = await accepted(page, shop);
    }
    await page.context().close();
  }
  const decided = await open(browser, shop);
  await hesitate(decided);
  await decided.click('[data-upriver="add-to-cart"]');
  await hesitate(decided);
  await decided.context().close();
  const hesitations = 2 * (made.visitors + 1);
  const sql = `SELECT count() AS n FROM events WHERE site = 'shop' AND kind = 'hesitation' AND path = '${product}' AND bot_score < 50`;
  const stored = (await until(async () => {
    const [{ n }] = await collector.rows(sql);
    return Number(n) >= hesitations && Number(n);
  })) ?? 0;

  const { shown, heldOut } = await written(collector);
  const { rows } = await collector.get('experiments');
  const live = rows.find(({ experiment }) => experiment === rule);
  const liveOf = (name) => live?.variants.find(({ variant }) => variant === name)?.visitors ?? 0;
  const delivered = /\bDelivery Free\b/.test(cart) ? 1 : 0;
  return [
    { name: 'offer: hesitations', values: [hesitations, hesitations, hesitations, stored] },
    { name: 'offer: shown', values: [made.shown, liveOf('shown'), liveOf('shown'), shown] },
    { name: 'offer: held out', values: [made.visitors - made.shown, liveOf('held_out'), liveOf('held_out'), heldOut] },
    { name: 'offer: delivery is free', values: [1, delivered, delivered, delivered] },
  ];
}
