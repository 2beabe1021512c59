// The page's connection against a world made of fakes: who is asked for on it, back-off, fallback,
// going on after a cut, silence, a lost login.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refusal } from "./api";
import { merge } from "./merge";
import type { Outside } from "./outside";
import { CONNECT_MS_MAX, Line, RETRY_MAX_MS, SETTLE_MS } from "./subscribe";
import { CATCH_UP_MS_MAX, SILENCE_MS_MAX, type Link } from "./watched";

const A = "/v1/live/pages?site=a";
const B = "/v1/live/pages?site=b";
const update = (seq: number, type: string, path: string, cursor?: string): object =>
  ({ seq, cursor, type, data: { rows: [{ path, views: 1, visitors: 1, presses: 0 }] } });

/** A stream that was opened, from the collector's side. */
class Opened {
  left = false;
  said: { subscribe?: { id: number; url: string }; unsubscribe?: number }[] = [];
  constructor(readonly via: "websocket" | "events", readonly url: string, readonly events: Parameters<Outside["websocket"]>[1]) {}

  accept(): this { this.events.opened(); return this; }
  closed(): void { this.events.closed(); }
  /** The addresses that are asked for now. */
  get asked(): string[] {
    if (this.via === "events") return new URL(this.url, "http://x").searchParams.getAll("watch");
    const gone = this.said.map((message) => message.unsubscribe);
    return this.said.flatMap(({ subscribe }) => (subscribe && !gone.includes(subscribe.id) ? [subscribe.url] : []));
  }
  #tag(url: string): object {
    const is = (asked: string): boolean => asked === url || asked.startsWith(`${url}&after=`);
    if (this.via === "events") return { watch: this.asked.find(is) };
    return { id: this.said.filter(({ subscribe }) => subscribe && is(subscribe.url)).at(-1)!.subscribe!.id };
  }
  send(url: string, seq: number, type: string, path: string, cursor?: string): void {
    this.events.message(JSON.stringify({ ...this.#tag(url), update: update(seq, type, path, cursor) }));
  }
  refuse(url: string, status: number, message: string): void {
    this.events.message(JSON.stringify({ ...this.#tag(url), error: { status, code: "no", message } }));
  }
}

/** A world in which the test decides what happens. `answer` is what a plain request gives. */
function world({ passExpires = false } = {}) {
  const opened: Opened[] = [];
  const state = { answer: (_: string): Promise<unknown> => Promise.reject(new TypeError("nobody there")), gets: 0 };
  const open = (via: Opened["via"]): Outside["websocket"] => (url, events) => {
    const stream = new Opened(via, url, events);
    opened.push(stream);
    return { send: (text) => stream.said.push(JSON.parse(text)), close: () => { stream.left = true; } };
  };
  const line = new Line({
    websocket: open("websocket"),
    eventStream: open("events"),
    get: <T>(url: string) => { state.gets += 1; return state.answer(url) as Promise<T>; },
    now: () => Date.now(),
    random: () => 0.5,
    passExpires,
  }, merge);
  const watch = (url: string) => {
    const links: Link[] = [];
    const shown: string[][] = [];
    const subscription = line.subscribe("pages", url, {
      data: (held) => shown.push(held.rows.map((row) => row.path)),
      link: (link) => links.push(link),
    });
    return { links, shown, ...subscription, link: () => links.at(-1), rows: () => shown.at(-1) };
  };
  return { opened, state, watch, anew: () => line.anew(), last: () => opened.at(-1)! };
}

/** The same, with A and B subscribed to and no way for WebSockets. */
async function overEvents() {
  const there = world();
  there.state.answer = (url) => Promise.resolve(update(1, "snapshot", url));
  const a = there.watch(A);
  const b = there.watch(B);
  for (let failure = 0; failure < 2; failure += 1) {
    there.last().closed();
    await vi.advanceTimersByTimeAsync(2_000);
  }
  return { ...there, a, b };
}

beforeEach(() => { vi.useFakeTimers({ now: 1_000_000 }); });
afterEach(() => { vi.useRealTimers(); });

describe("one line over WebSocket", () => {
  it("carries all subscriptions, each live from its own snapshot on", () => {
    const { opened, last, watch } = world();
    const a = watch(A);
    const b = watch(B);
    expect([a.links, b.links]).toEqual([[{ kind: "connecting" }], [{ kind: "connecting" }]]);
    last().accept();
    expect([opened.length, last().url, last().asked]).toEqual([1, "/v1/live", [A, B]]);
    last().send(A, 1, "delta", "/early");
    last().send(A, 2, "snapshot", "/a");
    last().send(A, 3, "delta", "/b");
    expect(a.shown).toEqual([["/a"], ["/a", "/b"]]);
    expect(a.link()).toEqual({ kind: "live", via: "websocket" });
    expect(b.links).toHaveLength(1);
  });

  it("asks for what comes later and leaves what goes, without another connection", async () => {
    const { opened, last, watch } = world();
    const a = watch(A);
    last().accept().send(A, 1, "snapshot", "/a");
    const b = watch(B);
    last().send(B, 1, "snapshot", "/b");
    expect(b.link()).toEqual({ kind: "live", via: "websocket" });
    a.close();
    expect(last().asked).toEqual([B]);
    const again = watch(A);
    last().send(A, 5, "snapshot", "/c");
    expect([a.rows(), again.rows()]).toEqual([["/a"], ["/c"]]);
    b.close();
    again.close();
    await vi.advanceTimersByTimeAsync(SETTLE_MS);
    expect([opened.length, last().left]).toEqual([1, true]);
  });

  it("tells the one that is refused, and serves the others", async () => {
    const { opened, last, watch } = world();
    const a = watch(A);
    const b = watch(B);
    last().accept().refuse(A, 404, "there is no such thing");
    last().send(B, 1, "snapshot", "/b");
    await vi.advanceTimersByTimeAsync(2 * CONNECT_MS_MAX);
    expect(a.link()).toEqual({ kind: "refused", status: 404, message: "there is no such thing" });
    expect(b.link()).toEqual({ kind: "live", via: "websocket" });
    expect([opened.length, last().left]).toEqual([1, false]);
    a.retry();
    expect(last().said.at(-1)?.subscribe?.url).toBe(A);
    last().send(A, 1, "snapshot", "/a");
    expect(a.link()).toEqual({ kind: "live", via: "websocket" });
  });

  it("asks again later where it was put off, while the others stay live", async () => {
    const { opened, last, watch } = world();
    const a = watch(A);
    const b = watch(B);
    last().accept().send(B, 1, "snapshot", "/b");
    for (let time = 0; time < 3; time += 1) {
      const before = last().said.length;
      last().refuse(A, 429, "too many");
      expect(a.link()).toEqual({ kind: "lost", asOfMs: undefined });
      while (last().said.length === before) await vi.advanceTimersByTimeAsync(50);
    }
    last().send(A, 1, "snapshot", "/a");
    expect([a.link(), b.link()]).toEqual([{ kind: "live", via: "websocket" }, { kind: "live", via: "websocket" }]);
    expect(opened).toHaveLength(1);
  });

  it("says since when all it shows is stale, and comes back with snapshots", async () => {
    const { last, watch, opened } = world();
    const a = watch(A);
    const b = watch(B);
    last().accept().send(A, 1, "snapshot", "/a");
    await vi.advanceTimersByTimeAsync(5_000);
    last().send(B, 1, "snapshot", "/b");
    await vi.advanceTimersByTimeAsync(3_000);
    last().closed();
    // What came last proves that nothing before it is missing.
    expect([a.link(), b.link()]).toEqual([{ kind: "lost", asOfMs: 1_005_000 }, { kind: "lost", asOfMs: 1_005_000 }]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(opened.length).toBe(2);
    last().accept().send(A, 9, "snapshot", "/c");
    expect(a.rows()).toEqual(["/c"]);
    expect([a.link()?.kind, b.link()?.kind]).toEqual(["live", "lost"]);
  });

  it("waits longer after each failure, and never longer than the maximum", async () => {
    const { opened, last, watch } = world();
    watch(A);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 9; attempt += 1) {
      const from = Date.now();
      const before = opened.length;
      last().closed();
      while (opened.length === before) await vi.advanceTimersByTimeAsync(50);
      waits.push(Date.now() - from);
    }
    expect(waits[0]).toBeLessThan(1_000);
    expect(waits[4]).toBeGreaterThan(waits[1]!);
    expect(Math.max(...waits)).toBeLessThanOrEqual(RETRY_MAX_MS);
    expect(new Set(opened.map((stream) => stream.via))).toEqual(new Set(["websocket"]));
  });

  it("connects at once when asked to, also for what was refused meanwhile", async () => {
    const { opened, last, watch, state } = world();
    const a = watch(A);
    const b = watch(B);
    state.answer = (url) => Promise.reject(url === A ? new Refusal(403, "not yours") : new TypeError("nobody there"));
    last().closed();
    await vi.advanceTimersByTimeAsync(0);
    expect([a.link(), b.link()]).toEqual([{ kind: "refused", status: 403, message: "not yours" }, { kind: "lost", asOfMs: undefined }]);
    a.retry();
    expect(opened).toHaveLength(2);
    expect(last().accept().asked).toEqual([A, B]);
  });

  it("stops when the login is gone", async () => {
    const { opened, last, state, watch } = world();
    const a = watch(A);
    state.answer = () => Promise.reject(new Refusal(401, "not logged in"));
    last().accept().send(A, 1, "snapshot", "/a");
    last().closed();
    await vi.advanceTimersByTimeAsync(2_000);
    expect([opened.length, a.link()?.kind, state.gets]).toEqual([2, "lost", 0]);
    last().closed();
    await vi.advanceTimersByTimeAsync(10 * RETRY_MAX_MS);
    expect(a.link()).toEqual({ kind: "refused", status: 401, message: "not logged in" });
    expect(opened).toHaveLength(2);
  });

  it("gives up a connection that never opens, and one that leaves a question open", async () => {
    const { opened, last, watch } = world();
    const a = watch(A);
    await vi.advanceTimersByTimeAsync(CONNECT_MS_MAX);
    expect([opened[0]!.left, a.link()]).toEqual([true, { kind: "lost", asOfMs: undefined }]);
    await vi.advanceTimersByTimeAsync(RETRY_MAX_MS);
    const second = last().accept();
    second.send(A, 1, "snapshot", "/a");
    const b = watch(B);
    await vi.advanceTimersByTimeAsync(CONNECT_MS_MAX);
    expect([second.left, b.link()?.kind]).toEqual([true, "lost"]);
  });

  it("leaves a stream that has fallen silent while there is news", async () => {
    const { opened, last, state, watch } = world();
    const a = watch(A);
    last().accept().send(A, 7, "snapshot", "/a");
    state.answer = () => Promise.resolve(update(8, "snapshot", "/b"));
    await vi.advanceTimersByTimeAsync(SILENCE_MS_MAX * 1.1 + CATCH_UP_MS_MAX);
    expect([opened[0]!.left, a.link()?.kind]).toEqual([true, "lost"]);
  });

  it("keeps a stream whose news is only overtaken by the check", async () => {
    const { opened, last, state, watch } = world();
    const a = watch(A);
    last().accept().send(A, 7, "snapshot", "/a");
    state.answer = () => Promise.resolve(update(8, "snapshot", "/b"));
    await vi.advanceTimersByTimeAsync(SILENCE_MS_MAX);
    expect(state.gets).toBe(1);
    last().send(A, 8, "delta", "/b");
    await vi.advanceTimersByTimeAsync(CATCH_UP_MS_MAX);
    expect([opened[0]!.left, a.link()?.kind]).toEqual([false, "live"]);
  });

  it("keeps a stream that is silent because nothing happens", async () => {
    const { opened, last, state, watch } = world();
    const a = watch(A);
    last().accept().send(A, 7, "snapshot", "/a");
    state.answer = () => Promise.resolve(update(7, "snapshot", "/a"));
    await vi.advanceTimersByTimeAsync(SILENCE_MS_MAX * 5);
    expect(state.gets).toBeGreaterThan(3);
    expect(opened).toHaveLength(1);
    expect(a.link()).toEqual({ kind: "live", via: "websocket" });
  });

  it("does not take a pass that has ended for a broken line", async () => {
    const { opened, last, state, watch } = world({ passExpires: true });
    state.answer = () => Promise.reject(new Refusal(401, "it has expired"));
    const a = watch(A);
    last().accept().send(A, 7, "snapshot", "/a", "p-7");
    await vi.advanceTimersByTimeAsync(SILENCE_MS_MAX * 3);
    expect(state.gets).toBeGreaterThan(1);
    expect([opened.length, a.link()]).toEqual([1, { kind: "live", via: "websocket" }]);
    state.answer = () => Promise.reject(new TypeError("nobody there"));
    await vi.advanceTimersByTimeAsync(SILENCE_MS_MAX * 1.1);
    expect(opened[0]!.left).toBe(true);
  });

  it("goes on with another pass where the one before opens nothing any more", async () => {
    const { opened, last, state, watch, anew } = world({ passExpires: true });
    const a = watch(A);
    const first = last().accept();
    first.send(A, 7, "snapshot", "/a", "p-7");
    state.answer = () => Promise.reject(new Refusal(401, "it has expired"));
    first.closed();
    await vi.advanceTimersByTimeAsync(2_000);
    last().closed();
    await vi.advanceTimersByTimeAsync(2_000);
    expect([a.link()?.kind, opened.length]).toEqual(["refused", 2]);
    anew();
    a.retry();
    expect([opened.length, last().accept().asked]).toEqual([3, [`${A}&after=p-7`]]);
    last().send(A, 8, "delta", "/b", "p-8");
    expect([a.rows(), a.link()?.kind]).toEqual([["/a", "/b"], "live"]);
  });

  it("says nothing more once closed", async () => {
    const { last, watch, opened } = world();
    const a = watch(A);
    const stream = last().accept();
    stream.send(A, 1, "snapshot", "/a");
    a.close();
    const said = a.links.length;
    stream.send(A, 2, "delta", "/b");
    await vi.advanceTimersByTimeAsync(SETTLE_MS);
    stream.closed();
    await vi.advanceTimersByTimeAsync(RETRY_MAX_MS);
    expect([a.links.length, a.shown.length, opened.length, stream.left]).toEqual([said, 1, 1, true]);
  });
});

describe("a line that was cut", () => {
  it("goes on from what is held, with nothing missed and nothing twice", async () => {
    const { opened, last, state, watch } = world();
    const a = watch(A);
    const b = watch(B);
    last().accept().send(A, 7, "snapshot", "/a", "p-7");
    last().send(A, 8, "delta", "/b", "p-8");
    last().send(B, 3, "snapshot", "/x", "p-3");
    const shown = a.shown.length;
    last().closed();
    expect(a.link()?.kind).toBe("lost");
    await vi.advanceTimersByTimeAsync(2_000);
    // No plain requests: they would bring all of it.
    expect([opened.length, state.gets]).toEqual([2, 0]);
    expect(last().accept().asked).toEqual([`${A}&after=p-8`, `${B}&after=p-3`]);
    expect([a.link(), b.link()]).toEqual([{ kind: "live", via: "websocket" }, { kind: "live", via: "websocket" }]);
    last().send(A, 9, "delta", "/c", "p-9");
    last().send(A, 9, "delta", "/c", "p-9");
    expect(a.shown.slice(shown)).toEqual([["/a", "/b", "/c"]]);
    // Where nothing has changed nothing comes, and that is no failure.
    await vi.advanceTimersByTimeAsync(2 * CONNECT_MS_MAX);
    expect([opened.length, last().left, b.rows()]).toEqual([2, false, ["/x"]]);
    // It was cut before anything was said: that does not tell that WebSockets are kept out.
    for (let cut = 0; cut < 3; cut += 1) {
      const before = opened.length;
      last().closed();
      while (opened.length === before) await vi.advanceTimersByTimeAsync(50);
      last().accept();
    }
    expect(new Set(opened.map((stream) => stream.via))).toEqual(new Set(["websocket"]));
    expect(last().asked).toEqual([`${A}&after=p-9`, `${B}&after=p-3`]);
  });

  it("asks plainly for what was missed while no connection can be made", async () => {
    const { last, state, watch } = world();
    const a = watch(A);
    last().accept().send(A, 7, "snapshot", "/a", "p-7");
    last().closed();
    await vi.advanceTimersByTimeAsync(2_000);
    const asked: string[] = [];
    state.answer = (url) => {
      asked.push(url);
      return Promise.resolve({ cursor: "p-9", updates: [update(8, "delta", "/b", "p-8"), update(9, "delta", "/c", "p-9")] });
    };
    last().closed();
    await vi.advanceTimersByTimeAsync(0);
    expect([asked, a.rows(), a.link()]).toEqual([[`${A}&after=p-7&wait=0`], ["/a", "/b", "/c"], { kind: "lost", asOfMs: Date.now() }]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(last().accept().asked).toEqual([`${A}&after=p-9`]);
  });

  it("takes all of it where the collector cannot go on, and where one cannot be gone on from", async () => {
    const { last, watch } = world();
    const a = watch(A);
    last().accept().send(A, 7, "snapshot", "/a", "p-7");
    last().closed();
    await vi.advanceTimersByTimeAsync(2_000);
    last().accept().send(A, 2, "snapshot", "/new", "q-2");
    last().send(A, 3, "delta", "/more", "x".repeat(1_000));
    expect(a.rows()).toEqual(["/new", "/more"]);
    last().closed();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(last().accept().asked).toEqual([A]);
  });

  it("asks for all of it after a silence in which it has missed something", async () => {
    const { last, state, watch } = world();
    const a = watch(A);
    last().accept().send(A, 7, "snapshot", "/a", "p-7");
    state.answer = () => Promise.resolve(update(8, "snapshot", "/b", "p-8"));
    await vi.advanceTimersByTimeAsync(SILENCE_MS_MAX * 1.1 + CATCH_UP_MS_MAX + 2_000);
    expect(last().accept().asked).toEqual([A]);
    expect(a.link()?.kind).toBe("lost");
  });
});

describe("one line over server-sent events", () => {
  it("takes over when only the WebSocket does not get through", async () => {
    const { opened, last, a, b } = await overEvents();
    expect(opened.map((stream) => stream.via)).toEqual(["websocket", "websocket", "events"]);
    expect(last().asked).toEqual([A, B]);
    last().send(A, 2, "snapshot", "/a");
    last().send(B, 2, "snapshot", "/b");
    expect([a.link(), b.link()]).toEqual([{ kind: "live", via: "events" }, { kind: "live", via: "events" }]);
    expect([a.rows(), b.rows()]).toEqual([["/a"], ["/b"]]);
  });

  it("goes on over the old stream until the new one has brought all", async () => {
    const { opened, last, a, b, watch } = await overEvents();
    const old = last();
    old.send(A, 2, "snapshot", "/a");
    old.send(B, 2, "snapshot", "/b");
    const C = "/v1/live/pages?site=c";
    const c = watch(C);
    b.close();
    await vi.advanceTimersByTimeAsync(SETTLE_MS);
    expect([opened.length, last().asked, old.left]).toEqual([4, [A, C], false]);
    old.send(A, 3, "delta", "/old");
    expect(a.rows()).toEqual(["/a", "/old"]);
    last().send(A, 4, "snapshot", "/new");
    // Older than what the new one has brought.
    old.send(A, 4, "delta", "/late");
    expect(a.rows()).toEqual(["/new"]);
    expect(old.left).toBe(false);
    last().send(C, 1, "snapshot", "/c");
    expect([old.left, c.link()]).toEqual([true, { kind: "live", via: "events" }]);
    expect(a.links.filter((link) => link.kind !== "live").at(-1)?.kind).toBe("lost");
    last().send(A, 5, "delta", "/more");
    expect(a.rows()).toEqual(["/new", "/more"]);
    expect(opened).toHaveLength(4);
  });

  it("hands over without a gap and without a repeat", async () => {
    const { opened, last, a, b, watch } = await overEvents();
    const old = last();
    old.events.opened();
    old.send(A, 2, "snapshot", "/a", "p-2");
    old.send(B, 2, "snapshot", "/b", "p-2");
    const C = "/v1/live/pages?site=c";
    const c = watch(C);
    await vi.advanceTimersByTimeAsync(SETTLE_MS);
    expect(last().asked).toEqual([`${A}&after=p-2`, `${B}&after=p-2`, C]);
    old.send(A, 3, "delta", "/3", "p-3");
    last().events.opened();
    const shown = a.shown.length;
    // Both bring what came meanwhile.
    last().send(A, 3, "delta", "/3", "p-3");
    last().send(A, 4, "delta", "/4", "p-4");
    old.send(A, 4, "delta", "/4", "p-4");
    expect(a.shown.slice(shown)).toEqual([["/a", "/3", "/4"]]);
    expect(old.left).toBe(false);
    last().send(C, 1, "snapshot", "/c", "p-1");
    expect([old.left, b.rows(), b.link(), c.rows(), opened.length]).toEqual([true, ["/b"], { kind: "live", via: "events" }, ["/c"], 4]);
    // And after a cut it goes on too.
    last().closed();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(last().asked).toEqual([`${A}&after=p-4`, `${B}&after=p-2`, `${C}&after=p-1`]);
    expect(a.link()?.kind).toBe("lost");
    last().events.opened();
    expect(a.link()).toEqual({ kind: "live", via: "events" });
  });

  it("keeps its stream where one address is refused, and where views come and go at once", async () => {
    const { opened, last, a, b, watch } = await overEvents();
    last().refuse(A, 404, "no");
    last().send(B, 2, "snapshot", "/b");
    const short = watch("/v1/live/pages?site=short");
    short.close();
    await vi.advanceTimersByTimeAsync(2 * CONNECT_MS_MAX);
    expect([a.link()?.kind, b.link()?.kind, opened.length, last().left]).toEqual(["refused", "live", 3, false]);
  });

  it("serves two subscribers to one address", async () => {
    const { last, a, watch } = await overEvents();
    last().send(A, 2, "snapshot", "/a");
    last().send(B, 2, "snapshot", "/b");
    const twin = watch(A);
    await vi.advanceTimersByTimeAsync(SETTLE_MS);
    expect(last().asked).toEqual([A, B]);
    last().send(A, 3, "snapshot", "/both");
    last().send(B, 2, "snapshot", "/b");
    expect([a.rows(), twin.rows()]).toEqual([["/both"], ["/both"]]);
    twin.close();
    last().send(A, 4, "delta", "/one");
    expect([a.rows(), twin.rows()]).toEqual([["/both", "/one"], ["/both"]]);
  });
});
