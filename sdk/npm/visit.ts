// Visits: who comes, with which campaign, and when a visit is over.
//
// Owns the storage keys, the text a visit is kept as between pages, its expiry, and what of an
// address may travel. Knows neither recorder nor wire.

import { NAME_MAX, hex } from "./bytes.js";

/** A visit is over after this long without input, ms. */
export const IDLE_MAX = 30 * 60 * 1000;
/** A visit is written down again at most this often, ms. */
const SAVE_EVERY = 10_000;
/** What waits for its ack is all in one, so that a refusal can delete it: see `persist.ts`. */
export const DATABASE = "upriver";
/** What every key of ours begins with. */
export const OURS = "upriver.";
const FIELDS = ["source", "medium", "campaign", "term", "content"];

/** The `utm_*` fields: source, medium, campaign, term, content. */
export type Campaign = string[];

/** One visit: its name (16 hexadecimal digits), the last input (Unix ms), what brought it. */
export interface Visit {
  session: string;
  seen: number;
  campaign?: Campaign | undefined;
}

/** A random name of so many bytes, in hexadecimal. */
export const randomName = (bytes: number): string => hex(crypto.getRandomValues(new Uint8Array(bytes)));

/** The visit that goes on now: the kept one, unless it is over or another campaign landed. */
export const going = (kept: Visit | undefined, landed: Campaign | undefined, now: number): Visit =>
  // A clock that was set back must not keep a visit alive for ever.
  kept && Math.abs(now - kept.seen) < IDLE_MAX && (!landed || landed.join("\n") === kept.campaign?.join("\n"))
    ? { ...kept, seen: now }
    : { session: randomName(8), seen: now, campaign: landed };

/** As text: lines of session, time and the five campaign fields. Not a decimal time: Chromium keeps a table of
 * those it has written, 47 KB of the page's heap. */
export const toText = ({ session, seen, campaign = [] }: Visit): string =>
  [session, Math.floor(seen).toString(36), ...campaign].join("\n");

/** From text; none when it is not one of ours. */
export function fromText(text?: string | null): Visit | undefined {
  const [session, seen, ...campaign] = (text ?? "").split("\n");
  const at = parseInt(seen!, 36);
  return /^[\da-f]{16}$/.test(session!) && at > 0
    ? { session: session!, seen: at, campaign: campaign.length === 5 ? campaign : undefined }
    : undefined;
}

/** Splits `?a=b&c=d` into the campaign and what is allowed to travel, `?a=b` or nothing. */
export function readQuery(query: string, allowed: string[]): { campaign: Campaign | undefined; kept: string } {
  const all = new URLSearchParams(query);
  const campaign = FIELDS.map((field) =>
    (all.get("utm_" + field) ?? "").replace(/[\0-\x1f\x7f-\x9f]/g, "").slice(0, NAME_MAX));
  const kept = `${new URLSearchParams([...all].filter(([name]) => allowed.includes(name)))}`;
  return { campaign: campaign.some(Boolean) ? campaign : undefined, kept: kept && "?" + kept };
}

let keeping: boolean;
let visit: Visit;

// Reads what is kept, or keeps a text. Storage may be absent, full, or forbidden; then names last as
// long as the page.
function item(key: string, text?: string): string | undefined {
  try {
    if (text) localStorage.setItem(OURS + key, text);
    return localStorage.getItem(OURS + key) ?? undefined;
  } catch {
    return undefined;
  }
}

// The visit that is kept, and the one that goes on, which is kept from then.
const kept = () => (keeping ? fromText(item("visit")) : undefined);

function go(on: Visit | undefined, landed: Campaign | undefined, now: number): Visit {
  visit = going(on, landed, now);
  if (keeping) item("visit", toText(visit));
  return visit;
}

/** The visitor's name, and the visit now. `may`: whether names may be kept in the browser; else they
 * last as long as the page. */
export function visitor(landed: Campaign | undefined, now: number, may: boolean): [string, Visit] {
  keeping = may;
  let name = (may && item("visitor")) || "";
  if (!/^[\da-f]{32}$/.test(name)) {
    name = randomName(16);
    if (may) item("visitor", name);
  }
  return [name, go(kept(), landed, now)];
}

/** Somebody is there at this time: the visit that begins with it, if another does. */
export function another(at: number): Visit | undefined {
  const { session, seen } = visit;
  // Another tab may have gone on with it, or begun another.
  return at - seen < SAVE_EVERY || go(kept() ?? visit, undefined, at).session === session ? undefined : visit;
}

/** The answer about consent kept from before; or keeps this one, one letter. */
export const remembered = (answer?: string): string | undefined => item("consent", answer);

/** Removes everything that was ever kept in this browser. */
export function forget(): void {
  try {
    indexedDB.deleteDatabase(DATABASE);
  } catch {}
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(OURS)) localStorage.removeItem(key);
    }
  } catch {}
}
