// One line of what visitors do: when, what, and below it who.

import { For, Show, type JSX } from "solid-js";
import { Icon } from "../draw/icons";
import { clockTime } from "../format";
import "./entry.css";

interface EntryProps {
  timeMs: number;
  icon: string;
  kind: string;
  /** All of it, where it is cut off. */
  title: string;
  what: JSX.Element;
  /** The beginning of an id; empty where ids may not be seen. */
  visitor: string;
  /** More of the visitor; what is empty or `(none)` is left out. */
  who: string[];
}

/** The line, of an ordered list. */
export function Entry(props: EntryProps): JSX.Element {
  return (
    <li class="entry" data-kind={props.kind}>
      <time datetime={new Date(props.timeMs).toISOString()}>{clockTime(props.timeMs)}</time>
      <Icon name={props.icon} />
      <div class="entry-what">
        <p title={props.title}>{props.what}</p>
        <p class="entry-who">
          <Show when={props.visitor}><span class="entry-visitor">{props.visitor}</span></Show>
          <For each={props.who.filter((part) => part && part !== "(none)")}>{(part) => <span title={part}>{part}</span>}</For>
        </p>
      </div>
    </li>
  );
}
