// A Chromium driven without Playwright, which keeps every page visible: here a tab in the background
// is hidden, as it is for people. Owns the process and its DevTools pipe; and ending a browser without
// a word.

import { execFileSync, spawn } from "node:child_process";
import { ARGS, CHROMIUM } from "../browser.mjs";

/** Starts one on a profile. */
export function startPipe(profile) {
  const process = spawn(
    CHROMIUM,
    [...ARGS, "--headless", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"],
    { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
  );
  return new Pipe(process);
}

/** Kills all that runs on a profile. */
export function killBrowser(profile) {
  const lines = execFileSync("ps", ["-eo", "pid,args"], { encoding: "utf8" }).split("\n");
  const own = lines.filter((line) => line.includes(profile) && !line.includes(" ps "));
  if (own.length === 0) throw new Error("the browser is not there");
  for (const line of own) globalThis.process.kill(parseInt(line), "SIGKILL");
}

class Pipe {
  #process;
  #waiting = new Map();
  #heard = new Map();
  #last = 0;
  #held = "";

  constructor(process) {
    this.#process = process;
    this.ended = new Promise((done) => process.on("exit", done));
    process.stdio[3].on("error", () => {});
    process.stdio[4].on("data", (data) => {
      const messages = (this.#held + data).split("\0");
      this.#held = messages.pop();
      for (const message of messages) {
        const { id, result, error, method, sessionId } = JSON.parse(message);
        if (method === "Inspector.targetCrashed") this.#heard.get(sessionId)?.();
        const { done, failed } = this.#waiting.get(id) ?? {};
        this.#waiting.delete(id);
        if (error) failed?.(new Error(error.message));
        else done?.(result);
      }
    });
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    this.#process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    return new Promise((done, failed) => this.#waiting.set(id, { done, failed }));
  }

  /** Opens a tab in front of all others. */
  async open(url) {
    const { targetId } = await this.send("Target.createTarget", { url });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const evaluate = async (expression) => {
      const asked = { expression, awaitPromise: true, returnByValue: true };
      return (await this.send("Runtime.evaluate", asked, sessionId)).result.value;
    };
    const press = async (selector) => {
      const place = `(() => { const { left, top, width, height } = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect(); return { x: left + width / 2, y: top + height / 2 }; })()`;
      const where = { ...(await evaluate(place)), button: "left", clickCount: 1 };
      for (const type of ["mousePressed", "mouseReleased"]) {
        await this.send("Input.dispatchMouseEvent", { type, ...where }, sessionId);
      }
    };
    /** Crashes the process that shows it. */
    const crash = async () => {
      await this.send("Inspector.enable", {}, sessionId);
      const crashed = new Promise((done) => this.#heard.set(sessionId, done));
      this.send("Page.crash", {}, sessionId).catch(() => {});
      await crashed;
    };
    return { evaluate, press, crash };
  }

  async close() {
    this.send("Browser.close").catch(() => {});
    await this.ended;
  }
}
