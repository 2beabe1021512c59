// A browser whose tabs are as people have them: hidden behind one another, opened in the background,
// kept for going back to, rendered in advance. The driver's own pages are told that they are always
// visible, so these are opened beside it. Owns tabs; knows nothing of what is tested.

import { chromium } from "playwright-core";

const ARGS = [
  "--headless", "--remote-debugging-pipe", "--no-startup-window", "--no-sandbox", "--disable-gpu",
  "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync",
];

/** Starts one. */
export async function startTabs() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: ARGS, ignoreDefaultArgs: true });
  const session = await browser.newBrowserCDPSession();
  const waiting = new Map();
  let last = 0;
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result, error } = JSON.parse(message);
    waiting.get(id)?.(error ? { error } : result);
    waiting.delete(id);
  });

  /** A tab that is already there; from here on it is looked into. */
  async function attach(targetId) {
    const { sessionId } = await session.send("Target.attachToTarget", { targetId, flatten: false });
    const send = (method, params = {}) =>
      new Promise((done) => {
        waiting.set(++last, done);
        const message = JSON.stringify({ id: last, method, params });
        session.send("Target.sendMessageToTarget", { sessionId, message }).catch((error) => done({ error }));
      });
    const mouse = (type, x, y) =>
      send("Input.dispatchMouseEvent", { type, x, y, button: "left", buttons: +(type === "mousePressed"), clickCount: 1 });
    return {
      targetId,
      send,
      show: () => session.send("Target.activateTarget", { targetId }),
      close: () => session.send("Target.closeTarget", { targetId }),
      async evaluate(expression) {
        const answer = await send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
        if (answer.error || answer.exceptionDetails) throw new Error(JSON.stringify(answer));
        return answer.result.value;
      },
      async press(x, y) {
        await mouse("mousePressed", x, y);
        await mouse("mouseReleased", x, y);
      },
    };
  }

  return {
    attach,
    /** Storage of its own. */
    async profile() {
      const { browserContextId } = await session.send("Target.createBrowserContext");
      return {
        /** Opens a tab and looks into it. */
        async open(url, how = {}) {
          return attach(await this.begin(url, how));
        },
        /** Opens a tab and leaves it alone. */
        async begin(url, how = {}) {
          const { targetId } = await session.send("Target.createTarget", { url, browserContextId, ...how });
          return targetId;
        },
      };
    },
    close: () => browser.close(),
  };
}
