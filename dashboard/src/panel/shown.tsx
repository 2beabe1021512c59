// The first rows of a long list, and the button that shows the others.

import { createSignal, Show, type Accessor, type JSX } from "solid-js";
import { count } from "../format";

interface Shown<T> {
  rows: Accessor<T[]>;
  /** Nothing where all rows are shown. `leftOut`: how many more the collector does not list. */
  More: (props: { leftOut?: number }) => JSX.Element;
}

/** Shows the first `most` of `all`, and every one once that is asked for. */
export function createShown<T>(all: Accessor<T[]>, most: number): Shown<T> {
  const [open, setOpen] = createSignal(false);
  return {
    rows: () => (open() ? all() : all().slice(0, most)),
    More: (props) => (
      <>
        <Show when={all().length > most}>
          <button type="button" class="more" onClick={() => setOpen(!open())}>
            {open() ? "Show fewer" : `Show all ${count(all().length)}`}
          </button>
        </Show>
        <Show when={props.leftOut}>{(leftOut) => <p class="cell-note">{count(leftOut())} more are not listed.</p>}</Show>
      </>
    ),
  };
}
