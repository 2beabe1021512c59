// What is defined of a site, and changing it: requests, and what is said in them.
//
// Owns: the addresses of definitions, versions that a change takes for granted, who may define, and
// which field a refusal is about. Refuses to know: forms, live numbers.

import { request, type Site } from "../api";

/** A step of a funnel, as a definition has it. What no form shows is kept as it is. */
export interface StepBody {
  name: string;
  kind: string;
  page?: string | null;
  event?: string | null;
  element?: string | null;
  props?: Record<string, string>;
}

export interface FunnelBody {
  name: string;
  /** `30m`, `1h 30m`. */
  window: string;
  step: StepBody[];
  exclude?: StepBody[];
}

export interface FunnelDefinition {
  id: string;
  /** Only those made through the API can be changed here. */
  source: "file" | "api";
  version: number;
  body: FunnelBody;
}

/** Whether whoever looks may define something of this site. */
export const mayDefine = (site: Site): boolean => site.scopes?.includes("definitions:write") ?? false;

const address = (site: string, rest = ""): string => `/v1/sites/${encodeURIComponent(site)}/definitions${rest}`;
const funnelAddress = (site: string, id: string): string => address(site, `/funnel/${encodeURIComponent(id)}`);

/** The funnels that are there now. */
export async function fetchFunnels(site: string): Promise<FunnelDefinition[]> {
  const all = await request<{ definitions: (FunnelDefinition & { kind: string })[] }>(address(site));
  return all.definitions.filter((definition) => definition.kind === "funnel");
}

/** Defines a funnel: anew where `version` is undefined, or else in the place of that version and of no other. */
export function defineFunnel(site: string, id: string, body: FunnelBody, version: number | undefined): Promise<FunnelDefinition> {
  return request(funnelAddress(site, id), {
    method: "PUT",
    headers: { "content-type": "application/json", ...taken(version) },
    body: JSON.stringify(body),
  });
}

/** Removes that version of a funnel. */
export const removeFunnel = (site: string, { id, version }: FunnelDefinition): Promise<unknown> =>
  request(funnelAddress(site, id), { method: "DELETE", headers: taken(version) });

const taken = (version: number | undefined): Record<string, string> =>
  version === undefined ? { "if-none-match": "*" } : { "if-match": `"${version}"` };

/** Longest id, bytes. */
const ID_CHARS_MAX = 64;

/** An id that says what `name` says and that none has yet. */
export function idFor(name: string, used: readonly string[]): string {
  const plain = name.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  const stem = plain.slice(0, ID_CHARS_MAX - 4).replace(/-+$/, "") || "funnel";
  let id = stem;
  for (let number = 2; used.includes(id); number += 1) id = `${stem}-${number}`;
  return id;
}

/** Where in a funnel's form a refusal belongs: `name`, `window`, the number of a step; undefined: to all of it. */
export function fieldOf(message: string, steps: readonly StepBody[]): "name" | "window" | number | undefined {
  const step = /, step "((?:[^"\\]|\\.)*)":/.exec(message);
  if (step) {
    const at = steps.findIndex(({ name }) => JSON.stringify(name) === `"${step[1]}"`);
    if (at >= 0) return at;
  }
  if (/(^|: )window\b/.test(message)) return "window";
  if (/^name\b/.test(message)) return "name";
  return undefined;
}

/** A refusal where it stands beside its field, or in the funnel's form: it need not say which. */
export const bare = (message: string): string => message.replace(/^funnel "(?:[^"\\]|\\.)*"(?:, step "(?:[^"\\]|\\.)*")?: /, "");

const UNITS_MS: Record<string, number> = {
  ms: 1, s: 1_000, sec: 1_000, second: 1_000, m: 60_000, min: 60_000, minute: 60_000, h: 3_600_000, hr: 3_600_000, hour: 3_600_000,
  d: 86_400_000, day: 86_400_000, w: 604_800_000, week: 604_800_000,
};

/** A time as definitions have it (`1h 30m`) as milliseconds; undefined where it is another one. */
export function readTime(text: string): number | undefined {
  if (!/^(\s*\d+\s*[a-z]+)+\s*$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/(\d+)\s*([a-z]+)/g)) {
    sum += Number(number) * (UNITS_MS[unit!] ?? UNITS_MS[unit!.replace(/s$/, "")] ?? NaN);
  }
  return sum > 0 ? sum : undefined;
}
