// The activity stream: what is happening right now, newest on top.

import { createMemo, createSignal, For, Show, type JSX } from "solid-js";
import type { ActivityItem } from "../api";
import { campaignName, money } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
import { Empty, Panel } from "../panel/panel";
import { Entry } from "./entry";
import { VERBS } from "./verbs";
import "./activity.css";

/** The stream. It can be held still to read it; that is then said. */
export function Activity(props: { live: Live<Held["activity"]> }): JSX.Element {
  const newest = createMemo(() => [...(props.live.data()?.items ?? [])].reverse());
  const [still, setStill] = createSignal<ReturnType<typeof newest>>();
  const waiting = (): number => {
    const from = still()?.[0]?.id ?? 0;
    return newest().filter((item) => item.id > from).length;
  };
  const hold = (
    <Show when={newest().length > 0}>
      <button type="button" class="button button-small" aria-pressed={still() !== undefined}
        onClick={() => setStill(still() ? undefined : newest())}>
        {still() ? `Go on${waiting() > 0 ? ` (${waiting()} new)` : ""}` : "Hold"}
      </button>
    </Show>
  );
  return (
    <Panel title="Activity" class="activity" live={props.live} tools={hold}>
      {() => (
        <Show
          when={newest().length > 0}
          fallback={<Empty title="Nothing has happened yet.">Open the shop and press something: it appears here at once.</Empty>}
        >
          <div class="stream" tabindex="0" role="region" aria-label="Activity, newest first">
            <ol>
              <For each={still() ?? newest()}>{(item) => <Item item={item} />}</For>
            </ol>
          </div>
        </Show>
      )}
    </Panel>
  );
}

function Item(props: { item: ActivityItem }): JSX.Element {
  return (
    <Entry
      timeMs={props.item.time_ms} icon={props.item.kind} kind={props.item.kind}
      title={`${props.item.about} · ${props.item.path}`}
      what={
        <>
          <span class="entry-verb">{VERBS[props.item.kind] ?? props.item.kind}</span>{" "}
          <Show
            when={props.item.kind === "page_view"}
            fallback={
              <>
                <b>{props.item.about}</b>
                <Show when={props.item.value}>
                  {(value) => <span class="entry-value"> {money(value().micros, value().currency)}</span>}
                </Show>
                <span class="entry-where"> on {props.item.path}</span>
              </>
            }
          >
            <b>{props.item.path}</b> <span class="entry-where">{props.item.about}</span>
          </Show>
        </>
      }
      visitor={props.item.visitor}
      who={[props.item.device, campaignName(props.item.campaign)]}
    />
  );
}
