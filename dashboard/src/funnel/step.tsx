// One step of the funnel: a bar of those who got here, and what became of them.

import { Show, type JSX } from "solid-js";
import type { FunnelStep } from "../api";
import { count, share } from "../format";
import { Figure } from "../panel/figure";

interface StepProps {
  step: FunnelStep;
  index: number;
  /** Visitors of the first step. */
  first: number;
  /** Visitors of the step before; undefined for the first. */
  previous: number | undefined;
  last: boolean;
}

/** A step. Its bar is cut in three: went on, may still, will not. */
export function Step(props: StepProps): JSX.Element {
  const width = (visitors: number): string => `${props.first > 0 ? (visitors / props.first) * 100 : 0}%`;
  const onward = (): number => Math.max(0, props.step.visitors - props.step.open - props.step.lost);
  return (
    <li class="step">
      <div class="step-name">
        <span class="step-number" aria-hidden="true">{props.index + 1}</span>
        <span class="step-title">{props.step.name}</span>
        <span class="step-matches" title={props.step.matches}>{props.step.matches}</span>
      </div>
      <span class="step-count"><Figure text={count(props.step.visitors)} /><span class="visually-hidden"> visitors</span></span>
      <span class="step-rate">{share(props.step.visitors, props.first)}<span class="step-unit"> of first</span></span>
      <span class="step-rate step-rate-2">
        <Show when={props.previous !== undefined} fallback={<span class="step-first" aria-hidden="true">–</span>}>
          {share(props.step.visitors, props.previous ?? 0)}<span class="step-unit"> of previous</span>
        </Show>
      </span>
      <div class="step-bar" aria-hidden="true">
        <span class="step-on" style={{ width: width(props.last ? props.step.visitors : onward()) }} />
        <Show when={!props.last}>
          <span class="step-open" style={{ width: width(props.step.open) }} />
          <span class="step-lost" style={{ width: width(props.step.lost) }} />
        </Show>
      </div>
      <Show when={!props.last && props.step.visitors > 0}>
        <p class="step-fate">
          <span class="key key-on">{count(onward())} went on</span>
          <span class="key key-open">{count(props.step.open)} still open</span>
          <span class="key key-lost">{count(props.step.lost)} lost</span>
        </p>
      </Show>
    </li>
  );
}
