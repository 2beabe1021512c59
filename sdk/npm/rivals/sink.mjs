// Where contenders send to: keeps every byte, and can tell presses and the canary in them.
// Owns reading each contender's own format as far as presses go. Knows nothing of browsers.

import { gunzipSync, inflateSync } from "node:zlib";
import { decode, ack } from "../test/wire.mjs";
import { CANARY } from "./page.mjs";

const INTERACTION = 3;
const MOUSE_INTERACTION = 2;
const RRWEB_CLICK = 2;
const CLARITY_CLICK = 9;

/** A body as bytes, inflated where its first bytes say that it is compressed. */
export function plain(body) {
  try {
    if (body[0] === 0x1f && body[1] === 0x8b) return gunzipSync(body);
    if (body[0] === 0x78) return inflateSync(body);
  } catch {}
  return body;
}

const json = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
const list = (value) => (Array.isArray(value) ? value : value ? [value] : []);

/** Presses in one body or query, by contender; undefined where it captures none by design. */
const PRESSES = {
  upriver: (bytes) => decode(bytes).events.filter(({ kind }) => kind === "press").length,
  posthog(bytes) {
    // On leaving it sends a form with the same as base64.
    const form = new URLSearchParams(bytes.toString()).get("data");
    const sent = json(bytes.toString()) ?? json(Buffer.from(form ?? "", "base64").toString());
    const events = list(sent?.batch ?? sent);
    return events.filter(({ event, properties }) => event === "$autocapture" && properties?.$event_type === "click").length;
  },
  clarity(bytes) {
    const { a = [] } = json(bytes.toString()) ?? {};
    return a.map((event) => (typeof event === "string" ? json(event) : event)).filter((event) => event?.[1] === CLARITY_CLICK).length;
  },
  rrweb: (bytes) => (json(bytes.toString())?.events ?? []).filter(({ type, data }) =>
    type === INTERACTION && data.source === MOUSE_INTERACTION && data.type === RRWEB_CLICK).length,
  snowplow(bytes) {
    const events = json(bytes.toString())?.data ?? [];
    const told = events.map(({ ue_pr = "", ue_px = "" }) => ue_pr + Buffer.from(ue_px, "base64url").toString());
    return told.filter((text) => /(button|link)_click/.test(text)).length;
  },
  amplitude: (bytes) => (json(bytes.toString())?.events ?? []).filter(({ event_type }) => event_type === "[Amplitude] Element Clicked").length,
  countly(bytes) {
    const events = json(new URLSearchParams(bytes.toString()).get("events") ?? "") ?? [];
    return events.filter(({ key, segmentation }) => key === "[CLY]_action" && segmentation?.type === "click").length;
  },
};

/** What one contender sent in one session. */
export class Sink {
  requests = 0;
  preflights = 0;
  streamsTried = 0;
  bodyBytes = 0;
  presses = 0;
  leaks = false;

  constructor(contender) {
    this.contender = contender;
  }

  /** Takes a request; returns what to answer. */
  take({ method, url, body }) {
    if (method === "OPTIONS") {
      this.preflights += 1;
      return Buffer.from("");
    }
    this.requests += 1;
    const { search, pathname } = new URL(url, "http://x");
    this.bodyBytes += body.length + search.length;
    const bytes = plain(body);
    const whole = Buffer.concat([bytes, Buffer.from(decodeURIComponent(search.replaceAll("%", "%25")))]);
    this.look(whole);
    const asked = search.length > 1 && bytes.length === 0 ? Buffer.from(search.slice(1)) : bytes;
    if (asked.length > 0) this.presses += this.count(asked);
    if (pathname.endsWith("/v1/batch")) {
      const batch = decode(bytes);
      return ack(batch.stream, batch.firstSeq, batch.firstSeq + batch.events.length);
    }
    return Buffer.from(JSON.stringify({ status: 1, result: "Success", code: 200 }));
  }

  /** Looks for the canary in the forms in which it could travel. */
  look(bytes) {
    const text = bytes.toString("latin1");
    const forms = [CANARY, CANARY.match(/..../g).join(" "), encodeURIComponent(CANARY)];
    const inside = text.match(/[A-Za-z0-9+/_-]{24,}={0,2}/g) ?? [];
    const unpacked = inside.map((part) => Buffer.from(part, "base64").toString("latin1"));
    this.leaks ||= [text, ...unpacked].some((part) => forms.some((form) => part.includes(form)));
  }

  count(bytes) {
    try {
      return PRESSES[this.contender]?.(bytes) ?? 0;
    } catch {
      return 0;
    }
  }
}
