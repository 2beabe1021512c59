// The buttons and links of a page: who saw each, who hesitated over it, who pressed it; compared by
// variant or by how it looked.
//
// Owns: the choice of what is compared. Refuses to know: which page and whose events; it is told.

import { createMemo, createSignal, For, Show, type JSX } from "solid-js";
import type { BoardBy, BoardRow, HeatChoice, Site } from "../api";
import { count, share } from "../format";
import { createLive } from "../live";
import type { Keyed } from "../merge";
import { ElementName } from "../panel/element-name";
import { Figure } from "../panel/figure";
import { Empty, Panel } from "../panel/panel";
import { Rate } from "../panel/rate";
import { createShown } from "../panel/shown";
import { Tabs } from "../panel/tabs";
import "./board.css";

const BY: readonly { value: BoardBy; label: string }[] = [
  { value: "nothing", label: "Each" }, { value: "variant", label: "By variant" }, { value: "colour", label: "By colour" },
  { value: "shape", label: "By shape" }, { value: "size", label: "By size" }, { value: "position", label: "By place" },
];
/** Elements shown before “show all”. */
const ROWS_SHOWN = 10;
/** Groups shown of one element; the collector orders them by visitors. */
const GROUPS_SHOWN = 6;

interface BoardProps {
  site: Site;
  page: string;
  choice: HeatChoice;
  show: (element: string) => void;
}

/** The board of one page, with the filters of its heat map. */
export function Board(props: BoardProps): JSX.Element {
  const [by, setBy] = createSignal<BoardBy>("nothing");
  const live = createLive("elements", () => {
    const { kind: _, ...filters } = props.choice;
    return { site: props.site.id, page: props.page, by: by(), ...filters };
  });
  const tools = (
    <Tabs label="Compared" value={by()} choose={(value) => setBy(value as BoardBy)} options={BY} />
  );
  return (
    <Panel title="Buttons and links" class="board" live={live} tools={tools}>
      {(data) => (
        <Show
          when={data().rows.length > 0}
          fallback={<Empty title="Nobody has seen a button or a link here.">With a filter or a short time set, try without it.</Empty>}
        >
          <Table rows={data().rows} leftOut={data().left_out} show={props.show} />
        </Show>
      )}
    </Panel>
  );
}

function Table(props: { rows: Keyed<BoardRow>[]; leftOut: number; show: (element: string) => void }): JSX.Element {
  const sorted = createMemo(() =>
    [...props.rows].sort((a, b) => reach(b) - reach(a) || (a.key < b.key ? -1 : 1)));
  const shown = createShown(sorted, ROWS_SHOWN);
  // One scale for all intervals, so that they can be compared down the column.
  const scale = createMemo(() => Math.max(0.01, ...shown.rows().flatMap((row) => [row.rate_high, ...row.groups.map((group) => group.rate_high)])));
  return (
    <>
      <table class="table cards board-table">
        <thead>
          <tr>
            <th scope="col">Element</th>
            <th scope="col" class="num">Saw it</th>
            <th scope="col" class="num">Hesitated</th>
            <th scope="col" class="num" title="Hesitated and never pressed">Undecided</th>
            <th scope="col" class="num">Pressed</th>
            <th scope="col">Of those who saw it <span class="th-note">95 % interval</span></th>
            <th scope="col" class="num">Rage</th>
            <th scope="col" class="num">Dead</th>
          </tr>
        </thead>
        <For each={shown.rows()}>{(row) => <Element row={row} scale={scale()} show={props.show} />}</For>
      </table>
      <shown.More leftOut={props.leftOut} />
    </>
  );
}

const reach = (row: BoardRow): number => Math.max(row.seen, row.pressed, row.hesitated);

function Element(props: { row: BoardRow; scale: number; show: (element: string) => void }): JSX.Element {
  const groups = (): BoardRow["groups"] => props.row.groups.slice(0, GROUPS_SHOWN);
  return (
    <tbody>
      <tr>
        <th scope="row" class="board-name">
          <Swatch look={props.row.look} />
          <ElementName named={props.row} show={() => props.show(props.row.element)} />
        </th>
        <td class="num" data-label="Saw it"><Figure text={count(props.row.seen)} /></td>
        <td class="num" data-label="Hesitated"><Figure text={count(props.row.hesitated)} /></td>
        <td class="num" data-label="Undecided">
          <Figure text={count(props.row.undecided)} /> <span class="cell-note">{share(props.row.undecided, props.row.hesitated)}</span>
        </td>
        <td class="num" data-label="Pressed"><Figure text={count(props.row.pressed)} /></td>
        <td data-label="Of those who saw it" class="rate-cell">
          <Rate of={props.row.seen} rate={props.row.rate} low={props.row.rate_low} high={props.row.rate_high} scale={props.scale} />
        </td>
        <td class="num" data-label="Rage">{props.row.rages > 0 ? count(props.row.rages) : "–"}</td>
        <td class="num" data-label="Dead">{props.row.dead_presses > 0 ? count(props.row.dead_presses) : "–"}</td>
      </tr>
      <For each={groups()}>
        {(group) => (
          <tr class="board-group">
            <th scope="row">
              <Show when={group.value.startsWith("#")}><i class="swatch" style={{ background: group.value }} aria-hidden="true" /></Show>
              {group.value}
            </th>
            <td class="num" data-label="Saw it">{count(group.seen)}</td>
            <td class="num" data-label="Hesitated">{count(group.hesitated)}</td>
            <td class="num" data-label="Undecided">{count(group.undecided)} <span class="cell-note">{share(group.undecided, group.hesitated)}</span></td>
            <td class="num" data-label="Pressed">{count(group.pressed)}</td>
            <td data-label="Of those who saw it" class="rate-cell">
              <Rate of={group.seen} rate={group.rate} low={group.rate_low} high={group.rate_high} scale={props.scale} />
            </td>
            <td /><td />
          </tr>
        )}
      </For>
    </tbody>
  );
}

// Its colour in its shape and proportion, so that one recognises it.
function Swatch(props: { look: BoardRow["look"] }): JSX.Element {
  const size = (): { width: string; height: string; "border-radius": string; background: string } => {
    const look = props.look ?? { colour: "transparent", width: 1, height: 1, radius: 0 };
    const scale = Math.min(28 / Math.max(1, look.width), 20 / Math.max(1, look.height), 1);
    const side = (length: number): string => `${Math.max(4, length * scale)}px`;
    return { width: side(look.width), height: side(look.height), "border-radius": `${look.radius * scale}px`, background: look.colour };
  };
  return <span class="board-swatch" aria-hidden="true"><i style={size()} /></span>;
}
