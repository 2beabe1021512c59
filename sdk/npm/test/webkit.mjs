// WebKit as the tests drive the other browsers: Debian's `webkit2gtk-driver` on a screen of its own
// (Xvfb), over plain W3C WebDriver. Owns the processes, sessions and input; gives of the interface that
// the other drivers have what the tests use and this one can give. Each context is a browser of its own.

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { Page } from "./webkit-page.mjs";

const DRIVER = process.env.WEBKIT_DRIVER ?? "/usr/bin/WebKitWebDriver";
const SCREEN = "1600x1200x24";
/** How long the driver and the screen may take to be there, ms. */
const START_MAX = 60_000;
/** How long any answer may take, ms. */
const ANSWER_MAX = 90_000;

/** The browser of the driver's package, in the folder of this machine's kind; none where there is none. */
function miniBrowser() {
  const kinds = readdirSync("/usr/lib").map((name) => `/usr/lib/${name}/webkit2gtk-4.1/MiniBrowser`);
  return [process.env.WEBKIT, ...kinds].find((file) => file && existsSync(file));
}

/** Starts a screen; browsers come with their contexts. */
export async function launchWebKit() {
  const binary = miniBrowser();
  if (!binary) throw new Error("no WebKit is here. Debian: apt-get install webkit2gtk-driver xvfb");
  const screen = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", SCREEN, "-nolisten", "tcp"],
    { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const number = await new Promise((done, failed) => {
    screen.on("error", failed).on("exit", (code) => failed(new Error(`Xvfb ended with ${code}`)));
    screen.stdio[3].once("data", (bytes) => done(String(bytes).trim()));
  });
  const env = { ...process.env, DISPLAY: `:${number}`, NO_AT_BRIDGE: "1", GDK_BACKEND: "x11", LIBGL_ALWAYS_SOFTWARE: "1" };
  const open = new Set();
  return {
    async newContext() {
      const session = await Session.start(env, binary);
      open.add(session);
      return context(session, () => open.delete(session));
    },
    async close() {
      for (const session of open) await session.end();
      screen.removeAllListeners("exit").kill("SIGKILL");
    },
  };
}

function context(session, closed) {
  const pages = [];
  return {
    setDefaultTimeout() {},
    async newPage() {
      const page = new Page(session, await session.window(pages.length === 0));
      pages.push(page);
      return page;
    },
    cookies: () => session.call("GET", "/cookie"),
    async close() {
      closed();
      await session.end();
    },
  };
}

/** One driver and its browser. */
class Session {
  #waits = Promise.resolve();
  #window;

  static async start(env, binary) {
    const port = await freePort();
    const session = new Session();
    // The head of a group of processes, to which its browser belongs.
    session.driver = spawn(DRIVER, [`--port=${port}`], { stdio: "ignore", env, detached: true });
    process.once("exit", () => kill(session.driver));
    session.base = `http://127.0.0.1:${port}`;
    const options = { "webkitgtk:browserOptions": { binary, args: ["--automation"] } };
    const end = Date.now() + START_MAX;
    for (;;) {
      try {
        const { sessionId } = await session.ask("POST", "/session", { capabilities: { alwaysMatch: options } });
        session.base += `/session/${sessionId}`;
        break;
      } catch (error) {
        if (Date.now() > end) throw error;
        await new Promise((done) => setTimeout(done, 50));
      }
    }
    await session.ask("POST", "/timeouts", { script: 60_000, pageLoad: 60_000, implicit: 0 });
    return session;
  }

  /** The first window, of the usual size, or another. */
  async window(first) {
    if (!first) return (await this.ask("POST", "/window/new", { type: "tab" })).handle;
    const handle = await this.ask("GET", "/window");
    // The page's part of it is to be 1280 × 720.
    const size = async () => this.ask("POST", "/execute/sync", { script: "return [innerWidth, innerHeight]", args: [] });
    const rect = { x: 0, y: 0, width: 1280, height: 800 };
    await this.ask("POST", "/window/rect", rect);
    const [width, height] = await size();
    await this.ask("POST", "/window/rect", { ...rect, width: 2 * 1280 - width, height: 800 + 720 - height });
    return (this.#window = handle);
  }

  async ask(method, path, body) {
    const signal = AbortSignal.timeout(ANSWER_MAX);
    const response = await fetch(this.base + path, { method, body: body && JSON.stringify(body), signal });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  }

  /** Asks one thing after the other; `window`: of that window. */
  call(method, path, body, window = this.#window) {
    const asked = this.#waits.then(async () => {
      if (window !== this.#window) await this.ask("POST", "/window", { handle: window });
      this.#window = window;
      return this.ask(method, path, body);
    });
    this.#waits = asked.catch(() => {});
    return asked;
  }

  async end() {
    // Not a browser that is asked to go: it may be busy with something else.
    kill(this.driver);
  }
}

/** Ends a driver and its browser. */
function kill({ pid }) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}
