// Who is here now: pages, devices, campaigns.

import { createMemo, type JSX } from "solid-js";
import { count } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
import { Counts } from "../panel/counts";
import { Figure } from "../panel/figure";
import { Panel } from "../panel/panel";
import "./presence.css";

/** Rows of each list that are shown; the rest is added up below. */
const ROWS_SHOWN = 5;

/** The panel. */
export function Presence(props: { live: Live<Held["presence"]> }): JSX.Element {
  return (
    <Panel title="Here now" class="presence" live={props.live} ownTime>
      {(data) => (
        <>
          <p class="presence-online">
            <Figure text={count(data().online)} class="presence-number" />
            <span>{data().online === 1 ? "visitor" : "visitors"} in the last 5 minutes</span>
          </p>
          <Ranked title="Pages" rows={data().pages} online={data().online} />
          <Ranked title="Campaigns" rows={data().campaigns} online={data().online} />
          <Ranked title="Devices" rows={data().devices} online={data().online} />
        </>
      )}
    </Panel>
  );
}

function Ranked(props: { title: string; rows: Held["presence"]["pages"]; online: number }): JSX.Element {
  const sorted = createMemo(() => [...props.rows].sort((a, b) => b.visitors - a.visitors || (a.name < b.name ? -1 : 1)));
  return (
    <Counts
      title={props.title} rows={sorted().slice(0, ROWS_SHOWN)} of={props.online}
      rest={sorted().length - ROWS_SHOWN}
    />
  );
}
