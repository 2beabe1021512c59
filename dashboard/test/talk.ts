// What a page and a real collector say to each other over the page's live connections.
//
// Owns: writing it down in the page, and the judgement whether what came after cuts is a whole.

import type { Frame, Page } from "playwright";
import { expect } from "vitest";

/** A message of the collector as the page heard it, and what it was asked for by. */
interface Heard {
  connection: number;
  /** The resource, without the cursor it was asked for with. */
  url: string;
  seq: number;
  type: string;
}

/** What was asked for and what came, over the page's live connections of either kind, in order. */
type Talk = { connection: number; asked: string[]; said?: undefined } | { connection: number; asked?: undefined; said: string };

/** Writes down, in the page, all that its live connections ask for and bring. */
export const listen = (page: Page): Promise<unknown> => page.addInitScript(() => {
  const talk = ((window as unknown as { talk: Talk[] }).talk = []) as Talk[];
  let connections = 0;
  const [Socket, Events] = [window.WebSocket, window.EventSource];
  window.WebSocket = class extends Socket {
    #connection = (connections += 1);
    constructor(url: string | URL) {
      super(url);
      this.addEventListener("message", ({ data }) => talk.push({ connection: this.#connection, said: data as string }));
    }
    override send(text: string): void {
      talk.push({ connection: this.#connection, asked: [text] });
      super.send(text);
    }
  };
  window.EventSource = class extends Events {
    constructor(url: string | URL) {
      super(url);
      const connection = (connections += 1);
      talk.push({ connection, asked: new URL(url, location.href).searchParams.getAll("watch") });
      for (const name of ["snapshot", "delta"]) {
        this.addEventListener(name, (event) => talk.push({ connection, said: (event as MessageEvent<string>).data }));
      }
    }
  };
});

/** All that `listen` wrote down. */
export async function overheard(page: Page | Frame): Promise<{ heard: Heard[]; asked: { connection: number; url: string }[] }> {
  const heard: Heard[] = [];
  const asked: { connection: number; url: string }[] = [];
  const urls = new Map<string, string>();
  const bare = (url: string): string => url.replace(/&after=[^&]*/, "");
  for (const { connection, said, asked: texts } of await page.evaluate(() => (window as unknown as { talk: Talk[] }).talk)) {
    for (const text of texts ?? []) {
      const { subscribe } = text.startsWith("{") ? (JSON.parse(text) as { subscribe?: { id: number; url: string } }) : { subscribe: { id: text, url: text } };
      if (!subscribe) continue;
      urls.set(`${connection} ${subscribe.id}`, bare(subscribe.url));
      asked.push({ connection, url: subscribe.url });
    }
    if (said === undefined) continue;
    const { id, watch, update } = JSON.parse(said) as { id?: number; watch?: string; update?: Heard };
    if (update) heard.push({ ...update, connection, url: urls.get(`${connection} ${id ?? watch}`)! });
  }
  return { heard, asked };
}

export const hour = (): number => Math.floor(Date.now() / 3_600_000);

/**
 * What came is a whole: each connection goes on where the page was, every version comes once, and all of it
 * only at the beginning. At the full hour numbers begin to count at another moment; then all of it comes again.
 */
export function judge({ heard, asked }: Awaited<ReturnType<typeof overheard>>, polled: string[], begun: number): void {
  const hourTurned = hour() !== begun;
  const seqs = new Map<string, number>();
  for (const { url, connection } of asked) {
    const bare = url.replace(/&after=.*/, "");
    const [, cursor] = /&after=[0-9a-f]+-([0-9a-f]+)$/.exec(url) ?? [];
    const after = cursor === undefined ? undefined : parseInt(cursor, 16);
    let held = seqs.get(bare);
    // What a plain request has brought meanwhile is newer.
    if (held !== undefined && !polled.some((path) => path.startsWith(bare))) expect({ bare, after }).toEqual({ bare, after: held });
    if (after !== undefined) {
      expect(after).toBeGreaterThanOrEqual(held ?? 0);
      held = after;
    }
    for (const { type, seq } of heard.filter((message) => message.url === bare && message.connection === connection)) {
      if (type === "delta" || !(held === undefined || hourTurned)) {
        expect({ bare, type, seq }).toEqual({ bare, type: "delta", seq: (held ?? 0) + 1 });
      }
      held = seq;
    }
    if (held !== undefined) seqs.set(bare, held);
  }
}
