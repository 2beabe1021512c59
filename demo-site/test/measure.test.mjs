// What the shop reports through the real package, read off the bytes it sends, and that it works when nobody listens.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { address, buy, deadAddress, devices, launch, openListener, openShop, press, visitor } from './shop.mjs';

// The listener refuses the stream, which browsers note on the console by themselves.
const refusedStream = /WebSocket connection to .* failed/;
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

async function measured(run, answers) {
  const listener = await openListener(answers);
  const shop = await openShop({ endpoint: listener.address, key: 'wk_test' });
  const guest = await visitor(browser, devices.phone, refusedStream);
  try {
    await run({ ...guest, listener, shop: shop.address });
    assert.deepEqual(guest.problems, []);
  } finally {
    await guest.close();
    await shop.stop();
    await listener.stop();
  }
}

test('an order is reported once: not again on reload, in another tab or on the way back', () =>
  measured(async ({ page, open, listener, shop }) => {
    const order = await buy(page, shop, 'heron-kettle', 'green');
    await listener.heard(order);
    const again = [() => page.reload(), () => page.goto(`${shop}/`).then(() => page.goBack())];
    for (const step of again) await step();
    const second = await open();
    await second.goto(`${shop}/thank-you`);
    // Something later from both pages: had they reported the order, it would have come before.
    for (const [tab, product] of [[page, 'quick-add-pond-kettle'], [second, 'quick-add-ridge-kettle']]) {
      await press(tab, tab.locator(`[data-upriver="${product}"]`));
      await listener.heard(product.replace('quick-add-', ''));
    }
    assert.equal(listener.count(order), 1);
  }));

test('an order whose answer comes after its page was left is sent again as the same, not reported again', () =>
  measured(async ({ page, listener, shop }) => {
    const order = await buy(page, shop, 'heron-kettle', 'green');
    await listener.heard(order);
    // The answer is still to come.
    await page.reload();
    await listener.again();
    await press(page, page.locator('[data-upriver="quick-add-pond-kettle"]'));
    await listener.heard('pond-kettle');
    assert.equal(listener.count(order), 1);
  }, { answerMs: 1_500 }));

test('the shop reports exposure, cart and search, with their properties', () =>
  measured(async ({ page, listener, shop }) => {
    await page.goto(`${shop}/product/tern-grinder?variant=orange`);
    await listener.heard('buy-button');
    await listener.heard('orange');
    await press(page, page.locator('[data-upriver="add-to-cart"]'));
    await listener.heard('add_to_cart');
    await listener.heard('tern-grinder');
    await press(page, page.getByRole('button', { name: 'Menu' }));
    await page.fill('#search-menu', 'gooseneck');
    await page.locator('#search-menu').press('Enter');
    await page.waitForURL('**/category/?q=gooseneck');
    assert.equal(await page.locator('#results .card').count(), 1);
    await listener.heard('search');
  }));

test('what is typed at the checkout stays in the page', () =>
  measured(async ({ page, listener, shop }) => {
    await listener.heard(await buy(page, shop, 'moss-mug', 'orange'));
    // The listener reads what is sent; an earlier page's part may come after the last page's.
    await listener.heard('add_to_cart');
    // The short numbers could be any bytes of a time or a length; the long texts could not.
    for (const secret of ['4242', ...Object.values(address).filter((text) => text.length > 5)]) {
      assert.equal(listener.count(secret), 0, `${secret} was sent`);
    }
  }));

test('with nobody at the endpoint the shop works as ever', async () => {
  const endpoint = await deadAddress();
  const shop = await openShop({ endpoint, key: 'wk_test' });
  const { page, problems, close } = await visitor(browser, devices.desktop, /ERR_CONNECTION_REFUSED/);
  assert.match(await buy(page, shop.address, 'ember-moka', 'green'), /^BW-/);
  await page.goto(`${shop.address}/category/`);
  await page.locator('.chip', { hasText: 'Cups' }).click();
  await page.waitForURL('**/category/cups');
  assert.deepEqual(problems, []);
  await close();
  await shop.stop();
});
