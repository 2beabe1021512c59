// What an element of the site is called, as a button that shows it on the page.

import type { JSX } from "solid-js";

interface ElementNameProps {
  /** Empty until the element's descriptor has arrived. */
  named: { selector: string; label: string; role: string };
  show: () => void;
}

/** Label and role, and the selector below them. */
export function ElementName(props: ElementNameProps): JSX.Element {
  return (
    <span class="element-name">
      <button type="button" title={`Show “${props.named.label || props.named.role}” on the page`} onClick={() => props.show()}>
        {props.named.label || props.named.role || "unnamed"}<i>{props.named.label ? props.named.role : ""}</i>
      </button>
      <code title={props.named.selector}>{props.named.selector || "not described yet"}</code>
    </span>
  );
}
