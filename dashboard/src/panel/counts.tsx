// Names with a number of visitors each, and a bar that says how many of all that is.

import { For, Show, type JSX } from "solid-js";
import { count } from "../format";

interface CountsProps {
  title: string;
  rows: readonly { name: string; visitors: number }[];
  /** What a bar over the whole width stands for. */
  of: number;
  /** Rows beyond those in `rows`. */
  rest?: number;
}

/** The list. */
export function Counts(props: CountsProps): JSX.Element {
  return (
    <div class="counts">
      <h3>{props.title}</h3>
      <ul>
        <For each={props.rows} fallback={<li class="counts-none">nobody</li>}>
          {(row) => (
            <li>
              <span class="counts-bar" aria-hidden="true" style={{ width: `${(row.visitors / Math.max(1, props.of)) * 100}%` }} />
              <span class="counts-name" title={row.name}>{row.name}</span>
              <span class="counts-number">{count(row.visitors)}</span>
            </li>
          )}
        </For>
      </ul>
      <Show when={(props.rest ?? 0) > 0}><p class="counts-rest">and {count(props.rest ?? 0)} more</p></Show>
    </div>
  );
}
