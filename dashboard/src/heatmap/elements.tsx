// The elements of a page by what a heat map counts: also what one reads when the page refuses to be framed.

import { createEffect, createMemo, For, Show, type JSX } from "solid-js";
import { paintGrid } from "../draw/heat";
import { count, share } from "../format";
import type { HeatKind } from "../api";
import type { HeatRow } from "../merge";
import { ElementName } from "../panel/element-name";
import { Figure } from "../panel/figure";
import { Empty } from "../panel/panel";
import { createShown } from "../panel/shown";
import { isTime, kindUnit, shortTime } from "./kinds";

/** Elements shown before “show all”. */
const ROWS_SHOWN = 12;

/** An amount as people read it. */
export const inWords = (kind: HeatKind, amount: number): string => (isTime(kind) ? shortTime(amount) : count(amount));

/** The table, most first. `show` is called with the element whose name is pressed. */
export function ElementTable(props: { elements: HeatRow[]; kind: HeatKind; total: number; show: (element: string) => void }): JSX.Element {
  const sorted = createMemo(() => [...props.elements].sort((a, b) => b.total - a.total || (a.key < b.key ? -1 : 1)));
  const shown = createShown(sorted, ROWS_SHOWN);
  return (
    <Show
      when={sorted().length > 0}
      fallback={<Empty title={`No ${kindUnit(props.kind, 2)} here.`}>With a filter or a short time set, try without it.</Empty>}
    >
      <table class="table elements">
        <thead>
          <tr>
            <th scope="col"><span class="visually-hidden">Where in the element</span></th>
            <th scope="col">Element</th>
            <th scope="col" class="num">{isTime(props.kind) ? "Time" : "Times"}</th>
            <th scope="col" class="num">Share</th>
          </tr>
        </thead>
        <tbody>
          <For each={shown.rows()}>
            {(row) => (
              <tr>
                <td class="elements-grid"><Thumbnail row={row} /></td>
                <th scope="row"><ElementName named={row} show={() => props.show(row.key)} /></th>
                <td class="num"><Figure text={inWords(props.kind, row.total)} /></td>
                <td class="num">{share(row.total, props.total)}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
      <shown.More />
    </Show>
  );
}

function Thumbnail(props: { row: HeatRow }): JSX.Element {
  let canvas: HTMLCanvasElement | undefined;
  createEffect(() => { if (canvas) paintGrid(canvas, props.row.grid); });
  return <canvas ref={(element) => { canvas = element; }} width="32" height="32" aria-hidden="true" />;
}
