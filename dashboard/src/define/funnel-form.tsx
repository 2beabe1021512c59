// The form in which a funnel is made, changed and removed.
//
// Owns: what is being written, and what the collector said of it, beside the field it said it of.
// Refuses to know: live numbers; which funnel is looked at.

import { createSignal, createUniqueId, For, onMount, Show, type JSX } from "solid-js";
import { createStore } from "solid-js/store";
import { Refusal } from "../api";
import { bare, defineFunnel, fieldOf, idFor, readTime, removeFunnel, type FunnelBody, type FunnelDefinition, type StepBody } from "./definitions";
import "./define.css";

/** Steps of a funnel; the collector holds to it too. */
const STEPS_MIN = 2;
const STEPS_MAX = 12;

/** What a step can be; what is not among them stays as it is. */
const KINDS: readonly { kind: string; name: string }[] = [
  { kind: "page_view", name: "Sees a page" },
  { kind: "press", name: "Presses something" },
  { kind: "hesitation", name: "Hesitates" },
  { kind: "impression", name: "Sees an element" },
  { kind: "custom", name: "Event of the site" },
  { kind: "conversion", name: "Conversion" },
];
const NAMED = ["custom", "conversion"];

const UNITS = [
  { value: "ms", name: "milliseconds", ms: 1 },
  { value: "s", name: "seconds", ms: 1_000 },
  { value: "m", name: "minutes", ms: 60_000 },
  { value: "h", name: "hours", ms: 3_600_000 },
  { value: "d", name: "days", ms: 86_400_000 },
] as const;

interface FunnelFormProps {
  site: string;
  /** What is changed; undefined: a new one is made. */
  funnel: FunnelDefinition | undefined;
  /** Ids that are taken. */
  used: readonly string[];
  /** Called when it was defined. */
  saved: (id: string) => void;
  removed: () => void;
  closed: () => void;
}

/** The form, over the page. */
export function FunnelForm(props: FunnelFormProps): JSX.Element {
  const heading = createUniqueId();
  const before = props.funnel?.body;
  const [name, setName] = createSignal(before?.name ?? "");
  const begun = amountOf(before?.window ?? "30m");
  const [window, setWindow] = createSignal(begun);
  const [steps, setSteps] = createStore<{ all: StepBody[] }>({
    all: before ? structuredClone(before.step) : [{ name: "", kind: "page_view" }, { name: "", kind: "conversion" }],
  });
  const [wrong, setWrong] = createSignal<{ message: string; field: ReturnType<typeof fieldOf> }>();
  const [busy, setBusy] = createSignal(false);
  let dialog!: HTMLDialogElement;
  onMount(() => dialog.showModal());

  const attempt = async (what: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setWrong(undefined);
    try {
      await what();
      dialog.close();
    } catch (error) {
      const conflict = error instanceof Refusal && error.status === 412;
      const message = conflict ? "Somebody else changed this funnel meanwhile. Close this and open it again to see how it is now."
        : error instanceof Error ? error.message : String(error);
      setWrong({ message: bare(message), field: conflict ? undefined : fieldOf(message, steps.all) });
      // Where it is wrong may be out of sight.
      dialog.querySelector<HTMLElement>("[aria-invalid]")?.focus({ preventScroll: true });
      dialog.querySelector(".problem")?.scrollIntoView({ block: "nearest" });
    } finally {
      setBusy(false);
    }
  };
  const save = (): Promise<void> => attempt(async () => {
    const body: FunnelBody = { ...before, name: name().trim(), window: before && window() === begun ? before.window : `${window().amount}${window().unit}`, step: steps.all.map(tidy) };
    const id = props.funnel?.id ?? idFor(body.name, props.used);
    await defineFunnel(props.site, id, body, props.funnel?.version);
    props.saved(id);
  });
  const remove = (): Promise<void> => attempt(async () => {
    await removeFunnel(props.site, props.funnel!);
    props.removed();
  });
  const at = (field: "name" | "window" | number): string | undefined => (wrong()?.field === field ? wrong()!.message : undefined);

  return (
    <dialog class="define" aria-labelledby={heading} ref={(element) => { dialog = element; }} onClose={() => props.closed()}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <h3 id={heading}>{props.funnel ? "Change the funnel" : "New funnel"}</h3>
        <Field label="Name" wrong={at("name")}>
          {(field) => <input class="input" required maxlength="128" value={name()} onInput={(event) => setName(event.currentTarget.value)} {...field} />}
        </Field>
        <ol class="define-steps" aria-label="Steps, in order">
          <For each={steps.all}>
            {(step, index) => (
              <StepFields
                step={step} number={index() + 1} wrong={at(index())} removable={steps.all.length > STEPS_MIN}
                change={(part) => setSteps("all", index(), part)}
                remove={() => setSteps("all", (all) => all.filter((_, other) => other !== index()))}
              />
            )}
          </For>
        </ol>
        <Show when={steps.all.length < STEPS_MAX}>
          <button type="button" class="button button-small" onClick={() => setSteps("all", steps.all.length, { name: "", kind: "page_view" })}>Add a step</button>
        </Show>
        <Field label="All of it within" wrong={at("window")}>
          {(field) => (
            <span class="define-window">
              <input
                class="input" type="number" min="1" step="1" required value={window().amount}
                onInput={(event) => setWindow({ ...window(), amount: event.currentTarget.value })} {...field}
              />
              <select class="select" aria-label="Unit of time" onChange={(event) => setWindow({ ...window(), unit: event.currentTarget.value })}>
                <For each={UNITS.filter(({ value }) => value !== "ms" || begun.unit === "ms")}>{(unit) => <option value={unit.value} selected={unit.value === window().unit}>{unit.name}</option>}</For>
              </select>
            </span>
          )}
        </Field>
        <Show when={before?.exclude?.length}>
          {(count) => <p class="note">What must not happen in between ({count()}) stays as it is; it is changed through the API.</p>}
        </Show>
        <Show when={wrong() !== undefined && wrong()!.field === undefined}><p class="problem" role="alert">{wrong()!.message}</p></Show>
        <div class="define-actions">
          <button type="submit" class="button button-main" disabled={busy()}>{props.funnel ? "Save" : "Make the funnel"}</button>
          <button type="button" class="button" onClick={() => dialog.close()}>Cancel</button>
          <Show when={props.funnel}><Remove busy={busy()} remove={() => void remove()} /></Show>
        </div>
      </form>
    </dialog>
  );
}

interface StepFieldsProps {
  step: StepBody;
  /** From 1. */
  number: number;
  wrong: string | undefined;
  removable: boolean;
  change: (part: Partial<StepBody>) => void;
  remove: () => void;
}

function StepFields(props: StepFieldsProps): JSX.Element {
  const known = (): boolean => KINDS.some(({ kind }) => kind === props.step.kind);
  const more = (): string[] => [
    ...(props.step.element ? [`element ${props.step.element}`] : []),
    ...Object.entries(props.step.props ?? {}).map(([name, value]) => `${name} = ${value}`),
  ];
  return (
    <li>
      <fieldset class="define-step">
        <legend>Step {props.number}</legend>
        <Field label="Name" wrong={props.wrong}>
          {(field) => <input class="input" required maxlength="128" value={props.step.name} onInput={(event) => props.change({ name: event.currentTarget.value })} {...field} />}
        </Field>
        <Field label="What the visitor does">
          {(field) => (
            <select class="select" onChange={(event) => props.change({ kind: event.currentTarget.value })} {...field}>
              <Show when={!known()}><option value={props.step.kind} selected>{props.step.kind.replaceAll("_", " ")}</option></Show>
              <For each={KINDS}>{({ kind, name }) => <option value={kind} selected={kind === props.step.kind}>{name}</option>}</For>
            </select>
          )}
        </Field>
        <Field label="On page" hint="* stands for any characters">
          {(field) => <input class="input" placeholder="any" value={props.step.page ?? ""} onInput={(event) => props.change({ page: event.currentTarget.value })} {...field} />}
        </Field>
        <Show when={NAMED.includes(props.step.kind)}>
          <Field label="Event name">
            {(field) => <input class="input" placeholder="any" value={props.step.event ?? ""} onInput={(event) => props.change({ event: event.currentTarget.value })} {...field} />}
          </Field>
        </Show>
        <Show when={more().length > 0}><p class="cell-note define-more">Only with {more().join(", ")}</p></Show>
        <Show when={props.removable}>
          <button type="button" class="more" onClick={() => props.remove()} aria-label={`Remove step ${props.number}`}>Remove</button>
        </Show>
      </fieldset>
    </li>
  );
}

/** What ties an input to its label and to what is wrong with it. */
interface FieldAttributes {
  id: string;
  "aria-invalid": "true" | undefined;
  "aria-describedby": string | undefined;
}

function Field(props: { label: string; hint?: string; wrong?: string | undefined; children: (field: FieldAttributes) => JSX.Element }): JSX.Element {
  const id = createUniqueId();
  const said = `${id}-said`;
  const field: FieldAttributes = {
    id,
    get "aria-invalid"() { return props.wrong ? "true" : undefined; },
    get "aria-describedby"() { return props.wrong || props.hint ? said : undefined; },
  };
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.children(field)}
      <Show when={props.wrong} fallback={<Show when={props.hint}><span id={said} class="cell-note">{props.hint}</span></Show>}>
        {(text) => <span id={said} class="problem" role="alert">{text()}</span>}
      </Show>
    </div>
  );
}

// Pressed twice, so that a slip removes nothing.
function Remove(props: { busy: boolean; remove: () => void }): JSX.Element {
  const [asked, setAsked] = createSignal(false);
  return (
    <button
      type="button" class="button button-bad" disabled={props.busy} onBlur={() => setAsked(false)}
      onClick={() => { if (asked()) props.remove(); else setAsked(true); }}
    >
      {asked() ? "Really remove it?" : "Remove"}
    </button>
  );
}

/** As the collector wants it: what is not said is left out. */
function tidy({ page, event, ...step }: StepBody): StepBody {
  const named = NAMED.includes(step.kind) || !KINDS.some(({ kind }) => kind === step.kind);
  return {
    ...step, name: step.name.trim(),
    ...(page?.trim() ? { page: page.trim() } : {}),
    ...(named && event?.trim() ? { event: event.trim() } : {}),
  };
}

/** A time in the largest unit in which it is a whole number; nothing where it cannot be read. */
function amountOf(window: string): { amount: string; unit: string } {
  const ms = readTime(window);
  const unit = ms === undefined ? undefined : [...UNITS].reverse().find((unit) => ms % unit.ms === 0);
  return ms !== undefined && unit ? { amount: String(ms / unit.ms), unit: unit.value } : { amount: "", unit: "m" };
}
