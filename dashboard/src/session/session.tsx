// The pages shown instead of the dashboard: no login, no collector, no site, not yet.

import { Show, type JSX } from "solid-js";
import { Mark } from "../draw/icons";
import "./session.css";

type Kind = "loading" | "login" | "unreachable" | "no-site";

const TITLES: Record<Kind, string> = {
  loading: "Opening the dashboard…",
  login: "You are not logged in",
  unreachable: "The collector does not answer",
  "no-site": "No site is configured",
};

/** One of those pages. `retry` asks again. */
export function SessionPage(props: { kind: Kind; detail?: string; retry: () => void }): JSX.Element {
  return (
    <main class="session" aria-busy={props.kind === "loading"}>
      <Mark />
      <h1>{TITLES[props.kind]}</h1>
      <Show when={props.kind === "login"}>
        <p>
          Open the login link that the collector printed when it started. It works once; for a new
          one run
        </p>
        <pre class="session-command"><code>upriver login-link</code></pre>
        <p>on the machine the collector runs on, and open the address it prints.</p>
      </Show>
      <Show when={props.kind === "unreachable"}>
        <p>This page was loaded, but the request for your sites failed. Is the collector still running?</p>
        <Show when={props.detail}><p class="session-detail">{props.detail}</p></Show>
      </Show>
      <Show when={props.kind === "no-site"}>
        <p>Add a site to the collector's sites file and restart it. Its numbers then appear here.</p>
      </Show>
      <Show when={props.kind !== "loading"}>
        <button type="button" class="button" onClick={() => props.retry()}>Try again</button>
      </Show>
    </main>
  );
}
