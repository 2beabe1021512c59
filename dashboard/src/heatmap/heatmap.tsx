// The heat map of one page: drawn over that page in a frame, and in numbers beside it.
//
// Owns: the choice of page, kind, width and filters. Refuses to know: how heat is drawn; the overlay
// in the framed page does that, the numbers beside it draw their thumbnails with the same code.

import { createEffect, createMemo, createSignal, For, Show, type JSX } from "solid-js";
import { buyTicket, HEAT_CHOICE, type HeatChoice, type HeatKind, type Site } from "../api";
import { Board } from "../board/board";
import { Icon } from "../draw/icons";
import { short } from "../format";
import { createLive, type Live } from "../live";
import type { Held } from "../merge";
import { Empty, Panel } from "../panel/panel";
import { Tabs } from "../panel/tabs";
import { overlayAddress } from "./address";
import { PageFrame, type FrameWidth } from "./frame";
import { KIND_NAMES, WINDOWS } from "./kinds";
import { Side } from "./side";
import "./heatmap.css";

const DEVICES = ["phone", "tablet", "desktop", "other"] as const;

interface HeatMapProps {
  site: Site;
  pages: Live<Held["pages"]>;
  campaigns: Live<Held["campaigns"]>;
}

/** The view. Begins with the page that was pressed most. */
export function HeatMapView(props: HeatMapProps): JSX.Element {
  const [page, setPage] = createSignal<string>();
  const [choice, setChoice] = createSignal<HeatChoice>(HEAT_CHOICE);
  const [width, setWidth] = createSignal<FrameWidth>(matchMedia("(max-width: 700px)").matches ? "phone" : "desktop");
  const [shown, setShown] = createSignal<{ element: string }>();
  const pages = createMemo(() =>
    [...(props.pages.data()?.rows ?? [])].sort((a, b) => b.presses - a.presses || (a.path < b.path ? -1 : 1)));
  // Choose once, then leave it alone: the page someone looks at must not change under their eyes.
  createEffect(() => { if (page() === undefined && pages()[0]) setPage(pages()[0]!.path); });
  const names = createMemo(() => {
    const rows = props.campaigns.data()?.rows ?? [];
    return [...new Set(rows.map((row) => row.campaign).filter(Boolean))].sort();
  });
  const live = createLive("heatmap", () => {
    const path = page();
    return path === undefined ? undefined : { site: props.site.id, page: path, ...choice() };
  });
  const show = (element: string): void => { setShown({ element }); };
  const tools = (
    <Tools
      site={props.site} pages={pages()} campaigns={names()} page={page()} choice={choice()} width={width()}
      choosePage={setPage} choose={(part) => setChoice({ ...choice(), ...part })} chooseWidth={setWidth}
    />
  );
  // The framed page stays where it is when something else is asked for.
  const columns = (body: JSX.Element): JSX.Element => (
    <div class="heat-columns" data-width={width()}>
      <Show when={props.site.base_url} keyed fallback={<NoBase />}>
        {(baseUrl) => (
          <PageFrame
            site={props.site.id} baseUrl={baseUrl} page={page() ?? "/"} width={width()}
            choice={choice()} show={shown()} moved={setPage}
          />
        )}
      </Show>
      <div class="heat-side">{body}</div>
    </div>
  );
  return (
    <Show when={page() !== undefined} fallback={<NoPage pages={props.pages} />}>
      <Panel title="Heat map" class="heat" live={live} tools={tools} around={columns}>
        {(data) => <Side heat={data()} show={show} />}
      </Panel>
      <Board site={props.site} page={page() ?? "/"} choice={choice()} show={show} />
    </Show>
  );
}

interface ToolsProps {
  site: Site;
  pages: Held["pages"]["rows"];
  campaigns: string[];
  page: string | undefined;
  choice: HeatChoice;
  width: FrameWidth;
  choosePage: (page: string) => void;
  choose: (part: Partial<HeatChoice>) => void;
  chooseWidth: (width: FrameWidth) => void;
}

function Tools(props: ToolsProps): JSX.Element {
  return (
    <Show when={props.page !== undefined}>
      <select class="select heat-page" aria-label="Page" value={props.page} onChange={(event) => props.choosePage(event.currentTarget.value)}>
        <Show when={!props.pages.some((row) => row.path === props.page)}><option value={props.page}>{props.page}</option></Show>
        <For each={props.pages}>
          {(row) => <option value={row.path} selected={row.path === props.page}>{row.path} ({short(row.presses)})</option>}
        </For>
      </select>
      <Select
        label="What is drawn" value={props.choice.kind} choose={(kind) => props.choose({ kind: kind as HeatKind })}
        options={KIND_NAMES.map(({ kind, name }) => ({ value: kind, name }))}
      />
      <Select label="Of which time" value={props.choice.window} choose={(window) => props.choose({ window })} options={WINDOWS} />
      <Select
        label="From device" value={props.choice.device} choose={(device) => props.choose({ device })}
        options={[{ value: "", name: "All devices" }, ...DEVICES.map((name) => ({ value: name, name }))]}
      />
      <Show when={props.campaigns.length > 0}>
        <Select
          label="From campaign" value={props.choice.campaign} choose={(campaign) => props.choose({ campaign })}
          options={[{ value: "", name: "All campaigns" }, ...props.campaigns.map((name) => ({ value: name, name }))]}
        />
      </Show>
      <Select
        label="People or programs" value={props.choice.traffic} choose={(traffic) => props.choose({ traffic })}
        options={[{ value: "", name: "People and bots" }, { value: "human", name: "People only" }]}
      />
      <Tabs
        label="Width of the page" value={props.width} choose={(value) => props.chooseWidth(value as FrameWidth)}
        options={[{ value: "phone", label: "Phone" }, { value: "desktop", label: "Desktop" }]}
      />
      <OpenButton site={props.site} page={props.page} />
    </Show>
  );
}

interface SelectProps {
  label: string;
  value: string;
  options: readonly { value: string; name: string }[];
  choose: (value: string) => void;
}

function Select(props: SelectProps): JSX.Element {
  return (
    <select class="select" aria-label={props.label} onChange={(event) => props.choose(event.currentTarget.value)}>
      <For each={props.options}>
        {({ value, name }) => <option value={value} selected={value === props.value}>{name}</option>}
      </For>
    </select>
  );
}

function OpenButton(props: { site: Site; page: string | undefined }): JSX.Element {
  const [problem, setProblem] = createSignal("");
  const open = async (): Promise<void> => {
    setProblem("");
    // Opened within the click, or the browser would block it; the address follows with the ticket.
    const tab = window.open("about:blank", "_blank");
    if (!tab) return void setProblem("The browser blocked the new tab.");
    try {
      const address = overlayAddress(props.site.base_url ?? "", props.page ?? "/", await buyTicket(props.site.id));
      tab.opener = null;
      tab.location.replace(address);
    } catch (error) {
      tab.close();
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Show when={props.site.base_url}>
      <button type="button" class="button" onClick={() => void open()}>
        <Icon name="open" /> Open on the page
      </button>
      <Show when={problem()}>{(text) => <span class="problem" role="alert">{text()}</span>}</Show>
    </Show>
  );
}

function NoBase(): JSX.Element {
  return (
    <Empty title="The page cannot be shown here.">
      Give the site a <code>base_url</code> in the collector's sites file; the heat map is then drawn over it.
    </Empty>
  );
}

function NoPage(props: { pages: Live<Held["pages"]> }): JSX.Element {
  return (
    <Panel title="Heat map" class="heat" live={props.pages}>
      {() => <Empty title="No page has been seen yet.">Open the shop: its pages can then be chosen here.</Empty>}
    </Panel>
  );
}
