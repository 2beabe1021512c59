// One visitor of the shop: real gestures in a browser context of its own, each written down as it is made.
//
// Owns what a gesture is made of (mouse, wheel, finger, key) and the list of what was done. Refuses to know what is
// counted from it (truth.mjs), and asks nothing of the SDK beyond whether it has begun to listen.

const waitMsMax = 20_000;
/** A scroll is over when nothing has moved for this long; also longer than a scroll is put down to its cause. */
const restMs = 650;
/** As the SDK and its documentation define the end of a scroll gesture. */
const gestureEndMs = 150;
/** Tries to bring an element into reach before the drive gives up. */
const reachTriesMax = 40;
/** A finger's way has this many steps, this far apart. */
const swipeSteps = 8;
const stepMs = 16;
/** Longest way of a finger that brings something into reach, CSS pixels. */
const dragMax = 300;
const gridCells = 16;
const boxSteps = 1023;

/** What a browser says of itself when a person sits before it: a program that drives one says so, and fires no rule. */
export const personAgent = (browser) =>
  `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${browser.version()} Safari/537.36`;

export const devices = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
};

/** What is pressed, as the tally names it: by its stable attribute, its id, or not at all. */
const nameInPage = (element) => {
  const own = element.closest('a,button,input,select,textarea,label,summary,[data-upriver]') ?? element;
  const attribute = own.getAttribute('data-upriver');
  return attribute !== null ? `[data-upriver=${attribute}]` : own.id !== '' ? `#${own.id}` : 'other';
};

/** Notes when what moved, apart from the SDK: `[container, time]`, the page as 'page'. */
const watchInPage = () => {
  window.driveMoves = [];
  addEventListener('scroll', ({ target, timeStamp }) => {
    window.driveMoves.push([target === document ? 'page' : target.className, timeStamp]);
  }, { capture: true, passive: true });
};

/** Resolves with what has moved since the last call, once nothing has moved for `restMs`. */
const restInPage = (restMs) => new Promise((done) => {
  const begun = performance.now();
  const look = () => {
    const since = Math.max(begun, window.driveMoves.at(-1)?.[1] ?? 0);
    if (performance.now() - since >= restMs) done(window.driveMoves.splice(0));
    else requestAnimationFrame(look);
  };
  look();
});

/** The containers of the gestures in `moves`: by definition one ends 150 ms after its last movement. */
function gesturesIn(moves) {
  const last = new Map();
  const found = [];
  for (const [container, at] of moves) {
    if (!(at - (last.get(container) ?? -Infinity) < gestureEndMs)) found.push(container);
    last.set(container, at);
  }
  return found;
}

export class Visitor {
  /** Everything done, oldest first: `{kind, path, …}`. */
  acts = [];
  problems = [];
  #streams = 0;

  constructor({ name, device, campaign, shop }) {
    Object.assign(this, { name, device, campaign, shop });
  }

  static async open(browser, plan) {
    const visitor = new Visitor(plan);
    visitor.context = await browser.newContext(devices[plan.device]);
    visitor.context.setDefaultTimeout(waitMsMax);
    visitor.page = await visitor.context.newPage();
    visitor.page.on('pageerror', (error) => visitor.problems.push(String(error)));
    visitor.page.on('console', (message) => message.type() === 'error' && visitor.problems.push(message.text()));
    visitor.page.on('websocket', () => (visitor.#streams += 1));
    await visitor.page.addInitScript(watchInPage);
    visitor.touch = plan.device === 'phone';
    visitor.client = await visitor.context.newCDPSession(visitor.page);
    return visitor;
  }

  get path() {
    return new URL(this.page.url()).pathname;
  }

  #did(kind, more = {}) {
    this.acts.push({ visitor: this.name, kind, path: this.path, ...more });
  }

  /** The site's own report that follows from what was just done. */
  causes(kind, more = {}) {
    this.#did(kind, more);
  }

  /** Waits until the page listens: the SDK opens its stream only after it has begun to. */
  async #listens(streamsBefore) {
    const begun = Date.now();
    while (this.#streams === streamsBefore) {
      if (Date.now() - begun > waitMsMax) throw new Error(`${this.name}: the SDK opened no stream on ${this.path}`);
      await this.page.evaluate(() => new Promise(requestAnimationFrame)).catch(() => {});
    }
    await this.rest();
  }

  #arrived(path) {
    if (this.path !== path) throw new Error(`${this.name}: expected ${path}, is on ${this.path}`);
    this.#did('page_view');
    if (path.startsWith('/product/')) this.#did('exposure');
  }

  /** Loads an address of the shop, as from a bookmark or a campaign's link. */
  async load(address) {
    const streams = this.#streams;
    await this.page.goto(this.shop + address);
    this.#arrived(new URL(this.shop + address).pathname);
    await this.#listens(streams);
  }

  /** Presses something that leads to another document, by whatever `press` does. */
  async follow(press, path) {
    const streams = this.#streams;
    await press();
    await this.page.waitForURL(this.shop + path);
    this.#arrived(path);
    await this.#listens(streams);
  }

  /** Presses something that changes the address without a load. */
  async route(press, path) {
    await press();
    await this.page.waitForURL(this.shop + path);
    this.#arrived(path);
    await this.rest();
  }

  /** Waits until nothing moves; returns what did. */
  rest() {
    return this.page.evaluate(restInPage, restMs);
  }

  /** Brings an element into the middle of the window as a person does: by wheel or finger. */
  async reach(selector) {
    const where = () => this.page.locator(selector).first().evaluate((element) => {
      const box = element.getBoundingClientRect();
      const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
      const hit = document.elementFromPoint(x, y);
      return { y, height: innerHeight, hit: hit !== null && (element.contains(hit) || hit.contains(element)) };
    });
    for (let tries = 0; tries < reachTriesMax; tries += 1) {
      const { y, height, hit } = await where();
      if (hit && y > 0 && y < height) return;
      const by = Math.round(y - height * 0.5);
      await (this.touch ? this.drag(0, -Math.max(-dragMax, Math.min(dragMax, by))) : this.wheel(0, by));
    }
    throw new Error(`${this.name}: ${selector} cannot be reached on ${this.path}`);
  }

  /** One turn of the wheel; counts as a scroll if anything moved. */
  async wheel(dx, dy) {
    const { width, height } = this.page.viewportSize();
    await this.page.mouse.move(width / 2, height / 2);
    await this.page.mouse.wheel(dx, dy);
    this.#scrolled(await this.rest());
  }

  #scrolled(moves) {
    for (const container of gesturesIn(moves)) this.#did('scroll', { container });
  }

  /** One quick stroke of a finger by so many pixels, from the middle of `selector` or of the window. */
  async swipe(dx, dy, selector) {
    const path = Array.from({ length: swipeSteps }, (_, at) => ({ part: (at + 1) / swipeSteps, afterMs: stepMs }));
    await this.#stroke(dx, dy, selector, path, () => {
      const across = Math.abs(dx) > Math.abs(dy);
      this.#did('swipe', { direction: across ? (dx > 0 ? 'right' : 'left') : dy > 0 ? 'down' : 'up' });
    });
  }

  /** A finger that moves the page and comes to rest before it is lifted: a scroll, and no swipe. */
  async drag(dx, dy) {
    const path = Array.from({ length: swipeSteps }, (_, at) => ({ part: 0.97 * (at + 1) / swipeSteps, afterMs: stepMs }));
    await this.#stroke(dx, dy, undefined, [...path, ...[0.98, 0.99, 1].map((part) => ({ part, afterMs: 90 }))], () => {});
  }

  async #stroke(dx, dy, selector, path, done) {
    const from = selector === undefined ? this.page.viewportSize() : await this.page.locator(selector).first().boundingBox();
    const [x, y] = [Math.round((from.x ?? 0) + from.width / 2), Math.round((from.y ?? 0) + from.height / 2)];
    // Times of its own, so that the finger's speed does not depend on how busy this machine is. They lie in the past.
    let at = Date.now() - path.reduce((sum, { afterMs }) => sum + afterMs, 2 * stepMs);
    const send = (type, part) => this.client.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: type === 'touchEnd' ? [] : [{ x: x + dx * part, y: y + dy * part, id: 1 }],
      timestamp: at / 1000,
    });
    await send('touchStart', 0);
    for (const { part, afterMs } of path) {
      at += afterMs;
      await send('touchMove', part);
    }
    at += stepMs / 2;
    await send('touchEnd', 1);
    done();
    this.#scrolled(await this.rest());
  }

  /** Presses an element with mouse or finger, in the middle of a cell of its 16 × 16 grid. */
  async press(selector, [column, row] = [8, 8]) {
    await this.reach(selector);
    const target = this.page.locator(selector).first();
    const element = await target.evaluate(nameInPage);
    const place = async () => {
      const box = await target.boundingBox();
      const x = Math.round(box.x + (column + 0.5) / gridCells * box.width);
      const y = Math.round(box.y + (row + 0.5) / gridCells * box.height);
      return { box, x, y };
    };
    let { box, x, y } = await place();
    if (!this.touch) {
      // What moves under a pointer that hovers has moved before it is pressed.
      await this.page.mouse.move(x, y);
      await target.evaluate((element) => Promise.all(element.getAnimations().map((animation) => animation.finished.catch(() => {}))));
      ({ box, x, y } = await place());
    }
    this.#did('press', { element, cell: cellOf(box, x, y), pointer: this.touch ? 'touch' : 'mouse' });
    await (this.touch ? this.page.touchscreen.tap(x, y) : this.page.mouse.click(x, y));
  }

  /** Presses an element that has the focus with Enter: counts for the middle of its box. */
  async enter(selector) {
    await this.reach(selector);
    const target = this.page.locator(selector).first();
    await target.evaluate((element) => element.focus({ preventScroll: true }));
    const element = await target.evaluate(nameInPage);
    this.#did('press', { element, cell: 8 * gridCells + 8, pointer: 'keyboard' });
    await this.page.keyboard.press('Enter');
  }

  /** Presses a field and puts text in, as a password manager or a pasting hand does: without keys. */
  async fill(selector, text) {
    await this.press(selector);
    await this.page.keyboard.insertText(text);
  }

  close() {
    return this.context.close();
  }
}

/** The cell of a place in a box, row by row. */
function cellOf(box, x, y) {
  const part = (at, from, length) => Math.round(Math.min(Math.max((at - from) / length, 0), 1) * boxSteps) >> 6;
  return part(y, box.y, box.height) * gridCells + part(x, box.x, box.width);
}
