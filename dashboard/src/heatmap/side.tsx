// What a heat map says in numbers, beside the page it is drawn on.
//
// Owns: which of a table of elements, a picture of the whole or shares of directions fits a kind.
// Refuses to know: the page, the choice of what is shown.

import { createEffect, createMemo, For, Match, Show, Switch, type JSX } from "solid-js";
import { paintGrid } from "../draw/heat";
import { count, share } from "../format";
import type { Held, HeatRow } from "../merge";
import { ElementTable, inWords } from "./elements";
import { DIRECTIONS, kindUnit } from "./kinds";

type Heat = Held["heatmap"];

const WHERE: Partial<Record<Heat["over"], string>> = {
  window: "Over the screen, wherever the page was scrolled to.",
  document: "Over the whole page, from its top to its end.",
  bands: "In each twentieth of the page's height, from its top to its end.",
};

/** The numbers. `show` is called with the element whose name is pressed. */
export function Side(props: { heat: Heat; show: (element: string) => void }): JSX.Element {
  const whole = (): HeatRow | undefined => props.heat.elements[0];
  return (
    <>
      <p class="heat-total">
        <b>{inWords(props.heat.kind, props.heat.total)}</b> {kindUnit(props.heat.kind, props.heat.total)}
        <Show when={isByElement(props.heat)}>
          {" "}on {count(props.heat.elements.length)} {props.heat.elements.length === 1 ? "element" : "elements"}
        </Show>
      </p>
      <Switch>
        <Match when={isByElement(props.heat)}>
          <ElementTable elements={props.heat.elements} kind={props.heat.kind} total={props.heat.total} show={props.show} />
        </Match>
        <Match when={props.heat.over === "directions"}><Directions heat={props.heat} /></Match>
        <Match when={whole()}>
          {(row) => (
            <>
              <p class="heat-where">{WHERE[props.heat.over]}</p>
              <Show when={props.heat.over === "bands"} fallback={<Picture row={row()} over={props.heat.over} />}>
                <Bands heat={props.heat} row={row()} />
              </Show>
            </>
          )}
        </Match>
      </Switch>
    </>
  );
}

const isByElement = (heat: Heat): boolean => heat.over === "element" || heat.over === "nothing";

function Picture(props: { row: HeatRow; over: Heat["over"] }): JSX.Element {
  let canvas: HTMLCanvasElement | undefined;
  createEffect(() => { if (canvas) paintGrid(canvas, props.row.grid); });
  return <canvas class="heat-picture" data-over={props.over} ref={(element) => { canvas = element; }} width="256" height="512" aria-hidden="true" />;
}

function Bands(props: { heat: Heat; row: HeatRow }): JSX.Element {
  const bands = createMemo(() => {
    const amounts = [...props.row.grid.cells];
    const most = Math.max(1, ...amounts);
    return amounts.map((amount, band) => ({ amount, band, width: (amount / most) * 100 }));
  });
  const percent = (band: number): number => Math.round((band * 100) / props.row.grid.rows);
  return (
    <ol class="heat-bars">
      <For each={bands()}>
        {({ amount, band, width }) => (
          <li>
            <span>{percent(band)}–{percent(band + 1)} %</span>
            <span class="heat-bar"><i style={{ width: `${width}%` }} /></span>
            <span class="num">{inWords(props.heat.kind, amount)}</span>
          </li>
        )}
      </For>
    </ol>
  );
}

// The page and scrollers inside of it together.
function Directions(props: { heat: Heat }): JSX.Element {
  const sums = createMemo(() => DIRECTIONS.map((name, cell) => ({
    name, sum: props.heat.elements.reduce((sum, row) => sum + (row.grid.cells[cell] ?? 0), 0),
  })));
  const most = (): number => Math.max(1, ...sums().map(({ sum }) => sum));
  return (
    <ol class="heat-bars">
      <For each={sums()}>
        {({ name, sum }) => (
          <li>
            <span>{name}</span>
            <span class="heat-bar"><i style={{ width: `${(sum / most()) * 100}%` }} /></span>
            <span class="num">{inWords(props.heat.kind, sum)} · {share(sum, props.heat.total)}</span>
          </li>
        )}
      </For>
    </ol>
  );
}
