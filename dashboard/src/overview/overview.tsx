// The whole site in six numbers.

import { For, Show, type JSX } from "solid-js";
import { count, money } from "../format";
import type { Live } from "../live";
import type { Held } from "../merge";
import { Figure } from "../panel/figure";
import { Panel } from "../panel/panel";
import "./overview.css";

/** The numbers, or where to begin while there are none. */
export function Overview(props: { live: Live<Held["overview"]>; baseUrl: string | null }): JSX.Element {
  return (
    <Panel title="Overview" class="overview" live={props.live}>
      {(data) => (
        <>
          <dl class="figures">
            <Number label="Visitors" value={data().visitors} />
            <Number label="Page views" value={data().page_views} under={perVisitor(data().page_views, data().visitors)} />
            <Number label="Presses" value={data().presses} under={perVisitor(data().presses, data().visitors)} />
            <Number label="Swipes" value={data().swipes} under={`${count(data().scrolls)} ${data().scrolls === 1 ? "scroll" : "scrolls"}`} />
            <Number
              label="Conversions" value={data().conversions}
              under={perVisitor(data().conversions, data().visitors)}
            />
            <Value value={data().value} conversions={data().conversions} />
          </dl>
          <Show when={data().visitors === 0}>
            <p class="note">
              No visitors yet.{" "}
              <Show when={props.baseUrl} fallback="Open the site with the SDK in it">
                {(url) => <><a href={url()} target="_blank" rel="noopener noreferrer">Open the shop</a></>}
              </Show>
              {" "}and look around: every gesture shows up here as it happens.
            </p>
          </Show>
        </>
      )}
    </Panel>
  );
}

function Number(props: { label: string; value: number; under?: string }): JSX.Element {
  return (
    <div class="figures-item">
      <dt>{props.label}</dt>
      <dd>
        <Figure text={count(props.value)} class="figures-value" />
        <span class="figures-under">{props.under}</span>
      </dd>
    </div>
  );
}

function Value(props: { value: Held["overview"]["value"]; conversions: number }): JSX.Element {
  // Currencies are never added up: the largest sum stands big, the others below it.
  const sums = () => [...props.value].sort((a, b) => b.micros - a.micros);
  return (
    <div class="figures-item">
      <dt>Value</dt>
      <dd>
        <Figure text={sums()[0] ? money(sums()[0]!.micros, sums()[0]!.currency) : "–"} class="figures-value" />
        <span class="figures-under">
          <For each={sums().slice(1, 4)}>{(sum) => <span>{money(sum.micros, sum.currency)} </span>}</For>
          <Show when={sums().length === 1 && props.conversions > 0}>
            {money(sums()[0]!.micros / props.conversions, sums()[0]!.currency)} each
          </Show>
        </span>
      </dd>
    </div>
  );
}

const perVisitor = (value: number, visitors: number): string =>
  visitors > 0 && value > 0 ? `${(value / visitors).toLocaleString(undefined, { maximumSignificantDigits: 2 })} a visitor` : "";
