// The script tag: `<script async src="…/upriver.js" data-endpoint="…" data-key="…"></script>`.
//
// Owns reading the tag's attributes, the global `upriver`, and the calls that were put there before
// the script came. Everything else is `index.ts`.

import * as api from "./index.js";
import type { Options } from "./types.js";

const { dataset, src } = document.currentScript as HTMLScriptElement;
const page = window as { upriver?: unknown };
const waiting = page.upriver;

/** `["track", "name", { … }]`: a call by its name. */
function push(...calls: unknown[][]): void {
  for (const [name, ...values] of calls) {
    const called = (api as Record<string, unknown>)[name as string];
    if (typeof called === "function") called(...values);
    else console.error(`upriver: there is no function "${name}" to call`);
  }
}

page.upriver = { ...api, push };
const { key, endpoint = new URL(src).origin, queryParams, release, consent, ...flags } = dataset;
if (key) {
  const options: Options = { key, endpoint };
  if (queryParams) options.queryParams = queryParams.split(/[ ,]+/);
  if (flags["respectSignals"] === "false") options.respectSignals = false;
  if (release) options.release = release;
  // Whatever is not known is taken for "required".
  if (consent) options.consent = consent as NonNullable<Options["consent"]>;
  if (flags["rememberConsent"] !== undefined) options.rememberConsent = true;
  api.init(options);
}
if (Array.isArray(waiting)) push(...waiting);
