// Where visits come from, and what they bring.

import { Show, type JSX } from "solid-js";
import type { SourceRow } from "../api";
import type { Live } from "../live";
import type { Held } from "../merge";
import { Empty, Panel } from "../panel/panel";
import { ResultsTable } from "../panel/results";

/** The panel. */
export function Sources(props: { live: Live<Held["sources"]> }): JSX.Element {
  return (
    <Panel title="Sources" class="sources" live={props.live}>
      {(data) => (
        <Show
          when={data().rows.length > 0}
          fallback={
            <Empty title="No visit yet.">
              Follow a link to the shop from another site, or name the source in the address, such as{" "}
              <code>?utm_source=news</code>.
            </Empty>
          }
        >
          <ResultsTable rows={data().rows} heading="Source" name={sourceName} />
        </Show>
      )}
    </Panel>
  );
}

/** What a source is called, and how its visits came: by its own name first, then by the linking site's. */
export function sourceName(row: Pick<SourceRow, "source" | "medium" | "referrer">): { name: string; origin: string } {
  if (!row.source && !row.medium) {
    return row.referrer
      ? { name: row.referrer, origin: "a link from there" }
      : { name: "Direct", origin: "no source in the address, no link" };
  }
  const by = [row.medium, row.referrer && `a link from ${row.referrer}`].filter(Boolean).join(" · ");
  return { name: row.source || row.medium, origin: by || "named in the address" };
}
