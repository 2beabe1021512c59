// The small panel on the page: numbers, legend, filters. Plain DOM, text only by `textContent`.
//
// Owns: its own elements and what was chosen in them. Refuses to know: streams, layout of the page.

import { HEAT_CHOICE, type HeatChoice, type HeatKind } from "../api";
import { level, palette, SPOT_PX } from "../draw/heat";
import { DIRECTIONS, isDrawn, isTime, KIND_NAMES, kindUnit, shortTime, WINDOWS } from "../heatmap/kinds";
import type { Link } from "../watched";
import type { HeatHeld } from "./stream";

export interface Shown {
  status: Link["kind"];
  page: string;
  kind: HeatKind;
  held: HeatHeld | undefined;
  missing: number;
  /** Amount per spot at the top of the palette. */
  max: number;
}

interface PanelEvents {
  chosen(choice: HeatChoice): void;
  opacity(value: number): void;
  hidden(hidden: boolean): void;
  closed(): void;
}

const numbers = new Intl.NumberFormat(navigator.language, { maximumSignificantDigits: 3, notation: "compact" });
const whole = new Intl.NumberFormat(navigator.language);
const DEVICES = ["", "phone", "tablet", "desktop", "other"];
const OPACITY_FIRST = "0.85";

/** Makes an element with a class and text. */
function make<K extends keyof HTMLElementTagNameMap>(tag: K, name = "", text = ""): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
}

export class Panel {
  readonly root = make("section", "panel");
  #head = make("div", "head");
  #status = make("span", "status");
  #total = make("p", "total");
  #detail = make("p", "detail");
  #ticks = make("div", "ticks");
  #hover = make("p", "hover");
  #notice = make("p", "notice");
  #unit = make("p", "unit");
  #scale = make("div", "scale");
  #choice: HeatChoice = HEAT_CHOICE;
  #kind = make("select");
  #window = make("select");
  #device = make("select");
  #campaign = make("input");
  #fold = make("button", "", "–");

  constructor(readonly events: PanelEvents, folded: boolean) {
    this.root.setAttribute("aria-label", "Upriver heat map");
    const close = button("×", "Close the heat map", () => events.closed());
    this.#fold.type = "button";
    this.#fold.onclick = () => this.fold(!this.root.classList.contains("folded"));
    this.#head.append(make("b", "", "Heat map"), this.#status, this.#fold, close);
    const body = make("div", "body");
    this.#scale.append(legend(), this.#ticks, this.#unit);
    body.append(this.#total, this.#detail, this.#scale, ...this.#filters(), this.#sliders(), this.#hover);
    this.#notice.setAttribute("role", "status");
    this.root.append(this.#head, this.#notice, body);
    this.fold(folded);
    this.#movable();
    this.hover(undefined);
  }

  /** Shows numbers. */
  show(shown: Shown): void {
    this.root.dataset["status"] = shown.status;
    this.#status.textContent = shown.status === "lost" || shown.status === "refused" ? "not live" : shown.status;
    const { held, kind, page } = shown;
    const total = held?.total ?? 0;
    this.#total.textContent = `${amount(kind, total)} ${kindUnit(kind, total)}`;
    this.#detail.textContent = `${held ? where(held, shown.missing) : ""}${page}`;
    this.#scale.hidden = held !== undefined && !isDrawn(held);
    this.#unit.textContent = `${isTime(kind) ? "time" : kindUnit(kind, 2)} in ${SPOT_PX} × ${SPOT_PX} px`;
    this.#ticks.replaceChildren(
      make("span", "", "0"),
      make("span", "", spot(kind, shown.max / 4)),
      make("span", "", spot(kind, shown.max)),
    );
  }

  /** Says something the reader has to act on; empty: nothing. */
  notice(text: string): void {
    this.#notice.textContent = text;
    this.#notice.hidden = !text;
  }

  /** Shows the element under the pointer. */
  hover(what: { label: string; role: string; total: number; share: number } | undefined, kind: HeatKind = "press"): void {
    this.#hover.textContent = what
      ? `${what.label || what.role || "unnamed"}: ${amount(kind, what.total)} (${Math.round(what.share * 100)} %)`
      : "Point at an element for its number.";
  }

  /** Takes a choice made elsewhere, without telling of it. */
  set(choice: HeatChoice): void {
    this.#choice = choice;
    this.#kind.value = choice.kind;
    this.#window.value = choice.window;
    this.#device.value = choice.device;
    this.#campaign.value = choice.campaign;
  }

  fold(folded: boolean): void {
    this.root.classList.toggle("folded", folded);
    this.#fold.textContent = folded ? "+" : "–";
    this.#fold.setAttribute("aria-label", folded ? "Unfold the panel" : "Fold the panel");
    this.#fold.setAttribute("aria-expanded", String(!folded));
  }

  #filters(): HTMLElement[] {
    choices(this.#kind, "What is drawn", KIND_NAMES.map(({ kind, name }) => [kind, name]));
    choices(this.#window, "Of which time", WINDOWS.map(({ value, name }) => [value, name]));
    choices(this.#device, "From device", DEVICES.map((device) => [device, device || "All devices"]));
    this.#campaign.placeholder = "All campaigns";
    this.#campaign.setAttribute("aria-label", "From campaign (exact name)");
    this.#campaign.maxLength = 128;
    const chosen = (): void => {
      this.#choice = {
        ...this.#choice, kind: this.#kind.value as HeatKind, window: this.#window.value,
        device: this.#device.value, campaign: this.#campaign.value.trim(),
      };
      this.events.chosen(this.#choice);
    };
    for (const input of [this.#kind, this.#window, this.#device, this.#campaign]) input.onchange = chosen;
    const [what, who] = [make("div", "row"), make("div", "row")];
    what.append(this.#kind, this.#window);
    who.append(this.#device, this.#campaign);
    return [what, who];
  }

  #sliders(): HTMLElement {
    const opacity = make("input");
    Object.assign(opacity, { type: "range", min: "0.2", max: "1", step: "0.05", value: OPACITY_FIRST });
    opacity.oninput = () => this.events.opacity(Number(opacity.value));
    this.events.opacity(Number(OPACITY_FIRST));
    const label = make("label", "grow", "Opacity ");
    label.append(opacity);
    const hide = make("input");
    hide.type = "checkbox";
    hide.onchange = () => this.events.hidden(hide.checked);
    const hideLabel = make("label");
    hideLabel.append(hide, " Hide");
    const row = make("div", "row");
    row.append(label, hideLabel);
    return row;
  }

  // Dragged by its head. It keeps inside the window, and moves by transform: no layout of the page.
  #movable(): void {
    let from: { x: number; y: number; left: number; top: number } | undefined;
    let at = { x: 0, y: 0 };
    this.#head.onpointerdown = (event) => {
      if (event.target instanceof HTMLButtonElement) return;
      const { left, top } = this.root.getBoundingClientRect();
      from = { x: event.clientX - at.x, y: event.clientY - at.y, left: left - at.x, top: top - at.y };
      this.#head.setPointerCapture(event.pointerId);
    };
    this.#head.onpointermove = (event) => {
      if (!from) return;
      const { offsetWidth, offsetHeight } = this.root;
      at = {
        x: Math.min(Math.max(event.clientX - from.x, -from.left), innerWidth - offsetWidth - from.left),
        y: Math.min(Math.max(event.clientY - from.y, -from.top), innerHeight - offsetHeight - from.top),
      };
      this.root.style.setProperty("transform", `translate(${at.x}px, ${at.y}px)`);
    };
    this.#head.onpointerup = this.#head.onpointercancel = () => { from = undefined; };
  }
}

/** An amount in full. */
const amount = (kind: HeatKind, value: number): string => (isTime(kind) ? shortTime(value) : whole.format(value));

/** What a colour stands for. */
const spot = (kind: HeatKind, value: number): string => (isTime(kind) ? shortTime(value) : numbers.format(value));

/** Over what it lies, in words, up to where the page is named. */
function where({ over, elements, total }: HeatHeld, missing: number): string {
  switch (over) {
    case "element": case "nothing": {
      const known = `${whole.format(elements.length)} ${elements.length === 1 ? "element" : "elements"}`;
      return `${known}, ${whole.format(missing)} not on the page · `;
    }
    case "window": return "Over the screen, wherever the page was scrolled to · ";
    case "document": return "Over the whole page · ";
    case "bands": return "In each twentieth of the page's height · ";
    case "directions": {
      const sums = DIRECTIONS.map((name, cell) => ({
        name, sum: elements.reduce((sum, row) => sum + (row.grid.cells[cell] ?? 0), 0),
      }));
      const said = sums.filter(({ sum }) => sum > 0).sort((a, b) => b.sum - a.sum);
      const words = said.map(({ name, sum }) => `${name} ${Math.round((sum / Math.max(1, total)) * 100)} %`);
      return words.length > 0 ? `${words.join(", ")} · ` : "";
    }
  }
}

function choices(select: HTMLSelectElement, label: string, options: readonly (readonly [string, string])[]): void {
  select.setAttribute("aria-label", label);
  for (const [value, text] of options) {
    const option = make("option", "", text);
    option.value = value;
    select.append(option);
  }
}

function button(text: string, label: string, press: () => void): HTMLButtonElement {
  const element = make("button", "", text);
  element.type = "button";
  element.setAttribute("aria-label", label);
  element.onclick = press;
  return element;
}

function legend(): HTMLCanvasElement {
  const canvas = make("canvas", "legend");
  canvas.width = palette.length / 4;
  canvas.height = 1;
  const image = new ImageData(new Uint8ClampedArray(palette), canvas.width, 1);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Colours from none to the most per ${SPOT_PX} × ${SPOT_PX} px; the middle is a quarter (${level(0.25, 1)} of the way)`);
  return canvas;
}
