// How a number is counted: its definition in words and as the SQL that gives it again.

import { createSignal, createUniqueId, type JSX } from "solid-js";
import type { Basis } from "../api";
import { Icon } from "../draw/icons";

/** A button that shows definition and query in a popover. */
export function BasisButton(props: { basis: Basis; title: string }): JSX.Element {
  const id = createUniqueId();
  return (
    <>
      <button type="button" class="icon-button icon-button-small" popovertarget={id}
        aria-label={`How “${props.title}” is counted`} title="How this is counted">
        <Icon name="info" />
      </button>
      <div id={id} class="popover" popover="auto" role="dialog" aria-label={`How “${props.title}” is counted`}>
        <h3>{props.title}</h3>
        <p class="popover-text">{props.basis.definition}</p>
        <Sql sql={props.basis.sql} />
      </div>
    </>
  );
}

/** A query with a button that copies it. */
export function Sql(props: { sql: string }): JSX.Element {
  const [said, setSaid] = createSignal("Copy");
  let code: HTMLElement | undefined;
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(props.sql);
      setSaid("Copied");
    } catch {
      // No clipboard without HTTPS: select the text, so that one key copies it.
      if (code) getSelection()?.selectAllChildren(code);
      setSaid("Selected");
    }
    setTimeout(() => setSaid("Copy"), 2000);
  };
  return (
    <div class="sql">
      <div class="sql-head">
        <span>The same numbers from ClickHouse</span>
        <button type="button" class="button button-small" onClick={() => void copy()}>
          <span aria-live="polite">{said()}</span>
        </button>
      </div>
      <pre tabindex="0"><code ref={(element) => { code = element; }}>{props.sql}</code></pre>
    </div>
  );
}
