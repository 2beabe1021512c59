// What is wrong now, and what was: since when, what should have been and what was, and the query.

import { createEffect, createMemo, createSignal, For, Show, type JSX } from "solid-js";
import type { AlertRow } from "../api";
import { Icon } from "../draw/icons";
import { clockTime, count, moment } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
import { BasisButton } from "../panel/basis";
import { Empty, Panel } from "../panel/panel";
import { createShown } from "../panel/shown";
import { createNotifier, mayAsk, notify } from "./notify";
import "./alerts.css";

/** Alerts that are over, shown before “show all”. */
const PAST_SHOWN = 3;

/** The panel. */
export function Alerts(props: { live: Live<Held["alerts"]> }): JSX.Element {
  const isNew = createNotifier();
  const [asked, setAsked] = createSignal(false);
  createEffect(() => {
    const data = props.live.data();
    if (data) for (const row of isNew(data.rows)) notify(row.title, numbers(row), row.key);
  });
  const ask = (): void => {
    setAsked(true);
    void Notification.requestPermission();
  };
  return (
    <Panel
      title="Alerts" class="alerts" live={props.live} ownTime
      tools={
        <Show when={mayAsk() && !asked()}>
          <button type="button" class="button button-small" onClick={ask}>Notify me</button>
        </Show>
      }
    >
      {(data) => <List data={data()} />}
    </Panel>
  );
}

function List(props: { data: Held["alerts"] }): JSX.Element {
  const open = createMemo(() => props.data.rows.filter((row) => row.open));
  const past = createMemo(() => props.data.rows.filter((row) => !row.open));
  const shown = createShown(past, PAST_SHOWN);
  return (
    <>
      <Show when={open().length > 0} fallback={<Quiet data={props.data} />}>
        <div role="alert">
          <ul class="alert-list"><For each={open()}>{(row) => <Alert row={row} />}</For></ul>
        </div>
      </Show>
      <Show when={past().length > 0}>
        <h3 class="alert-past">Over</h3>
        <ul class="alert-list"><For each={shown.rows()}>{(row) => <Alert row={row} />}</For></ul>
        <shown.More />
      </Show>
    </>
  );
}

function Quiet(props: { data: Held["alerts"] }): JSX.Element {
  return (
    <Show
      when={props.data.watched > 0}
      fallback={
        <Empty title={props.data.watched_until_ms > 0 ? "Too little is known yet." : "Not looked at yet."}>
          Steps of funnels are watched after a day, pages after a week.
        </Empty>
      }
    >
      <p class="alert-quiet">
        <Icon name="conversion" />
        <span>
          Nothing is wrong.{" "}
          <span class="cell-note">
            {count(props.data.watched)} steps and pages watched, up to {clockTime(props.data.watched_until_ms)}.
          </span>
        </span>
      </p>
    </Show>
  );
}

function Alert(props: { row: AlertRow }): JSX.Element {
  const basis = () => ({
    definition: `Came and seen from ${moment(props.row.since_ms)} on, as they were when this was last looked at.`,
    sql: props.row.sql, from_ms: props.row.since_ms, complete: true,
  });
  return (
    <li class="alert" data-open={props.row.open ? "" : undefined}>
      <Icon name={props.row.open ? "alert" : "conversion"} />
      <div class="alert-text">
        <p class="alert-title">
          {props.row.title} <BasisButton basis={basis()} title={props.row.title} />
        </p>
        <p class="alert-numbers">{numbers(props.row)}</p>
        <p class="cell-note">
          {props.row.open ? "Since" : "From"} {moment(props.row.since_ms)}
          <Show when={!props.row.open}> to {moment(props.row.closed_ms)}</Show>
          . By chance this would be seen once in {waits(props.row.evidence_hours)}.
        </p>
      </div>
      <Bar seen={props.row.seen} expected={props.row.expected} />
    </li>
  );
}

/** What was, beside what should have been. */
function Bar(props: { seen: number; expected: number }): JSX.Element {
  const most = (): number => Math.max(props.seen, props.expected, 1);
  const width = (of: number): string => `${(of / most()) * 100}%`;
  return (
    <div class="alert-bar" aria-hidden="true">
      <span class="alert-expected" style={{ width: width(props.expected) }} />
      <span class="alert-seen" style={{ width: width(props.seen) }} />
    </div>
  );
}

function numbers(row: AlertRow): string {
  const expected = count(Math.round(row.expected));
  if (row.kind === "traffic_vanished" || row.kind === "traffic_spiked") {
    return `${count(row.seen)} views; ${expected} expected`;
  }
  return `${count(row.seen)} went on to ${row.next}; ${expected} expected of ${count(row.arrived)} who came to ${row.step}`;
}

/** A waiting time in hours, in words. */
function waits(hours: number): string {
  const months = hours / 24 / 30;
  if (months >= 1_200) return "over a hundred years";
  if (months >= 24) return `${count(months / 12)} years`;
  return `${count(Math.max(1, months))} months`;
}
