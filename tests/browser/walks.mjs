// Who comes to the shop and how far each of them goes. Knows the shop's pages; how a gesture is made is visitor.mjs's.

const newsletter = { source: 'newsletter', medium: 'email', campaign: 'spring-sale' };
const instagram = { source: 'instagram', medium: 'social', campaign: 'reels-test' };
const direct = { source: '', medium: '', campaign: '' };

const landing = ({ source, medium, campaign }) =>
  source === '' ? '/' : `/?utm_source=${source}&utm_medium=${medium}&utm_campaign=${campaign}`;

const address = { email: 'ada@example.com', person: 'Ada Example', street: 'River Lane 1', postcode: '12345', city: 'Upstream' };
const card = { card: '4242 4242 4242 4242', expiry: `12 / ${(new Date().getFullYear() + 2) % 100}`, code: '123' };

async function arrive(visitor) {
  await visitor.load(landing(visitor.campaign));
}

/** From the front page over a category to a product. */
async function browseTo(visitor, category, product) {
  await visitor.follow(() => visitor.press(`[data-upriver="${category === 'kettles' ? 'hero-kettles' : 'hero-shop'}"]`, [4, 8]), `/category/${category}`);
  await visitor.follow(() => visitor.press(`.card h3 a[href="/product/${product}"]`), `/product/${product}`);
}

async function addToCart(visitor) {
  await visitor.press('[data-upriver="add-to-cart"]', [5, 8]);
  visitor.causes('custom', { name: 'add_to_cart' });
}

async function buy(visitor) {
  await visitor.follow(async () => {
    await visitor.press('[data-upriver="buy"]', [6, 8]);
    visitor.causes('custom', { name: 'add_to_cart' });
  }, '/cart');
}

const toCheckout = (visitor) => visitor.follow(() => visitor.press('[data-upriver="checkout"]', [10, 8]), '/checkout/delivery');

async function giveAddress(visitor) {
  for (const [name, text] of Object.entries(address)) await visitor.fill(`#${name}`, text);
  await visitor.route(() => visitor.press('[data-upriver="to-payment"]', [9, 8]), '/checkout/payment');
}

async function pay(visitor) {
  for (const [name, text] of Object.entries(card)) await visitor.fill(`#${name}`, text);
  const cents = await visitor.page.locator('#pay').evaluate((button) => Number(button.textContent.replace(/[^\d]/g, '')) * (/[.,]\d\d\b/.test(button.textContent) ? 1 : 100));
  await visitor.follow(() => visitor.press('[data-upriver="pay"]', [7, 8]), '/thank-you');
  visitor.causes('conversion', { name: 'order', micros: cents * 10_000, currency: 'EUR' });
}

/** Each walk ends where its visitor gives up, or with an order. */
export const walks = [
  {
    name: 'reads the newsletter and orders', device: 'desktop', campaign: newsletter,
    async walk(visitor) {
      await arrive(visitor);
      await browseTo(visitor, 'kettles', 'heron-kettle');
      await buy(visitor);
      await toCheckout(visitor);
      await giveAddress(visitor);
      await pay(visitor);
    },
  },
  {
    name: 'comes from Instagram on a phone and orders', device: 'phone', campaign: instagram,
    async walk(visitor) {
      await arrive(visitor);
      await visitor.follow(() => visitor.press('[data-upriver="hero-shop"]', [8, 8]), '/category/brewers');
      await visitor.reach('.slides');
      await visitor.swipe(-220, 0, '.slides');
      await visitor.load('/product/moss-mug');
      await buy(visitor);
      await toCheckout(visitor);
      await giveAddress(visitor);
      await pay(visitor);
    },
  },
  {
    name: 'swipes the gallery on a phone and leaves', device: 'phone', campaign: instagram,
    async walk(visitor) {
      await arrive(visitor);
      await visitor.load('/category/kettles');
      await visitor.reach('.slides');
      await visitor.swipe(-240, 0, '.slides');
      await visitor.swipe(-240, 0, '.slides');
      await visitor.swipe(200, 0, '.slides');
      await visitor.load('/product/heron-kettle');
      await visitor.swipe(0, -250);
    },
  },
  {
    name: 'puts one in the cart on a phone', device: 'phone', campaign: newsletter,
    async walk(visitor) {
      await arrive(visitor);
      await visitor.load('/product/tern-grinder');
      await addToCart(visitor);
      await visitor.swipe(0, -200);
    },
  },
  {
    name: 'uses the keyboard', device: 'desktop', campaign: direct,
    async walk(visitor) {
      await arrive(visitor);
      await visitor.load('/product/ember-moka');
      await visitor.enter('[data-upriver="add-to-cart"]');
      visitor.causes('custom', { name: 'add_to_cart' });
      await visitor.wheel(0, 300);
    },
  },
  {
    name: 'gives up at the payment', device: 'desktop', campaign: direct,
    async walk(visitor) {
      await arrive(visitor);
      await visitor.load('/product/heron-kettle');
      await addToCart(visitor);
      await visitor.press('[data-upriver="add-to-cart"]', [12, 8]);
      visitor.causes('custom', { name: 'add_to_cart' });
      await visitor.follow(() => visitor.press('[data-upriver="cart"]'), '/cart');
      await toCheckout(visitor);
      await giveAddress(visitor);
    },
  },
  {
    name: 'bounces', device: 'desktop', campaign: newsletter,
    async walk(visitor) {
      await arrive(visitor);
      await visitor.wheel(0, 500);
      await visitor.wheel(0, -200);
    },
  },
  {
    name: 'adds from the list and looks at another', device: 'desktop', campaign: instagram,
    async walk(visitor) {
      await arrive(visitor);
      await visitor.load('/category/');
      await visitor.route(() => visitor.press('a[data-filter="kettles"]'), '/category/kettles');
      await visitor.press('[data-upriver="quick-add-heron-kettle"]');
      visitor.causes('custom', { name: 'add_to_cart' });
      await visitor.load('/product/heron-kettle');
    },
  },
];
