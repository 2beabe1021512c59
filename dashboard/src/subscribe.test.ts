// Subscriptions against a world made of fakes: back-off, fallback, silence, a lost login.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refusal } from "./api";
import {
  CONNECT_MS_MAX, parse, RETRY_MAX_MS, SILENCE_MS_MAX, subscribe, worst, type Link, type Outside,
} from "./subscribe";

const pages = (path: string) => ({ rows: [{ path, views: 1, visitors: 1, presses: 0 }] });
const text = (seq: number, type: string, path: string): string => JSON.stringify({ seq, type, data: pages(path) });

interface Opened {
  via: "websocket" | "events";
  message(text: string): void;
  closed(): void;
  left: boolean;
}

/** A world in which the test decides what happens. `answer` is what a plain request gives. */
function world() {
  const opened: Opened[] = [];
  const links: Link[] = [];
  const shown: string[][] = [];
  const state = { answer: (): Promise<unknown> => Promise.reject(new TypeError("nobody there")), gets: 0 };
  const open = (via: Opened["via"]): Outside["websocket"] => (_, events) => {
    const stream: Opened = { via, ...events, left: false };
    opened.push(stream);
    return { close: () => { stream.left = true; } };
  };
  const outside: Outside = {
    websocket: open("websocket"),
    eventStream: open("events"),
    get: <T>() => { state.gets += 1; return state.answer() as Promise<T>; },
    now: () => Date.now(),
    random: () => 0.5,
  };
  const subscription = subscribe("pages", "/v1/live/pages?site=s", {
    data: (held) => shown.push(held.rows.map((row) => row.path)),
    link: (link) => links.push(link),
  }, outside);
  const last = (): Opened => opened.at(-1)!;
  return { opened, links, shown, state, subscription, last };
}

describe("subscribe", () => {
  beforeEach(() => { vi.useFakeTimers({ now: 1_000_000 }); });
  afterEach(() => { vi.useRealTimers(); });

  it("shows the snapshot, then deltas, and is live only from the snapshot on", () => {
    const { last, links, shown } = world();
    expect(links).toEqual([{ kind: "connecting" }]);
    last().message(text(1, "delta", "/early"));
    expect(shown).toEqual([]);
    last().message(text(2, "snapshot", "/a"));
    last().message(text(3, "delta", "/b"));
    expect(shown).toEqual([["/a"], ["/a", "/b"]]);
    expect(links.at(-1)).toEqual({ kind: "live", via: "websocket" });
  });

  it("says since when what it shows is stale, and comes back with a snapshot", async () => {
    const { last, links, shown, opened } = world();
    last().message(text(1, "snapshot", "/a"));
    await vi.advanceTimersByTimeAsync(5_000);
    last().closed();
    expect(links.at(-1)).toEqual({ kind: "lost", asOfMs: 1_000_000 });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(opened.length).toBe(2);
    last().message(text(9, "snapshot", "/c"));
    expect(shown.at(-1)).toEqual(["/c"]);
    expect(links.at(-1)).toEqual({ kind: "live", via: "websocket" });
  });

  it("waits longer after each failure, and never longer than the maximum", async () => {
    const { opened, last } = world();
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

  it("falls back to server-sent events when only the WebSocket does not get through", async () => {
    const { opened, last, state, links } = world();
    state.answer = () => Promise.resolve({ seq: 1, type: "snapshot", data: pages("/a") });
    for (let failure = 0; failure < 2; failure += 1) {
      last().closed();
      await vi.advanceTimersByTimeAsync(2_000);
    }
    expect(opened.map((stream) => stream.via)).toEqual(["websocket", "websocket", "events"]);
    last().message(text(2, "snapshot", "/b"));
    expect(links.at(-1)).toEqual({ kind: "live", via: "events" });
  });

  it("stops when the login is gone", async () => {
    const { opened, last, state, links } = world();
    state.answer = () => Promise.reject(new Refusal(401, "not logged in"));
    last().message(text(1, "snapshot", "/a"));
    last().closed();
    await vi.advanceTimersByTimeAsync(10 * RETRY_MAX_MS);
    expect(links.at(-1)).toEqual({ kind: "refused", status: 401, message: "not logged in" });
    expect(opened).toHaveLength(1);
  });

  it("gives up a connection that brings no snapshot", async () => {
    const { opened, links } = world();
    await vi.advanceTimersByTimeAsync(CONNECT_MS_MAX);
    expect(opened[0]!.left).toBe(true);
    expect(links.at(-1)).toEqual({ kind: "lost", asOfMs: undefined });
  });

  it("leaves a stream that has fallen silent while there is news", async () => {
    const { opened, last, state, links } = world();
    last().message(text(7, "snapshot", "/a"));
    state.answer = () => Promise.resolve({ seq: 8, type: "snapshot", data: pages("/b") });
    await vi.advanceTimersByTimeAsync(SILENCE_MS_MAX * 1.1);
    expect(opened[0]!.left).toBe(true);
    expect(links.at(-1)?.kind).toBe("lost");
  });

  it("keeps a stream that is silent because nothing happens", async () => {
    const { opened, last, state, links } = world();
    last().message(text(7, "snapshot", "/a"));
    state.answer = () => Promise.resolve({ seq: 7, type: "snapshot", data: pages("/a") });
    await vi.advanceTimersByTimeAsync(SILENCE_MS_MAX * 5);
    expect(state.gets).toBeGreaterThan(3);
    expect(opened).toHaveLength(1);
    expect(links.at(-1)).toEqual({ kind: "live", via: "websocket" });
  });

  it("says nothing more once closed", async () => {
    const { last, links, subscription, shown, opened } = world();
    last().message(text(1, "snapshot", "/a"));
    subscription.close();
    const said = links.length;
    last().message(text(2, "delta", "/b"));
    last().closed();
    await vi.advanceTimersByTimeAsync(RETRY_MAX_MS);
    expect(links).toHaveLength(said);
    expect(shown).toHaveLength(1);
    expect(opened[0]!.left).toBe(true);
  });
});

describe("worst", () => {
  it("is refused before lost before connecting before live, and as old as the oldest", () => {
    const live: Link = { kind: "live", via: "websocket" };
    expect(worst([live, { kind: "lost", asOfMs: 20 }, { kind: "lost", asOfMs: 10 }])).toEqual({ kind: "lost", asOfMs: 10 });
    expect(worst([live, { kind: "connecting" }])).toEqual({ kind: "connecting" });
    expect(worst([{ kind: "lost", asOfMs: 1 }, { kind: "refused", status: 401, message: "" }]).kind).toBe("refused");
    expect(worst([live, live])).toEqual(live);
  });
});

describe("parse", () => {
  it("takes updates and nothing else", () => {
    expect(parse(text(1, "snapshot", "/"))?.seq).toBe(1);
    for (const bad of ["", "null", "7", "{}", '{"seq":1,"type":"other","data":{}}', '{"seq":1,"type":"delta","data":null}']) {
      expect(parse(bad)).toBeUndefined();
    }
  });
});
