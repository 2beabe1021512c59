// Who is here now: pages, devices, campaigns.

import { createMemo, For, Show, type JSX } from "solid-js";
import { count } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
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
          <Counts title="Pages" rows={data().pages} online={data().online} />
          <Counts title="Campaigns" rows={data().campaigns} online={data().online} />
          <Counts title="Devices" rows={data().devices} online={data().online} />
        </>
      )}
    </Panel>
  );
}

type Rows = Held["presence"]["pages"];

function Counts(props: { title: string; rows: Rows; online: number }): JSX.Element {
  const sorted = createMemo(() => [...props.rows].sort((a, b) => b.visitors - a.visitors || (a.name < b.name ? -1 : 1)));
  const rest = (): number => sorted().length - ROWS_SHOWN;
  return (
    <div class="counts">
      <h3>{props.title}</h3>
      <ul>
        <For each={sorted().slice(0, ROWS_SHOWN)} fallback={<li class="counts-none">nobody</li>}>
          {(row) => (
            <li>
              <span class="counts-bar" aria-hidden="true" style={{ width: `${(row.visitors / Math.max(1, props.online)) * 100}%` }} />
              <span class="counts-name" title={row.name}>{row.name}</span>
              <span class="counts-number">{count(row.visitors)}</span>
            </li>
          )}
        </For>
      </ul>
      <Show when={rest() > 0}><p class="counts-rest">and {count(rest())} more</p></Show>
    </div>
  );
}
