// The dashboard of one site: which resources it follows and where each view stands.
//
// Owns: the subscriptions several views share. Refuses to know: what any number looks like.

import { createEffect, createMemo, onCleanup, type JSX } from "solid-js";
import { Activity } from "./activity/activity";
import { Alerts } from "./alerts/alerts";
import type { Site } from "./api";
import { Campaigns } from "./campaigns/campaigns";
import { Errors } from "./errors/errors";
import { Experiments } from "./experiments/experiments";
import { Funnel } from "./funnel/funnel";
import { Header } from "./header/header";
import { HeatMapView } from "./heatmap/heatmap";
import { createLive } from "./live";
import { Overview } from "./overview/overview";
import { Presence } from "./presence/presence";
import { Releases } from "./releases/releases";
import { Sources } from "./sources/sources";
import { Visitors } from "./visitors/visitors";
import { worst } from "./watched";

interface DashboardProps {
  site: Site;
  sites: Site[];
  choose: (id: string) => void;
  loggedOut: () => void;
}

/** The dashboard. Made anew for another site. */
export function Dashboard(props: DashboardProps): JSX.Element {
  const site = (): Record<string, string> => ({ site: props.site.id });
  const overview = createLive("overview", site);
  const campaigns = createLive("campaigns", site);
  const experiments = createLive("experiments", site);
  const alerts = createLive("alerts", site);
  const presence = createLive("presence", site);
  const visitors = createLive("presence/visitors", site);
  const sources = createLive("sources", site);
  const errors = createLive("errors", site);
  const activity = createLive("activity", site);
  const pages = createLive("pages", site);
  const shared = [overview, campaigns, experiments, alerts, presence, visitors, sources, errors, activity, pages];
  const link = createMemo(() => worst(shared.map((live) => live.link())));
  const retry = (): void => shared.forEach((live) => live.retry());

  createEffect(() => {
    const state = link();
    if (state.kind === "refused" && state.status === 401) props.loggedOut();
  });
  createEffect(() => {
    const online = presence.data()?.online;
    document.title = online === undefined || link().kind !== "live"
      ? `${props.site.name} · Upriver`
      : `(${online}) ${props.site.name} · Upriver`;
  });
  // The browser knows at once that the network is back; the back-off would wait.
  window.addEventListener("online", retry);
  onCleanup(() => window.removeEventListener("online", retry));

  return (
    <>
      <Header
        site={props.site} sites={props.sites} choose={props.choose}
        link={link()} retry={retry} online={presence.data()?.online}
      />
      <main class="page">
        <Overview live={overview} baseUrl={props.site.base_url} />
        <Alerts live={alerts} />
        <div class="page-main">
          <Funnel site={props.site} />
          <Campaigns live={campaigns} />
          <Sources live={sources} />
          <Experiments live={experiments} />
        </div>
        <div class="page-side">
          <Presence live={presence} />
          <Visitors live={visitors} />
          <Activity live={activity} />
        </div>
        <div class="page-pair">
          <Releases site={props.site} />
          <Errors live={errors} />
        </div>
        <HeatMapView site={props.site} pages={pages} campaigns={campaigns} />
      </main>
    </>
  );
}
