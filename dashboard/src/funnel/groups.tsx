// The funnel by what each visitor came with.

import { createMemo, createSignal, For, Show, type JSX } from "solid-js";
import { count, share } from "../format";
import type { Held } from "../merge";
import { createShown } from "../panel/shown";
import { Tabs } from "../panel/tabs";

const DIMENSIONS = ["campaign", "source", "variant", "device", "page"] as const;
type Dimension = (typeof DIMENSIONS)[number];

/** Groups shown before “show all”. */
const GROUPS_SHOWN = 6;

/** A table: one row a group, one column a step. */
export function Groups(props: { data: Held["funnel"] }): JSX.Element {
  const [dimension, setDimension] = createSignal<Dimension>("campaign");
  const rows = createMemo(() =>
    props.data.groups
      .filter((group) => group.dimension === dimension())
      .sort((a, b) => (b.visitors[0] ?? 0) - (a.visitors[0] ?? 0) || a.value.localeCompare(b.value)));
  const shown = createShown(rows, GROUPS_SHOWN);
  return (
    <div class="groups">
      <Tabs
        label="Break down by" options={DIMENSIONS.map((name) => ({ value: name, label: `By ${name}` }))}
        value={dimension()} choose={(value) => setDimension(value as Dimension)}
      />
      <Show when={rows().length > 0} fallback={<p class="empty-line">No group has been seen yet.</p>}>
        <div class="scroll-x" tabindex="0" role="region" aria-label={`Funnel by ${dimension()}`}>
          <table class="table groups-table">
            <thead>
              <tr>
                <th scope="col" class="groups-name">{dimension()}</th>
                <For each={props.data.steps}>{(step) => <th scope="col" class="num">{step.name}</th>}</For>
                <th scope="col" class="num">All the way</th>
              </tr>
            </thead>
            <tbody>
              <For each={shown.rows()}>
                {(group) => (
                  <tr>
                    <th scope="row" class="cell-text" title={group.value}>{group.value}</th>
                    <For each={group.visitors}>{(visitors) => <td class="num">{count(visitors)}</td>}</For>
                    <td class="num strong">{share(group.visitors[group.visitors.length - 1] ?? 0, group.visitors[0] ?? 0)}</td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
        <shown.More />
      </Show>
    </div>
  );
}
