// A number that lights up for a moment when it changes.

import { createEffect, createSignal, on, type JSX } from "solid-js";

/** `text`, marked for a moment with every change after the first. The marking is CSS, see base.css. */
export function Figure(props: { text: string; class?: string }): JSX.Element {
  // Two animations of the same look take turns: changing the name restarts it without a layout read.
  const [turn, setTurn] = createSignal("");
  createEffect(on(() => props.text, () => setTurn((turn) => (turn === "a" ? "b" : "a")), { defer: true }));
  return <span class={`figure ${props.class ?? ""}`} data-turn={turn()}>{props.text}</span>;
}
