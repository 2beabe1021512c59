// A page in WebKit, as the tests use pages: questions to it, and input. Owns the words of W3C WebDriver
// for both; knows nothing of processes.

const PATIENCE = 60_000;
/** Between two looks at what is waited for, ms. */
const LOOK = 20;
const KEYS = { Enter: "\uE007", Tab: "\uE004", Escape: "\uE00C", Backspace: "\uE003", Shift: "\uE008", Space: " ",
  ArrowLeft: "\uE012", ArrowRight: "\uE014" };
const BUTTONS = { left: 0, middle: 1, right: 2 };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** What the page tells of itself: the driver tells neither of errors nor of the console. */
const SAID = `window.__said = [];
  addEventListener("error", ({ message }) => message && __said.push(["pageerror", message]));
  addEventListener("unhandledrejection", ({ reason }) => __said.push(["pageerror", String(reason)]));
  for (const how of ["error", "warn", "log"]) {
    const own = console[how];
    console[how] = function (...words) { __said.push(["console", words.join(" ")]); return own.apply(this, words); };
  }`;

export class Page {
  /** Scripts that run before all others of a page: the test's server puts them there. */
  inits = [SAID];
  #session;
  #window;
  #listeners = [];
  #at = { x: 0, y: 0 };
  #turned = { x: 0, y: 0 };

  constructor(session, window) {
    this.#session = session;
    this.#window = window;
  }

  #call = (method, path, body) => this.#session.call(method, path, body, this.#window);
  #act = (type, id, actions, more = {}) => this.#call("POST", "/actions", { actions: [{ type, id, actions, ...more }] });
  #point = (...actions) => this.#act("pointer", "mouse", actions, { parameters: { pointerType: "mouse" } });

  on(kind, listener) {
    this.#listeners.push([kind, listener]);
  }

  async addInitScript(script, arg) {
    this.inits.push(typeof script === "function" ? `(${script})(${JSON.stringify(arg) ?? ""});` : script);
  }

  goto = (url) => this.#call("POST", "/url", { url });
  reload = () => this.#call("POST", "/refresh", {});
  close = () => this.#call("DELETE", "/window");
  waitForTimeout = pause;
  context = () => ({ newCDPSession() { throw new Error("WebKit has no such protocol"); } });

  /** What a function or expression of the page gives. */
  async evaluate(what, arg) {
    const asked = typeof what === "function" ? `(${what})(arguments[0])` : `(${what})`;
    const script = `const done = arguments[arguments.length - 1];
      const end = (it) => done({ ...it, said: window.__said?.splice(0) ?? [] });
      const failed = (error) => end({ error: String(error) });
      try { Promise.resolve(${asked}).then((value) => end(value === undefined ? {} : { value }), failed); } catch (error) { failed(error); }`;
    const { value, error, said } = await this.#call("POST", "/execute/async", { script, args: [arg ?? null] });
    for (const [kind, text] of said) {
      for (const [wanted, listener] of this.#listeners) {
        if (wanted === kind) listener(kind === "console" ? { text: () => text } : text);
      }
    }
    if (error) throw new Error(error);
    return value;
  }

  async #until(holds, what) {
    const end = Date.now() + PATIENCE;
    for (;;) {
      // While it goes somewhere there is no page to be asked.
      const value = await holds().catch(() => undefined);
      if (value) return value;
      if (Date.now() > end) throw new Error(`never came to be: ${what}`);
      await pause(LOOK);
    }
  }

  waitForFunction = (what, arg) => this.#until(() => this.evaluate(what, arg), String(what));

  waitForURL(pattern) {
    const wanted = new RegExp(`^${pattern.replace(/[.?+^$()|[\]{}\\]/g, "\\$&").replace(/\*+/g, ".*")}$`);
    return this.#until(async () => wanted.test(await this.#call("GET", "/url")), pattern);
  }

  /** The middle of an element, which is brought to sight. */
  async #middle(selector, position) {
    const box = await this.#until(() => this.evaluate((selector) => {
      const text = /^text=(.*)/.exec(selector)?.[1];
      // `host >> inside`: in an open shadow root.
      const within = (root, selector) => (root?.shadowRoot ?? root)?.querySelector(selector);
      const element = text
        ? [...document.querySelectorAll("*")].findLast((it) => it.textContent.trim() === text)
        : selector.split(" >> ").reduce(within, document);
      if (!element) return null;
      const { top, bottom, left, right } = element.getBoundingClientRect();
      if (top < 0 || left < 0 || bottom > innerHeight || right > innerWidth) element.scrollIntoView({ block: "center", behavior: "instant" });
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x, y, width, height };
    }, selector), selector);
    return position ? [box.x + position.x, box.y + position.y] : [box.x + box.width / 2, box.y + box.height / 2];
  }

  #press = (button, times) =>
    Array(times).fill([{ type: "pointerDown", button: BUTTONS[button] }, { type: "pointerUp", button: BUTTONS[button] }]).flat();

  async click(selector, { position, button = "left", times = 1 } = {}) {
    const [x, y] = await this.#middle(selector, position);
    await this.mouse.move(x, y);
    await this.#point(...this.#press(button, times));
  }

  dblclick = (selector) => this.click(selector, { times: 2 });
  check = (selector) => this.click(selector);

  async hover(selector) {
    await this.mouse.move(...(await this.#middle(selector)));
  }

  mouse = {
    move: async (x, y, { steps = 1 } = {}) => {
      const from = this.#at;
      const part = (a, b, step) => Math.round(a + ((b - a) * step) / steps);
      const moves = Array.from({ length: steps }, (_, step) => ({
        type: "pointerMove", duration: 0, origin: "viewport",
        x: part(from.x, x, step + 1), y: part(from.y, y, step + 1),
      }));
      this.#at = { x, y };
      await this.#point(...moves);
    },
    down: ({ button = "left" } = {}) => this.#point({ type: "pointerDown", button: BUTTONS[button] }),
    up: ({ button = "left" } = {}) => this.#point({ type: "pointerUp", button: BUTTONS[button] }),
    click: async (x, y, { button = "left" } = {}) => {
      await this.mouse.move(x, y);
      await this.#point(...this.#press(button, 1));
    },
    // The driver takes a wheel for a thing that stands somewhere, and tells the page how far it went since.
    wheel: (deltaX, deltaY) => {
      this.#turned.x += deltaX;
      this.#turned.y += deltaY;
      return this.#act("wheel", "wheel", [{ type: "scroll", duration: 0, origin: "viewport", x: Math.round(this.#at.x),
        y: Math.round(this.#at.y), deltaX: this.#turned.x, deltaY: this.#turned.y }]);
    },
  };

  keyboard = {
    press: (keys) => {
      const values = keys.split("+").map((key) => KEYS[key] ?? key);
      const down = values.map((value) => ({ type: "keyDown", value }));
      const up = values.toReversed().map((value) => ({ type: "keyUp", value }));
      return this.#act("key", "keys", [...down, ...up]);
    },
    type: (text) =>
      this.#act("key", "keys", [...text].flatMap((value) => [{ type: "keyDown", value }, { type: "keyUp", value }])),
  };

  focus = (selector) => this.evaluate((selector) => document.querySelector(selector).focus(), selector);

  async type(selector, text) {
    await this.focus(selector);
    await this.keyboard.type(text);
  }

  /** As the other drivers do: no key is pressed. */
  fill = (selector, text) =>
    this.evaluate(({ selector, text }) => {
      const field = document.querySelector(selector);
      field.focus();
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }, { selector, text });

  selectOption = (selector, value) =>
    this.evaluate(({ selector, value }) => {
      const field = document.querySelector(selector);
      field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }, { selector, value });

  locator(selector) {
    const css = selector.replace(/^css=/, "");
    return {
      boundingBox: () => this.evaluate((selector) => {
        const { x, y, width, height } = document.querySelector(selector).getBoundingClientRect();
        return { x, y, width, height };
      }, css),
      count: () => this.evaluate((selector) => document.querySelectorAll(selector).length, css),
    };
  }
}
