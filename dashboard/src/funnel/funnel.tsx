// The live funnel: how many visitors got how far, what exactly that means, and the same by group.

import { createMemo, createResource, createSignal, For, Show, type JSX } from "solid-js";
import type { Basis, Site } from "../api";
import { fetchFunnels, mayDefine } from "../define/definitions";
import { FunnelForm } from "../define/funnel-form";
import { duration, took } from "../format";
import { createLive } from "../live";
import type { Held } from "../merge";
import { Sql } from "../panel/basis";
import { Empty, Panel } from "../panel/panel";
import { Groups } from "./groups";
import { Step } from "./step";
import "./funnel.css";

/** The funnel of a site, with a choice where it has several; who may define can make and change them. */
export function Funnel(props: { site: Site }): JSX.Element {
  const [chosen, setChosen] = createSignal(props.site.funnels[0]?.id);
  const [form, setForm] = createSignal<"new" | "change">();
  const [defined, { refetch }] = createResource(() => mayDefine(props.site) && props.site.id, fetchFunnels);
  // Without an answer (none was asked for, or it failed) those are there that were there at the beginning.
  const definitions = () => (defined.error === undefined ? defined.latest : undefined);
  const funnels = createMemo((): { id: string; name: string }[] =>
    definitions()?.map(({ id, body }) => ({ id, name: body.name })) ?? props.site.funnels);
  const current = () => definitions()?.find(({ id }) => id === chosen());
  const live = createLive("funnel", () => {
    const id = chosen();
    return id === undefined ? undefined : { site: props.site.id, id };
  });
  // With several, the choice beside the heading says which one this is.
  const title = (): string => (funnels().length > 1 ? "Funnel" : `Funnel: ${live.data()?.name ?? ""}`);
  const make = (): JSX.Element => (
    <Show when={definitions()}>
      <button type="button" class="button" onClick={() => setForm("new")}>New funnel</button>
    </Show>
  );
  const tools = (
    <>
      <Show when={funnels().length > 1}>
        <select class="select funnel-choice" aria-label="Funnel" onChange={(event) => setChosen(event.currentTarget.value)}>
          <For each={funnels()}>{(funnel) => <option value={funnel.id} selected={funnel.id === chosen()}>{funnel.name}</option>}</For>
        </select>
      </Show>
      <Show when={current()?.source === "api"}>
        <button type="button" class="button" onClick={() => setForm("change")}>Change</button>
      </Show>
      {make()}
    </>
  );
  const saved = async (id: string): Promise<void> => {
    await refetch();
    setChosen(id);
  };
  const removed = async (): Promise<void> => {
    const gone = chosen();
    setChosen(funnels().find(({ id }) => id !== gone)?.id);
    await refetch();
  };
  return (
    <>
      <Show when={chosen() !== undefined} fallback={<NoFunnel make={make()} />}>
        <Panel title={title()} class="funnel" live={live} tools={tools} ownBasis>
          {(data) => <Steps data={data()} />}
        </Panel>
      </Show>
      <Show when={form()} keyed>
        {(which) => (
          <FunnelForm
            site={props.site.id} funnel={which === "change" ? current() : undefined} used={funnels().map(({ id }) => id)}
            saved={(id) => void saved(id)} removed={() => void removed()} closed={() => setForm(undefined)}
          />
        )}
      </Show>
    </>
  );
}

function Steps(props: { data: Held["funnel"] }): JSX.Element {
  const first = createMemo(() => props.data.steps[0]?.visitors ?? 0);
  return (
    <>
      <div class="steps-head" aria-hidden="true">
        <span>Step</span><span>Visitors</span><span>of first</span><span>of previous</span>
      </div>
      <ol class="steps">
        <For each={props.data.steps}>
          {(step, index) => (
            <Step
              step={step} index={index()} first={first()}
              previous={props.data.steps[index() - 1]?.visitors}
              last={index() === props.data.steps.length - 1}
            />
          )}
        </For>
      </ol>
      <Show when={first() === 0}>
        <p class="note">
          Nobody has taken the first step yet. It is: {props.data.steps[0]?.matches ?? "not defined"}.
        </p>
      </Show>
      <Show when={props.data.median_ms}>
        {(median) => <p class="note">Half of those who got all the way took {took(median())} or less.</p>}
      </Show>
      <Definition basis={props.data.basis} windowMs={props.data.window_ms} />
      <Groups data={props.data} />
    </>
  );
}

function Definition(props: { basis: Basis | undefined; windowMs: number }): JSX.Element {
  return (
    <div class="definition">
      <p><b>What is counted.</b> {props.basis?.definition ?? ""}{" "}
        <span class="definition-window">Window: {duration(props.windowMs)}.</span></p>
      <Show when={props.basis?.sql}>
        {(sql) => <details><summary>SQL</summary><Sql sql={sql()} /></details>}
      </Show>
    </div>
  );
}

function NoFunnel(props: { make: JSX.Element }): JSX.Element {
  return (
    <section class="panel funnel" aria-label="Funnel">
      <div class="panel-head"><h2>Funnel</h2><div class="panel-tools">{props.make}</div></div>
      <Empty title="No funnel is defined for this site.">
        Make one here, where you may, or add one to the site in the collector's sites file: a name, a window, and the
        steps in order.
      </Empty>
    </section>
  );
}
