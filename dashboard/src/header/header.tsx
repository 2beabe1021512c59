// The bar on top: which site, how the connection stands, who is online, the theme.

import { createSignal, For, Show, type JSX } from "solid-js";
import type { Site } from "../api";
import { Icon, Mark } from "../draw/icons";
import { clockTime, count } from "../format";
import type { Link } from "../watched";
import { applyTheme, storedTheme, THEMES, type Theme } from "./theme";
import "./header.css";

interface HeaderProps {
  site: Site;
  sites: Site[];
  choose: (id: string) => void;
  link: Link;
  retry: () => void;
  online: number | undefined;
}

/** The bar. */
export function Header(props: HeaderProps): JSX.Element {
  return (
    <header class="header">
      <div class="header-brand"><Mark /><span>Upriver</span></div>
      <Show
        when={props.sites.length > 1}
        fallback={<h1 class="header-site">{props.site.name}</h1>}
      >
        <h1 class="header-site">
          <select
            class="select" aria-label="Site" value={props.site.id}
            onChange={(event) => props.choose(event.currentTarget.value)}
          >
            <For each={props.sites}>{(site) => <option value={site.id}>{site.name}</option>}</For>
          </select>
        </h1>
      </Show>
      <div class="header-end">
        <Show when={props.online !== undefined && props.link.kind === "live"}>
          <span class="header-online"><b>{count(props.online ?? 0)}</b> online</span>
        </Show>
        <LinkState link={props.link} retry={props.retry} />
        <ThemeButton />
      </div>
    </header>
  );
}

function LinkState(props: { link: Link; retry: () => void }): JSX.Element {
  const text = (): string => {
    const link = props.link;
    switch (link.kind) {
      case "connecting": return "connecting…";
      case "live": return link.via === "websocket" ? "live" : "live (events)";
      case "lost": return link.asOfMs === undefined ? "reconnecting…" : `stale since ${clockTime(link.asOfMs)}`;
      case "refused": return "refused";
    }
  };
  const title = (): string => {
    const link = props.link;
    switch (link.kind) {
      case "connecting": return "Waiting for the first numbers";
      case "live": return "Numbers change the moment the collector counts";
      case "lost": return "The connection is lost and is being made again. Numbers are as of that time.";
      case "refused": return link.message;
    }
  };
  return (
    <div class="link" data-kind={props.link.kind}>
      <span class="link-dot" aria-hidden="true" />
      <span role="status" title={title()}>{text()}</span>
      <Show when={props.link.kind === "lost" || props.link.kind === "refused"}>
        <button type="button" class="link-retry" onClick={() => props.retry()}>Reconnect now</button>
      </Show>
    </div>
  );
}

function ThemeButton(): JSX.Element {
  const [theme, setTheme] = createSignal<Theme>(storedTheme());
  const next = (): Theme => THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length] ?? "auto";
  const turn = (): void => { const chosen = next(); applyTheme(chosen); setTheme(chosen); };
  const label = (): string => `Theme: ${theme() === "auto" ? "as the system" : theme()}. Change to ${next()}`;
  return (
    <button type="button" class="icon-button" aria-label={label()} title={label()} onClick={turn}>
      <Icon name={theme() === "auto" ? "contrast" : theme() === "light" ? "sun" : "moon"} />
    </button>
  );
}
