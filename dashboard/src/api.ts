// What the collector says, as types, and the plain requests to it.
//
// Owns: shapes (the serde names of the wire crate's live messages), addresses of live resources,
// session and ticket requests. Refuses to know: how a subscription is kept alive (subscribe.ts), how
// messages combine (merge.ts), the DOM.

/** The live resources and the shape of each. */
export interface Resources {
  overview: Overview;
  heatmap: HeatMap;
  elements: Board;
  funnel: Funnel;
  campaigns: Campaigns;
  experiments: Experiments;
  alerts: Alerts;
  presence: Presence;
  "presence/visitors": PresentVisitors;
  sources: Sources;
  errors: Errors;
  releases: Releases;
  pages: Pages;
  activity: Activity;
}
export type ResourceName = keyof Resources;

/** One message on a subscription, and the answer to a plain GET (then a snapshot). */
export interface Update<T> {
  seq: number;
  /** What its reader holds afterwards: who says it again as `after` gets what changed since. */
  cursor?: string;
  type: "snapshot" | "delta";
  data: T;
}

/** What a number means. Only in snapshots. Times are Unix milliseconds. */
export interface Basis {
  definition: string;
  sql: string;
  from_ms: number;
  /** False while history is still being read: numbers are then too low. */
  complete: boolean;
}

interface Based {
  basis?: Basis;
}

/** A sum: millionths of the currency's unit. */
export interface Money {
  currency: string;
  micros: number;
}

export interface Overview extends Based {
  visitors: number;
  page_views: number;
  presses: number;
  scrolls: number;
  swipes: number;
  customs: number;
  conversions: number;
  exposures: number;
  value: Money[];
}

/** What a heat map can show. */
export const HEAT_KINDS = [
  "press", "rage", "dead", "error_press", "long_press", "hesitation", "swipe", "swipe_path",
  "swipe_direction", "move", "attention", "scroll_depth", "scroll_direction", "impression",
] as const;
export type HeatKind = (typeof HEAT_KINDS)[number];

/** Which events a heat map counts; empty: all. As the parameters of the live API. */
export interface HeatChoice {
  kind: HeatKind;
  window: string;
  device: string;
  campaign: string;
  traffic: string;
}

/** What a heat map begins with. */
export const HEAT_CHOICE: HeatChoice = { kind: "press", window: "", device: "", campaign: "", traffic: "" };

export interface HeatMap extends Based {
  page: string;
  kind: HeatKind;
  unit: "events" | "ms";
  /** What the cells lie over: the box of each element, the window, the document, … */
  over: "element" | "window" | "document" | "bands" | "directions" | "nothing";
  columns: number;
  rows: number;
  total: number;
  elements: HeatElement[];
}

export interface HeatElement {
  /** 16 hexadecimal digits. */
  element: string;
  /** Empty until the element's descriptor has arrived. */
  selector: string;
  label: string;
  role: string;
  total: number;
  /** `[cell, amount]`, `cell = row * columns + column`; presses have 16 × 16 cells over its box. */
  cells: [number, number][];
}

/** By what the visitors who saw an element are compared. */
export type BoardBy = "nothing" | "variant" | "colour" | "shape" | "size" | "position";

export interface Board extends Based {
  page: string;
  by: BoardBy;
  /** Elements beyond those in `rows`. */
  left_out: number;
  rows: BoardRow[];
}

/** Visitors, and the share of those who saw who pressed, with its 95 % interval. */
interface Pressers {
  seen: number;
  pressed: number;
  hesitated: number;
  /** Hesitated and never pressed. */
  undecided: number;
  rate: number;
  rate_low: number;
  rate_high: number;
}

export interface BoardRow extends Pressers {
  /** 16 hexadecimal digits. */
  element: string;
  selector: string;
  label: string;
  role: string;
  /** As last described; `colour` is `#rrggbb`, lengths are CSS pixels. */
  look: { colour: string; width: number; height: number; x: number; y: number; radius: number } | null;
  impressions: number;
  presses: number;
  hesitations: number;
  rages: number;
  dead_presses: number;
  seen_pressed: number;
  groups: (Pressers & { value: string })[];
}

export interface Funnel extends Based {
  id: string;
  name: string;
  window_ms: number;
  steps: FunnelStep[];
  groups: FunnelGroup[];
  /** Half of those who got all the way took no longer from the first step to the last. */
  median_ms?: number | null;
}

export interface FunnelStep {
  name: string;
  matches: string;
  visitors: number;
  /** Got no further, but still may. */
  open: number;
  /** Got no further, and no longer can. */
  lost: number;
}

export interface FunnelGroup {
  dimension: string;
  value: string;
  /** One number a step. */
  visitors: number[];
}

export interface Campaigns extends Based {
  rows: CampaignRow[];
}

/** What visitors of one kind bring. */
export interface Results {
  visitors: number;
  engaged: number;
  converted: number;
  conversions: number;
  value: Money[];
  /** Fractions, 0 to 1. */
  rate: number;
  rate_low: number;
  rate_high: number;
}

export interface CampaignRow extends Results {
  source: string;
  medium: string;
  campaign: string;
  /** Page views in each of the last 30 minutes, oldest first. */
  minutes: number[];
}

export interface Presence extends Based {
  online: number;
  pages: Count[];
  devices: Count[];
  campaigns: Count[];
}

export interface PresentVisitors extends Based {
  rows: PresentVisitor[];
  /** Visitors beyond those in `rows`. */
  left_out: number;
}

export interface PresentVisitor {
  visitor: string;
  page: string;
  campaign: string;
  device: string;
  /** What they did last; empty: nothing that is told. */
  kind: string;
  element: string;
  label: string;
  /** Since when they are here: a whole minute. */
  since_ms: number;
  last_ms: number;
}

export interface Sources extends Based {
  rows: SourceRow[];
}

export interface SourceRow extends Results {
  source: string;
  medium: string;
  /** A host; empty: they came directly. */
  referrer: string;
}

export interface Errors extends Based {
  rows: ErrorRow[];
  /** Errors beyond those in `rows`. */
  left_out: number;
}

export interface ErrorRow {
  message: string;
  /** Address of the script. */
  source: string;
  /** From 1; 0: not known. */
  line: number;
  errors: number;
  visitors: number;
  last_ms: number;
  /** How far visitors were when it happened; step 0 is before the first. */
  funnels: { id: string; name: string; steps: { step: number; name: string; errors: number; visitors: number }[] }[];
}

/** How long each side of a release may be; as the parameter of the live API. */
export const RELEASE_WINDOWS = ["15m", "1h", "3h", "6h"] as const;

export interface Releases extends Based {
  window_ms: number;
  rows: ReleaseRow[];
  /** Releases beyond those in `rows`. */
  left_out: number;
}

/** What can be compared before and after a release: the share of visitors to whom it happened. */
export const RELEASE_MEASURES = ["converted", "raged", "dead", "error_pressed", "faulted"] as const;
export type ReleaseMeasure = (typeof RELEASE_MEASURES)[number];

/** A release. Of each measure by how much its share rose; null: there was nobody on one side. */
export interface ReleaseRow extends Record<ReleaseMeasure, { by: number; low: number; high: number } | null> {
  name: string;
  /** Of its definition; empty: pages told it. */
  id: string;
  at_ms: number;
  /** Length of each side so far. */
  span_ms: number;
  before: ReleaseSide;
  after: ReleaseSide;
}

export interface ReleaseSide extends Record<ReleaseMeasure, { visitors: number; rate: number; rate_low: number; rate_high: number }> {
  visitors: number;
  conversions: number;
  value: Money[];
}

export interface Count {
  name: string;
  visitors: number;
}

export interface Pages extends Based {
  rows: PageRow[];
}

export interface PageRow {
  path: string;
  views: number;
  visitors: number;
  presses: number;
}

export interface Activity extends Based {
  /** Newest last. */
  items: ActivityItem[];
}

export interface ActivityItem {
  id: number;
  time_ms: number;
  visitor: string;
  kind: string;
  path: string;
  about: string;
  /** Id of the element, 16 hexadecimal digits; zeros for none. */
  element: string;
  value: Money | null;
  campaign: { source: string; medium: string; campaign: string; term: string; content: string };
  device: string;
}

export interface Experiments extends Based {
  rows: ExperimentRow[];
}

/** One experiment; of its variants the control comes first. */
export interface ExperimentRow {
  experiment: string;
  since_ms: number;
  visitors: number;
  conflicting: number;
  shares_evidence: number;
  shares_sound: boolean;
  whole: boolean;
  variants: VariantRow[];
}

export interface VariantRow {
  variant: string;
  share: number;
  visitors: number;
  converted: number;
  conversions: number;
  value: Money[];
  rate: number;
  rate_low: number;
  rate_high: number;
  comparison: VariantComparison | null;
}

export type Verdict = "open" | "better" | "worse" | "unsound" | "too_old";

/** Fractions; `lift_high` is null where nothing is known upwards. */
export interface VariantComparison {
  lift: number;
  lift_low: number;
  lift_high: number | null;
  difference: number;
  difference_low: number;
  difference_high: number;
  evidence: number;
  verdict: Verdict;
}

export interface Alerts extends Based {
  /** What happened before was looked at; 0: nothing was yet. */
  watched_until_ms: number;
  watched: number;
  rows: AlertRow[];
}

export interface AlertRow {
  id: string;
  kind: "step_broke" | "campaign_not_converting" | "traffic_vanished" | "traffic_spiked";
  title: string;
  open: boolean;
  funnel: string;
  step: string;
  next: string;
  campaign: string;
  page: string;
  since_ms: number;
  opened_ms: number;
  closed_ms: number;
  arrived: number;
  expected: number;
  seen: number;
  evidence_hours: number;
  sql: string;
}

/** Who may see what. */
export interface Session {
  sites: Site[];
}

export interface Site {
  id: string;
  name: string;
  base_url: string | null;
  /** What whoever looks may do here. */
  scopes?: string[];
  funnels: { id: string; name: string }[];
}

/** The collector answered, but not with what was asked for. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** A request that takes longer than this is given up. */
export const REQUEST_MS_MAX = 10_000;

/** Address of a live resource, relative to `origin` (empty: this page's own). Empty values are left out. */
export function liveUrl(
  name: ResourceName,
  params: Record<string, string | undefined>,
  origin = "",
): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value) query.set(key, value);
  }
  return `${origin}/v1/live/${name}?${query}`;
}

/** The sites this login may see. Throws a Refusal of status 401 without a login. */
export function fetchSession(): Promise<Session> {
  return request<Session>("/v1/me");
}

/** A short-lived pass for the overlay on the shop's own page. */
export async function buyTicket(site: string): Promise<string> {
  const answer = await request<{ ticket: string; expires_in_s: number }>("/v1/tickets", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ site, scope: "overlay" }),
  });
  return answer.ticket;
}

/** One JSON request. Throws a Refusal for any status but 2xx, a TypeError where nothing answered. */
export async function request<T>(url: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(url, {
    ...init,
    headers: { accept: "application/json", ...(init.headers as Record<string, string> | undefined) },
    signal: AbortSignal.timeout(REQUEST_MS_MAX),
    cache: "no-store",
  });
  if (!answer.ok) throw new Refusal(answer.status, await reason(answer));
  return (await answer.json()) as T;
}

const REASON_CHARS_MAX = 300;

async function reason(answer: Response): Promise<string> {
  const text = (await answer.text()).trim();
  try {
    const parsed = JSON.parse(text) as { error?: { message?: unknown } } | null;
    const said = parsed?.error?.message;
    if (typeof said === "string") return said.slice(0, REASON_CHARS_MAX);
  } catch {
    // Not JSON: a proxy in between may have answered. Its words are better than none.
  }
  return (text || answer.statusText || `status ${answer.status}`).slice(0, REASON_CHARS_MAX);
}
