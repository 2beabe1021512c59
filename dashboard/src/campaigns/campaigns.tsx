// The campaign table: what each campaign brings, with how sure that is.

import { createMemo, createSignal, For, Show, type JSX } from "solid-js";
import type { CampaignRow } from "../api";
import { Spark } from "../draw/spark";
import { campaignName, count, money, share } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
import { Figure } from "../panel/figure";
import { Empty, Panel } from "../panel/panel";
import { Rate } from "../panel/rate";
import "./campaigns.css";

/** Campaigns shown before “show all”. */
const ROWS_SHOWN = 8;

/** The table, most visitors first. */
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
          <Table rows={data().rows} />
        </Show>
      )}
    </Panel>
  );
}

function Table(props: { rows: Held["campaigns"]["rows"] }): JSX.Element {
  const [all, setAll] = createSignal(false);
  const sorted = createMemo(() =>
    [...props.rows].sort((a, b) => b.visitors - a.visitors || (a.key < b.key ? -1 : 1)));
  const shown = (): typeof props.rows => (all() ? sorted() : sorted().slice(0, ROWS_SHOWN));
  // One scale for all intervals, so that they can be compared down the column.
  const scale = createMemo(() => Math.max(0.01, ...shown().map((row) => row.rate_high)));
  return (
    <>
      <table class="table campaigns-table">
        <thead>
          <tr>
            <th scope="col">Campaign</th>
            <th scope="col" class="num">Visitors</th>
            <th scope="col" class="num">Engaged</th>
            <th scope="col" class="num">Converted</th>
            <th scope="col">Rate <span class="th-note">95 % interval</span></th>
            <th scope="col" class="num">Value</th>
            <th scope="col">Last 30 min</th>
          </tr>
        </thead>
        <tbody><For each={shown()}>{(row) => <Row row={row} scale={scale()} />}</For></tbody>
      </table>
      <Show when={sorted().length > ROWS_SHOWN}>
        <button type="button" class="more" onClick={() => setAll(!all())}>
          {all() ? "Show fewer" : `Show all ${count(sorted().length)}`}
        </button>
      </Show>
    </>
  );
}

function Row(props: { row: CampaignRow; scale: number }): JSX.Element {
  const origin = (): string => [props.row.source, props.row.medium].filter(Boolean).join(" / ");
  return (
    <tr>
      <th scope="row" class="campaign-name">
        <span title={campaignName(props.row)}>{campaignName(props.row)}</span>
        <span class="campaign-origin" title={origin()}>{origin() || "no campaign in the address"}</span>
      </th>
      <td class="num" data-label="Visitors"><Figure text={count(props.row.visitors)} /></td>
      <td class="num" data-label="Engaged">
        {count(props.row.engaged)} <span class="cell-note">{share(props.row.engaged, props.row.visitors)}</span>
      </td>
      <td class="num" data-label="Converted"><Figure text={count(props.row.converted)} /></td>
      <td data-label="Rate" class="campaign-rate">
        <Rate of={props.row.visitors} rate={props.row.rate} low={props.row.rate_low} high={props.row.rate_high} scale={props.scale} />
      </td>
      <td class="num" data-label="Value">
        <For each={props.row.value} fallback={<span class="cell-note">–</span>}>
          {(sum) => <span class="campaign-value">{money(sum.micros, sum.currency)}</span>}
        </For>
      </td>
      <td data-label="Last 30 min" class="campaign-spark"><Spark values={props.row.minutes} unit="Page views" /></td>
    </tr>
  );
}
