// What goes wrong in the page's scripts: whom it hits, and how far in each funnel they were.

import { For, Show, type JSX } from "solid-js";
import type { ErrorRow } from "../api";
import { count, moment } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
import { Counts } from "../panel/counts";
import { Figure } from "../panel/figure";
import { Empty, Panel } from "../panel/panel";
import { createShown } from "../panel/shown";
import { hits, place } from "./hits";
import "./errors.css";

/** Errors shown before “show all”. */
const ROWS_SHOWN = 5;

/** The panel. */
export function Errors(props: { live: Live<Held["errors"]> }): JSX.Element {
  return (
    <Panel title="Script errors" class="errors" live={props.live}>
      {(data) => (
        <Show
          when={data().rows.length > 0}
          fallback={
            <Empty title="No script has failed.">
              Errors of the shop's pages are told by themselves. To see one here, open the shop and run{" "}
              <code>setTimeout(() =&gt; oops)</code> in the browser's console.
            </Empty>
          }
        >
          <List data={data()} />
        </Show>
      )}
    </Panel>
  );
}

function List(props: { data: Held["errors"] }): JSX.Element {
  const shown = createShown(() => props.data.rows, ROWS_SHOWN);
  return (
    <>
      <ul><For each={shown.rows()}>{(row) => <Item row={row} />}</For></ul>
      <shown.More leftOut={props.data.left_out} />
    </>
  );
}

function Item(props: { row: ErrorRow }): JSX.Element {
  return (
    <li class="error">
      <div class="error-what">
        <p class="error-message">{props.row.message || "An error without a message"}</p>
        <Show when={place(props.row)}>{(at) => <code title={props.row.source}>{at()}</code>}</Show>
        <p class="error-numbers">
          <b><Figure text={count(props.row.visitors)} /></b> {props.row.visitors === 1 ? "visitor" : "visitors"},{" "}
          <Figure text={count(props.row.errors)} /> {props.row.errors === 1 ? "time" : "times"},
          last {moment(props.row.last_ms)}
        </p>
      </div>
      <div class="error-funnels">
        <For each={hits(props.row)} fallback={<p class="cell-note">Nobody it hit was in a funnel.</p>}>
          {(funnel) => <Counts title={`Where in “${funnel.name}”`} rows={funnel.steps} of={props.row.visitors} />}
        </For>
      </div>
    </li>
  );
}
