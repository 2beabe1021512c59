// The frame every view stands in: heading, since when its numbers count, how they are counted, and
// what stands there while there are none.

import { createUniqueId, Show, type JSX } from "solid-js";
import type { Basis } from "../api";
import { clockTime, moment } from "../format";
import type { Live } from "../live";
import { isForbidden } from "../watched";
import { BasisButton } from "./basis";
import "./panel.css";

interface PanelProps<T extends { basis?: Basis }> {
  title: string;
  class: string;
  live: Live<T>;
  /** Stands beside the heading. */
  tools?: JSX.Element;
  /** True where the view itself says which time its numbers are of. */
  ownTime?: boolean;
  /** True where the definition is printed by the view itself. */
  ownBasis?: boolean;
  /** Puts what depends on the numbers into something that stays while there are none. */
  around?: (body: JSX.Element) => JSX.Element;
  children: (data: () => T) => JSX.Element;
}

/** A section of the page around one live resource. */
export function Panel<T extends { basis?: Basis }>(props: PanelProps<T>): JSX.Element {
  const id = createUniqueId();
  const kind = (): string => props.live.link().kind;
  const body = (
    <Show when={props.live.data()} fallback={<Waiting live={props.live} />}>
      {(data) => props.children(data as () => T)}
    </Show>
  );
  return (
    <section class={`panel ${props.class}`} aria-labelledby={id} data-link={kind()}>
      <div class="panel-head">
        <h2 id={id}>{props.title}</h2>
        <Since live={props.live} ownTime={props.ownTime === true} />
        <Show when={!props.ownBasis && props.live.data()?.basis}>
          {(basis) => <BasisButton basis={basis()} title={props.title} />}
        </Show>
        <div class="panel-tools">{props.tools}</div>
      </div>
      <Incomplete basis={props.live.data()?.basis} />
      <div class="panel-body">{props.around ? props.around(body) : body}</div>
    </section>
  );
}

function Since<T extends { basis?: Basis }>(props: { live: Live<T>; ownTime: boolean }): JSX.Element {
  const stale = (): string | undefined => {
    const link = props.live.link();
    return link.kind === "lost" && link.asOfMs !== undefined ? clockTime(link.asOfMs) : undefined;
  };
  return (
    <span class="panel-since">
      <Show when={!props.ownTime && props.live.data()?.basis}>{(basis) => <>since {moment(basis().from_ms)}</>}</Show>
      <Show when={stale()}>{(time) => <span class="panel-stale">as of {time()}</span>}</Show>
    </span>
  );
}

/** Says that history is still being read, where it is. */
export function Incomplete(props: { basis: Basis | undefined }): JSX.Element {
  return (
    <Show when={props.basis?.complete === false}>
      <p class="note note-warn" role="note">History is still loading: these numbers are too low.</p>
    </Show>
  );
}

function Waiting<T>(props: { live: Live<T> }): JSX.Element {
  const refused = (): { message: string; forbidden: boolean } | undefined => {
    const link = props.live.link();
    return link.kind === "refused" ? { message: link.message, forbidden: isForbidden(link) } : undefined;
  };
  return (
    <Show
      when={refused()}
      fallback={
        <div class="waiting" aria-busy="true">
          <span /><span /><span />
          <p class="visually-hidden">Waiting for the first numbers</p>
        </div>
      }
    >
      {(said) => (
        <Show when={said().forbidden} fallback={<p class="empty">The collector refuses this: {said().message}</p>}>
          <Empty title="This access does not show it.">The collector says: {said().message}.</Empty>
        </Show>
      )}
    </Show>
  );
}

/** What a view shows where there is nothing yet: what is missing, and what to do about it. */
export function Empty(props: { title: string; children?: JSX.Element }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{props.title}</p>
      <p>{props.children}</p>
    </div>
  );
}
