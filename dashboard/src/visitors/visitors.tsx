// Each visitor who is here now: where, what they did last, since when.

import { For, Show, type JSX } from "solid-js";
import type { PresentVisitor } from "../api";
import { Entry } from "../activity/entry";
import { VERBS } from "../activity/verbs";
import { minuteTime } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
import { Empty, Panel } from "../panel/panel";
import { createShown } from "../panel/shown";
import "./visitors.css";

/** Visitors shown before “show all”. */
const ROWS_SHOWN = 6;
/** Digits of an id that are shown: enough to tell visitors apart, as the activity stream has them. */
const ID_DIGITS = 8;

/** What visitors do, where it is not said to what. */
const ALONE: Record<string, string> = {
  "": "nothing yet", page_view: "opened it", custom: "caused an event", exposure: "was shown a variant",
  hesitation: "hesitated", form: "used a form", error_press: "got an error", fault: "met an error",
};

/** The panel, who was heard from last on top. */
export function Visitors(props: { live: Live<Held["presence/visitors"]> }): JSX.Element {
  return (
    <Panel title="Who is here" class="visitors" live={props.live} ownTime>
      {(data) => (
        <Show
          when={data().rows.length > 0}
          fallback={<Empty title="Nobody is here.">Open the shop in another window: you stand here at once.</Empty>}
        >
          <List data={data()} />
        </Show>
      )}
    </Panel>
  );
}

function List(props: { data: Held["presence/visitors"] }): JSX.Element {
  const shown = createShown(() => props.data.rows, ROWS_SHOWN);
  return (
    <>
      <div class="visitors-list" tabindex="0" role="region" aria-label="Who is here, heard from last first">
        <ol><For each={shown.rows()}>{(row) => <Item row={row} />}</For></ol>
      </div>
      <shown.More leftOut={props.data.left_out} />
    </>
  );
}

function Item(props: { row: PresentVisitor }): JSX.Element {
  const did = (): string => {
    const { kind, label } = props.row;
    return (label ? undefined : ALONE[kind]) ?? VERBS[kind] ?? kind;
  };
  return (
    <Entry
      timeMs={props.row.last_ms} icon={props.row.device} kind={props.row.kind}
      title={`${props.row.page} · ${did()} ${props.row.label}`}
      what={
        <>
          <b>{props.row.page}</b> <span class="entry-where">{did()}</span>
          <Show when={props.row.label}> {props.row.label}</Show>
        </>
      }
      visitor={props.row.visitor.slice(0, ID_DIGITS)}
      who={[`since ${minuteTime(props.row.since_ms)}`, props.row.campaign]}
    />
  );
}
