// A sparkline of counts per minute: thirty bars in one SVG path.
//
// Own drawing instead of a chart library: these bars are all the dashboard charts over time, and a
// library for them would weigh more than the rest of the page.

import type { JSX } from "solid-js";
import { count } from "../format";

const WIDTH = 120;
const HEIGHT = 24;
const GAP = 1;

/** Bars of `values`, oldest first, each a count in one minute. Scaled to the largest of them. */
export function Spark(props: { values: readonly number[]; unit: string }): JSX.Element {
  const label = (): string => {
    const values = props.values;
    const last = values[values.length - 1] ?? 0;
    return `${props.unit} a minute over the last ${values.length} minutes: now ${count(last)}, at most ${count(Math.max(0, ...values))}`;
  };
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label()}>
      <title>{label()}</title>
      <path d={bars(props.values)} />
    </svg>
  );
}

/** The path of the bars; minutes without anything get a hairline, so that the axis stays visible. */
export function bars(values: readonly number[]): string {
  const top = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length);
  return values
    .map((value, index) => {
      const height = value > 0 ? Math.max(2, (value / top) * HEIGHT) : 0.75;
      const x = round(index * step);
      return `M${x} ${HEIGHT}V${round(HEIGHT - height)}H${round(x + step - GAP)}V${HEIGHT}Z`;
    })
    .join("");
}

const round = (value: number): number => Math.round(value * 100) / 100;
