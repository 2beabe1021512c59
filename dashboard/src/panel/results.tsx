// What visits bring, by campaign or by source: a row each, most visitors first.
//
// Owns: the columns, and that all intervals share one scale. Refuses to know: what a row is named after.

import { createMemo, For, Show, type JSX } from "solid-js";
import type { Results } from "../api";
import { Spark } from "../draw/spark";
import { count, money, share } from "../format";
import { Figure } from "./figure";
import { Rate } from "./rate";
import { createShown } from "./shown";
import "./results.css";

/** Rows shown before “show all”. */
const ROWS_SHOWN = 8;

type Row = Results & { key: string; minutes?: number[] };

interface ResultsTableProps<T extends Row> {
  rows: T[];
  heading: string;
  /** What a row is called, and the line below it. */
  name: (row: T) => { name: string; origin: string };
  /** Whether rows tell the page views of each minute. */
  minutes?: boolean;
}

/** The table. */
export function ResultsTable<T extends Row>(props: ResultsTableProps<T>): JSX.Element {
  const sorted = createMemo(() =>
    [...props.rows].sort((a, b) => b.visitors - a.visitors || (a.key < b.key ? -1 : 1)));
  const shown = createShown(sorted, ROWS_SHOWN);
  // One scale for all intervals, so that they can be compared down the column.
  const scale = createMemo(() => Math.max(0.01, ...shown.rows().map((row) => row.rate_high)));
  return (
    <>
      <table class="table cards results-table">
        <thead>
          <tr>
            <th scope="col">{props.heading}</th>
            <th scope="col" class="num">Visitors</th>
            <th scope="col" class="num">Engaged</th>
            <th scope="col" class="num">Converted</th>
            <th scope="col">Rate <span class="th-note">95 % interval</span></th>
            <th scope="col" class="num">Value</th>
            <Show when={props.minutes}><th scope="col">Last 30 min</th></Show>
          </tr>
        </thead>
        <tbody>
          <For each={shown.rows()}>
            {(row) => (
              <tr>
                <th scope="row" class="results-name">
                  <span title={props.name(row).name}>{props.name(row).name}</span>
                  <span class="results-origin" title={props.name(row).origin}>{props.name(row).origin}</span>
                </th>
                <td class="num" data-label="Visitors"><Figure text={count(row.visitors)} /></td>
                <td class="num" data-label="Engaged">
                  {count(row.engaged)} <span class="cell-note">{share(row.engaged, row.visitors)}</span>
                </td>
                <td class="num" data-label="Converted"><Figure text={count(row.converted)} /></td>
                <td data-label="Rate" class="rate-cell">
                  <Rate of={row.visitors} rate={row.rate} low={row.rate_low} high={row.rate_high} scale={scale()} />
                </td>
                <td class="num" data-label="Value">
                  <For each={row.value} fallback={<span class="cell-note">–</span>}>
                    {(sum) => <span class="results-value">{money(sum.micros, sum.currency)}</span>}
                  </For>
                </td>
                <Show when={props.minutes}>
                  <td data-label="Last 30 min" class="results-spark"><Spark values={row.minutes ?? []} unit="Page views" /></td>
                </Show>
              </tr>
            )}
          </For>
        </tbody>
      </table>
      <shown.More />
    </>
  );
}
