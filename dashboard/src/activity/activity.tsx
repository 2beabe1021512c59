// The activity stream: what is happening right now, newest on top.

import { createMemo, createSignal, For, Show, type JSX } from "solid-js";
import type { ActivityItem } from "../api";
import { Icon } from "../draw/icons";
import { campaignName, clockTime, money } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
import { Empty, Panel } from "../panel/panel";
import "./activity.css";

const VERBS: Record<string, string> = {
  page_view: "opened", press: "pressed", scroll: "scrolled", swipe: "swiped",
  custom: "event", conversion: "converted", exposure: "was shown",
  long_press: "held", pinch: "pinched", hesitation: "hesitated on", form: "form:",
  rage: "pressed again and again", dead: "pressed in vain", error_press: "got an error from",
  thrash: "moved to and fro", fault: "met an error:",
};

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
  const campaign = (): string => {
    const name = campaignName(props.item.campaign);
    return name === "(none)" ? "" : name;
  };
  return (
    <li class="entry" data-kind={props.item.kind}>
      <time datetime={new Date(props.item.time_ms).toISOString()}>{clockTime(props.item.time_ms)}</time>
      <Icon name={props.item.kind} />
      <div class="entry-what">
        <p title={`${props.item.about} · ${props.item.path}`}>
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
        </p>
        <p class="entry-who">
          <span class="entry-visitor">{props.item.visitor}</span>
          <span>{props.item.device}</span>
          <Show when={campaign()}>{(name) => <span title={name()}>{name()}</span>}</Show>
        </p>
      </div>
    </li>
  );
}
