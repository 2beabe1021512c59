// The small panel on the page: numbers, legend, filters. Plain DOM, text only by `textContent`.
//
// Owns: its own elements and what was chosen in them. Refuses to know: streams, layout of the page.

import { level, palette, SPOT_PX } from "../draw/heat";

export interface Choice {
  device: string;
  campaign: string;
}

export interface Shown {
  status: "connecting" | "live" | "lost";
  page: string;
  total: number;
  elements: number;
  missing: number;
  /** Presses per spot at the top of the palette. */
  max: number;
}

interface PanelEvents {
  chosen(choice: Choice): void;
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
    body.append(this.#total, this.#detail, legend(), this.#ticks,
      make("p", "unit", `presses in ${SPOT_PX} × ${SPOT_PX} px`), this.#filters(), this.#sliders(), this.#hover);
    this.#notice.setAttribute("role", "status");
    this.root.append(this.#head, this.#notice, body);
    this.fold(folded);
    this.#movable();
    this.hover(undefined);
  }

  /** Shows numbers. */
  show(shown: Shown): void {
    this.root.dataset["status"] = shown.status;
    this.#status.textContent = shown.status === "lost" ? "not live" : shown.status;
    this.#total.textContent = `${whole.format(shown.total)} ${shown.total === 1 ? "press" : "presses"}`;
    this.#detail.textContent = `${whole.format(shown.elements)} ${shown.elements === 1 ? "element" : "elements"}, ${whole.format(shown.missing)} not on the page · ${shown.page}`;
    this.#ticks.replaceChildren(
      make("span", "", "0"),
      make("span", "", numbers.format(shown.max / 4)),
      make("span", "", numbers.format(shown.max)),
    );
  }

  /** Says something the reader has to act on; empty: nothing. */
  notice(text: string): void {
    this.#notice.textContent = text;
    this.#notice.hidden = !text;
  }

  /** Shows the element under the pointer. */
  hover(what: { label: string; role: string; total: number; share: number } | undefined): void {
    this.#hover.textContent = what
      ? `${what.label || what.role || "unnamed"}: ${whole.format(what.total)} (${Math.round(what.share * 100)} %)`
      : "Point at an element for its number.";
  }

  /** Takes a choice made elsewhere, without telling of it. */
  set(choice: Choice): void {
    this.#device.value = choice.device;
    this.#campaign.value = choice.campaign;
  }

  fold(folded: boolean): void {
    this.root.classList.toggle("folded", folded);
    this.#fold.textContent = folded ? "+" : "–";
    this.#fold.setAttribute("aria-label", folded ? "Unfold the panel" : "Fold the panel");
    this.#fold.setAttribute("aria-expanded", String(!folded));
  }

  #filters(): HTMLElement {
    for (const device of DEVICES) {
      const option = make("option", "", device || "All devices");
      option.value = device;
      this.#device.append(option);
    }
    this.#device.setAttribute("aria-label", "Presses from device");
    this.#campaign.placeholder = "All campaigns";
    this.#campaign.setAttribute("aria-label", "Presses from campaign (exact name)");
    this.#campaign.maxLength = 128;
    const chosen = (): void => this.events.chosen({ device: this.#device.value, campaign: this.#campaign.value.trim() });
    this.#device.onchange = chosen;
    this.#campaign.onchange = chosen;
    const row = make("div", "row");
    row.append(this.#device, this.#campaign);
    return row;
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
  canvas.setAttribute("aria-label", `Colours from none to the most presses per ${SPOT_PX} × ${SPOT_PX} px; the middle is a quarter (${level(0.25, 1)} of the way)`);
  return canvas;
}
