// A choice of few, all visible: radio buttons that look like one segmented control.

import { createUniqueId, For, type JSX } from "solid-js";

interface TabsProps {
  label: string;
  options: readonly { value: string; label: string }[];
  value: string;
  choose: (value: string) => void;
}

/** The control. Arrow keys move the choice, as in any radio group. */
export function Tabs(props: TabsProps): JSX.Element {
  const name = createUniqueId();
  return (
    <fieldset class="tabs">
      <legend class="visually-hidden">{props.label}</legend>
      <For each={props.options}>
        {(option) => (
          <label>
            <input
              type="radio" name={name} value={option.value} checked={props.value === option.value}
              onChange={() => props.choose(option.value)}
            />
            <span>{option.label}</span>
          </label>
        )}
      </For>
    </fieldset>
  );
}
