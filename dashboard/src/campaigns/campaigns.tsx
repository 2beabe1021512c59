// The campaigns: what each brings, with how sure that is.

import { Show, type JSX } from "solid-js";
import { campaignName } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
import { Empty, Panel } from "../panel/panel";
import { ResultsTable } from "../panel/results";

/** The panel. */
export function Campaigns(props: { live: Live<Held["campaigns"]> }): JSX.Element {
  return (
    <Panel title="Campaigns" class="campaigns" live={props.live}>
      {(data) => (
        <Show
          when={data().rows.length > 0}
          fallback={
            <Empty title="No campaign yet.">
              Open the shop with a campaign in its address, such as{" "}
              <code>?utm_source=news&amp;utm_campaign=spring</code>.
            </Empty>
          }
        >
          <ResultsTable
            rows={data().rows} heading="Campaign" minutes
            name={(row) => ({
              name: campaignName(row),
              origin: [row.source, row.medium].filter(Boolean).join(" / ") || "no campaign in the address",
            })}
          />
        </Show>
      )}
    </Panel>
  );
}
