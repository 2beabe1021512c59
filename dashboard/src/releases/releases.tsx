// What changed with each version of the site: the same share of visitors before and after it.

import { createMemo, createSignal, For, Show, type JSX } from "solid-js";
import { RELEASE_MEASURES, RELEASE_WINDOWS, type ReleaseMeasure, type ReleaseRow, type Site } from "../api";
import { Icon } from "../draw/icons";
import { count, duration, moment, percent, points } from "../format";
import { createLive } from "../live";
import type { Held } from "../merge";
import { Figure } from "../panel/figure";
import { Empty, Panel } from "../panel/panel";
import { createShown } from "../panel/shown";
import { Tabs } from "../panel/tabs";
import { change, MEASURES, verdict } from "./verdict";
import "./releases.css";

/** Releases shown before “show all”. */
const ROWS_SHOWN = 2;

const WINDOWS: Record<(typeof RELEASE_WINDOWS)[number], string> = { "15m": "15 min", "1h": "1 h", "3h": "3 h", "6h": "6 h" };

/** The panel, with a choice of how long before and after. */
export function Releases(props: { site: Site }): JSX.Element {
  const [window, setWindow] = createSignal<string>("1h");
  const live = createLive("releases", () => ({ site: props.site.id, window: window() }));
  const tools = (
    <Tabs
      label="How long before and after" value={window()} choose={setWindow}
      options={RELEASE_WINDOWS.map((value) => ({ value, label: WINDOWS[value] }))}
    />
  );
  return (
    <Panel title="Releases" class="releases" live={live} tools={tools} ownTime>
      {(data) => (
        <Show
          when={data().rows.length > 0}
          fallback={
            <Empty title="No release within the last day.">
              Tell the SDK which version a page is of: <code>init({"{"} …, release: "1.4" {"}"})</code>. What changed
              with it stands here from its first event on.
            </Empty>
          }
        >
          <List data={data()} />
        </Show>
      )}
    </Panel>
  );
}

function List(props: { data: Held["releases"] }): JSX.Element {
  const shown = createShown(() => props.data.rows, ROWS_SHOWN);
  return (
    <>
      <For each={shown.rows()}>{(row) => <Release row={row} windowMs={props.data.window_ms} />}</For>
      <shown.More leftOut={props.data.left_out} />
    </>
  );
}

function Release(props: { row: ReleaseRow; windowMs: number }): JSX.Element {
  const said = createMemo(() => verdict(props.row));
  const span = (): string =>
    props.row.span_ms > 0
      ? `, ${duration(props.row.span_ms)} ${props.row.span_ms < props.windowMs ? "so far " : ""}before and after`
      : "";
  return (
    <section class="release">
      <h3>
        {props.row.name}{" "}
        <span class="cell-note">{moment(props.row.at_ms)}{span()}</span>
      </h3>
      <p class="release-verdict" data-verdict={said().kind}>
        <Icon name={said().kind === "worse" ? "alert" : said().kind === "better" ? "conversion" : "other"} />
        {said().text}
      </p>
      <Show when={props.row.before.visitors + props.row.after.visitors > 0}><Table row={props.row} /></Show>
    </section>
  );
}

function Table(props: { row: ReleaseRow }): JSX.Element {
  return (
    <table class="table release-table">
      <thead>
        <tr>
          <th scope="col">Visitors who</th>
          <th scope="col" class="num">Before <span class="th-note">of {count(props.row.before.visitors)}</span></th>
          <th scope="col" class="num">After <span class="th-note">of {count(props.row.after.visitors)}</span></th>
          <th scope="col" class="num">Points <span class="th-note">95 % interval</span></th>
        </tr>
      </thead>
      <tbody>
        <For each={RELEASE_MEASURES}>{(measure) => <Measure row={props.row} measure={measure} />}</For>
      </tbody>
    </table>
  );
}

function Measure(props: { row: ReleaseRow; measure: ReleaseMeasure }): JSX.Element {
  const side = (side: "before" | "after"): JSX.Element => {
    const all = (): number => props.row[side].visitors;
    const of = () => props.row[side][props.measure];
    return (
      <td class="num">
        <Show when={all() > 0} fallback={<span class="cell-note">–</span>}>
          <Figure text={percent(of().rate)} /> <span class="cell-note">{count(of().visitors)}</span>
        </Show>
      </td>
    );
  };
  return (
    <tr>
      <th scope="row">{MEASURES[props.measure].did}</th>
      {side("before")}
      {side("after")}
      <td class="num" data-verdict={change(props.row, props.measure)}>
        <Show when={props.row[props.measure]} fallback={<span class="cell-note">–</span>}>
          {(rose) => (
            <>
              <b>{points(rose().by)}</b>{" "}
              <span class="cell-note">{points(rose().low)} to {points(rose().high)}</span>
            </>
          )}
        </Show>
      </td>
    </tr>
  );
}
