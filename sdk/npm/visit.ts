// Visits: who comes, with which campaign, and when a visit is over.
//
// Owns the storage keys, the text a visit is kept as between pages, its expiry, and what of an
// address may travel. Knows neither recorder nor wire.

import { NAME_MAX } from "./bytes.js";
import { DATABASE } from "./persist.js";

/** A visit is over after this long without input, ms. */
export const IDLE_MAX = 30 * 60 * 1000;
/** A visit is written down again at most this often, ms. */
const SAVE_EVERY = 10_000;
/** What every key here begins with. */
const OURS = "upriver.";
const VISITOR_KEY = `${OURS}visitor`;
const VISIT_KEY = `${OURS}visit`;
const CONSENT_KEY = `${OURS}consent`;
const FIELDS = ["source", "medium", "campaign", "term", "content"];

/** The `utm_*` fields: source, medium, campaign, term, content. */
export type Campaign = string[];

/** One visit: its name (16 hexadecimal digits), the last input (Unix ms), what brought it. */
export interface Visit {
  session: string;
  seen: number;
  campaign?: Campaign | undefined;
}

/** Bytes in hexadecimal. */
export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** A random name of so many bytes, in hexadecimal. */
export const randomName = (bytes: number): string => hex(crypto.getRandomValues(new Uint8Array(bytes)));

/** The visit that goes on now: the kept one, unless it is over or another campaign landed. */
export function going(kept: Visit | undefined, landed: Campaign | undefined, now: number): Visit {
  const same = !landed || landed.join("\n") === kept?.campaign?.join("\n");
  // A clock that was set back must not keep a visit alive for ever.
  if (kept && same && Math.abs(now - kept.seen) < IDLE_MAX) return { ...kept, seen: now };
  return { session: randomName(8), seen: now, campaign: landed };
}

/** As text: lines of session, time and the five campaign fields. */
export function toText({ session, seen, campaign = [] }: Visit): string {
  return [session, Math.floor(seen).toString(16), ...campaign].join("\n");
}

/** From text; none when it is not one of ours. */
export function fromText(text?: string | null): Visit | undefined {
  const [session = "", seen = "", ...campaign] = (text ?? "").split("\n");
  if (!/^[\da-f]{16}$/.test(session) || !/^[\da-f]{1,13}$/.test(seen)) return undefined;
  return { session, seen: parseInt(seen, 16), campaign: campaign.length === 5 ? campaign : undefined };
}

/** Splits `?a=b&c=d` into the campaign and what is allowed to travel, `?a=b` or nothing. */
export function readQuery(query: string, allowed: string[]): { campaign?: Campaign; kept: string } {
  const campaign = ["", "", "", "", ""];
  let kept = "";
  for (const part of query.replace(/^\?/, "").split("&")) {
    const [name = "", ...rest] = part.split("=");
    const field = name.startsWith("utm_") ? FIELDS.indexOf(name.slice(4)) : -1;
    if (field >= 0) {
      const value = rest.join("=").replace(/\+/g, " ");
      let decoded = value;
      try {
        decoded = decodeURIComponent(value);
      } catch {}
      campaign[field] = decoded.replace(/[\0-\x1f\x7f-\x9f]/g, "").slice(0, NAME_MAX);
    } else if (allowed.includes(name) && name) kept += (kept ? "&" : "?") + part;
  }
  return campaign.some(Boolean) ? { campaign, kept } : { kept };
}

/** The visitor's name, the visit now, and how to go on with it. `keeping`: whether names may be kept in
 * the browser; else they last as long as the page. */
export function visitor(landed: Campaign | undefined, now: number, keeping: boolean) {
  const read = (key: string) => (keeping ? item(key) : undefined);
  const keep = (key: string, text: string) => keeping && item(key, text);
  let name = read(VISITOR_KEY) ?? "";
  if (!/^[\da-f]{32}$/.test(name)) keep(VISITOR_KEY, (name = randomName(16)));
  let visit = going(fromText(read(VISIT_KEY)), landed, now);
  keep(VISIT_KEY, toText(visit));
  return {
    name,
    visit: () => visit,
    /** Somebody is there at this time: whether another visit begins. */
    alive(at: number): boolean {
      if (at - visit.seen < SAVE_EVERY) return false;
      const before = visit.session;
      // Another tab may have gone on with it, or begun another.
      visit = going(fromText(read(VISIT_KEY)) ?? visit, undefined, at);
      keep(VISIT_KEY, toText(visit));
      return visit.session !== before;
    },
  };
}

/** The answer about consent kept from before; or keeps this one, one letter. */
export const remembered = (answer?: string): string | undefined => item(CONSENT_KEY, answer);

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

// Reads what is kept, or keeps a text. Storage may be absent, full, or forbidden; then names last as
// long as the page.
function item(key: string, text?: string): string | undefined {
  try {
    if (text) localStorage.setItem(key, text);
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}
