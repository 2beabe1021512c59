// What the whole page is: asking who is there, then the way in, or the dashboard of one site.
//
// Owns: the session and the choice of site. Refuses to know: any live number.

import { createResource, createSignal, Match, Show, Switch, type JSX } from "solid-js";
import { fetchSession, Refusal, type Session, type Site } from "./api";
import { Dashboard } from "./dashboard";
import { SessionPage } from "./session/session";

const SITE_KEY = "upriver.site";

/** The application. */
export function App(): JSX.Element {
  const [session, { refetch }] = createResource(fetchSession);
  const [lost, setLost] = createSignal(false);
  const again = (): void => { setLost(false); void refetch(); };

  return (
    <Switch>
      <Match when={lost() || unauthorised(session.error)}>
        <SessionPage kind="login" retry={again} />
      </Match>
      <Match when={session.error as unknown}>
        {(error) => <SessionPage kind="unreachable" detail={String((error() as Error).message)} retry={again} />}
      </Match>
      <Match when={session.loading}>
        <SessionPage kind="loading" retry={again} />
      </Match>
      <Match when={session()}>
        {(session) => <Sites session={session()} loggedOut={() => setLost(true)} />}
      </Match>
    </Switch>
  );
}

function Sites(props: { session: Session; loggedOut: () => void }): JSX.Element {
  const [chosen, setChosen] = createSignal(localStorage.getItem(SITE_KEY) ?? "");
  const site = (): Site | undefined =>
    props.session.sites.find((site) => site.id === chosen()) ?? props.session.sites[0];
  const choose = (id: string): void => { localStorage.setItem(SITE_KEY, id); setChosen(id); };
  return (
    <Show when={site()} keyed fallback={<SessionPage kind="no-site" retry={() => location.reload()} />}>
      {(site) => (
        <Dashboard site={site} sites={props.session.sites} choose={choose} loggedOut={props.loggedOut} />
      )}
    </Show>
  );
}

const unauthorised = (error: unknown): boolean => error instanceof Refusal && error.status === 401;
