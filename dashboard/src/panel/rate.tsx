// A rate with its interval: in per cent, and as a mark on a line that a whole column shares.

import { Show, type JSX } from "solid-js";
import { percent } from "../format";

interface RateProps {
  /** Of how many; of nobody there is no rate. */
  of: number;
  /** Fractions, 0 to 1. */
  rate: number;
  low: number;
  high: number;
  /** The rate at the right end of the line. */
  scale: number;
}

/** The rate. */
export function Rate(props: RateProps): JSX.Element {
  const at = (rate: number): string => `${(rate / props.scale) * 100}%`;
  return (
    <Show when={props.of > 0} fallback={<span class="cell-note">–</span>}>
      <span class="rate-text">
        <b>{percent(props.rate)}</b>{" "}
        <span class="cell-note">{percent(props.low)}–{percent(props.high)}</span>
      </span>
      <span class="rate" aria-hidden="true">
        <span class="rate-range" style={{ left: at(props.low), width: at(props.high - props.low) }} />
        <span class="rate-point" style={{ left: at(props.rate) }} />
      </span>
    </Show>
  );
}
