// The experiments: which variant does better, and what of that is proven while one watches.

import { createMemo, For, Show, type JSX } from "solid-js";
import type { ExperimentRow, VariantRow, Verdict } from "../api";
import { count, moment, signed } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
import { Figure } from "../panel/figure";
import { Empty, Panel } from "../panel/panel";
import { Rate } from "../panel/rate";
import "./experiments.css";

/** What is proven, in words. */
const VERDICTS: Record<Verdict, string> = {
  open: "nothing proven yet",
  better: "better, proven",
  worse: "worse, proven",
  unsound: "not comparable",
  too_old: "began too long ago",
};

/** The panel. */
export function Experiments(props: { live: Live<Held["experiments"]> }): JSX.Element {
  return (
    <Panel title="Experiments" class="experiments" live={props.live}>
      {(data) => (
        <Show
          when={data().rows.length > 0}
          fallback={
            <Empty title="No experiment yet.">
              Say which variant a visitor is shown: <code>exposure("buy-button", "green")</code>.
            </Empty>
          }
        >
          <For each={data().rows}>{(row) => <Experiment row={row} />}</For>
        </Show>
      )}
    </Panel>
  );
}

function Experiment(props: { row: ExperimentRow }): JSX.Element {
  // One scale for all intervals, so that they can be compared.
  const scale = createMemo(() => Math.max(0.01, ...props.row.variants.map((one) => one.rate_high)));
  return (
    <section class="experiment">
      <h3>
        {props.row.experiment}{" "}
        <span class="cell-note">{count(props.row.visitors)} visitors since {moment(props.row.since_ms)}</span>
      </h3>
      <Show when={!props.row.shares_sound}>
        <p class="note note-warn">
          Visitors are not shown the variants in the planned shares, so nothing here can be compared: look at
          how they are assigned.
        </p>
      </Show>
      <table class="table cards experiment-table">
        <thead>
          <tr>
            <th scope="col">Variant</th>
            <th scope="col" class="num">Visitors</th>
            <th scope="col" class="num">Converted</th>
            <th scope="col">Rate <span class="th-note">95 %, at any time</span></th>
            <th scope="col">Beside the control</th>
          </tr>
        </thead>
        <tbody>
          <For each={props.row.variants}>
            {(variant, at) => <Variant row={variant} first={at() === 0} scale={scale()} />}
          </For>
        </tbody>
      </table>
    </section>
  );
}

function Variant(props: { row: VariantRow; first: boolean; scale: number }): JSX.Element {
  return (
    <tr>
      <th scope="row" class="experiment-variant"><span title={props.row.variant}>{props.row.variant}</span></th>
      <td class="num" data-label="Visitors"><Figure text={count(props.row.visitors)} /></td>
      <td class="num" data-label="Converted"><Figure text={count(props.row.converted)} /></td>
      <td data-label="Rate" class="rate-cell">
        <Rate
          of={props.row.visitors} rate={props.row.rate} low={props.row.rate_low} high={props.row.rate_high}
          scale={props.scale}
        />
      </td>
      <td data-label="Beside the control" class="experiment-lift">
        <Show
          when={props.row.comparison}
          fallback={<span class="cell-note">{props.first ? "control" : "not planned"}</span>}
        >
          {(beside) => (
            <>
              <b>{signed(beside().lift)}</b>{" "}
              <span class="cell-note">
                {signed(beside().lift_low)} to {limit(beside().lift_high)}
              </span>
              <span class="experiment-verdict" data-verdict={beside().verdict}>{VERDICTS[beside().verdict]}</span>
            </>
          )}
        </Show>
      </td>
    </tr>
  );
}

const limit = (high: number | null): string => (high === null ? "any" : signed(high));
