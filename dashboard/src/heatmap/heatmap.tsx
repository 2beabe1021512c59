// The heat map of one page: drawn over that page in a frame, and as a table of its elements.
//
// Owns: the choice of page, width and filters. Refuses to know: how heat is drawn; the overlay in
// the framed page does that, the table draws its thumbnails with the same code.

import { createEffect, createMemo, createSignal, For, Show, type JSX } from "solid-js";
import { buyTicket, type Site } from "../api";
import { Icon } from "../draw/icons";
import { count, short } from "../format";
import { createLive, type Live } from "../live";
import type { Held } from "../merge";
import { Empty, Panel } from "../panel/panel";
import { Tabs } from "../panel/tabs";
import { overlayAddress } from "./address";
import { ElementTable } from "./elements";
import { PageFrame, type FrameWidth } from "./frame";
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
  const [device, setDevice] = createSignal("");
  const [campaign, setCampaign] = createSignal("");
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
    return path === undefined ? undefined : { site: props.site.id, page: path, device: device(), campaign: campaign() };
  });
  const tools = (
    <Tools
      site={props.site} pages={pages()} campaigns={names()} page={page()} device={device()} campaign={campaign()} width={width()}
      choosePage={setPage} chooseDevice={setDevice} chooseCampaign={setCampaign} chooseWidth={setWidth}
    />
  );
  // The framed page stays where it is when other presses are asked for.
  const columns = (body: JSX.Element): JSX.Element => (
    <div class="heat-columns" data-width={width()}>
      <Show when={props.site.base_url} keyed fallback={<NoBase />}>
        {(baseUrl) => (
          <PageFrame
            site={props.site.id} baseUrl={baseUrl} page={page() ?? "/"} width={width()}
            device={device()} campaign={campaign()} show={shown()} moved={setPage}
          />
        )}
      </Show>
      <div class="heat-side">{body}</div>
    </div>
  );
  return (
    <Show when={page() !== undefined} fallback={<NoPage pages={props.pages} />}>
      <Panel title="Heat map" class="heat" live={live} tools={tools} around={columns}>
        {(data) => (
          <>
            <p class="heat-total">
              <b>{count(data().total)}</b> {data().total === 1 ? "press" : "presses"} on{" "}
              {count(data().elements.length)} {data().elements.length === 1 ? "element" : "elements"}
            </p>
            <ElementTable elements={data().elements} total={data().total} show={(element) => setShown({ element })} />
          </>
        )}
      </Panel>
    </Show>
  );
}

interface ToolsProps {
  site: Site;
  pages: Held["pages"]["rows"];
  campaigns: string[];
  page: string | undefined;
  device: string;
  campaign: string;
  width: FrameWidth;
  choosePage: (page: string) => void;
  chooseDevice: (device: string) => void;
  chooseCampaign: (campaign: string) => void;
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
      <select class="select" aria-label="Presses from device" value={props.device} onChange={(event) => props.chooseDevice(event.currentTarget.value)}>
        <option value="">All devices</option>
        <For each={DEVICES}>{(name) => <option value={name}>{name}</option>}</For>
      </select>
      <Show when={props.campaigns.length > 0}>
        <select class="select" aria-label="Presses from campaign" value={props.campaign} onChange={(event) => props.chooseCampaign(event.currentTarget.value)}>
          <option value="">All campaigns</option>
          <For each={props.campaigns}>{(name) => <option value={name} selected={name === props.campaign}>{name}</option>}</For>
        </select>
      </Show>
      <Tabs
        label="Width of the page" value={props.width} choose={(value) => props.chooseWidth(value as FrameWidth)}
        options={[{ value: "phone", label: "Phone" }, { value: "desktop", label: "Desktop" }]}
      />
      <OpenButton site={props.site} page={props.page} />
    </Show>
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
