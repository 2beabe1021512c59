// Forms: which fields of them are used, and what comes of them.
//
// Owns telling a form's use from the keys and clicks that are heard anyway, and the forms of which
// something has been used. Reads no value, ever: a field is used by a key that writes, or by a click
// where it is no text. Elements are named by the shell; what is begun, submitted or given up is the
// recorder's business.

import { alive, named, step } from "./core.js";
import { BUTTONS, isPrivate } from "./element.js";
import { Kind } from "./wasm.js";

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/** Forms followed at once, as in sdk/src/interest.rs. */
const FORMS_MAX = 8;
// A browser that fills in a form itself tells of keys without a name.
const WRITES = /^(.|Backspace|Delete|Unidentified|Process|Dead|undefined)$/u;
/** Fields of text that are also filled in by a click. */
const PICKED = /^(date|month|week|time)/;

/** The forms that are followed, and what of each has been used. */
const places = Array.from({ length: FORMS_MAX }, () => ({
  form: undefined as HTMLFormElement | undefined,
  used: new Set<Element>(),
}));
type Place = (typeof places)[number];
/** The field used last: a key in it again tells nothing new. */
export let last: Element | undefined;
let watching = false;

/** Forms of another recorder. */
export function begin(): void {
  for (const place of places) leave(place);
}

function placeOf(form: HTMLFormElement): Place | undefined {
  const place = places.find((it) => it.form === form) ?? places.find((it) => !it.form);
  if (place) place.form = form;
  return place;
}

function leave(place: Place): void {
  place.form = last = undefined;
  place.used.clear();
}

function end(place: Place, at: number, what: number): void {
  step(Kind.FORM, at, places.indexOf(place), what);
  leave(place);
}

/** A form is sent. */
export function submitted(form: HTMLFormElement, at: number): void {
  const place = placeOf(form);
  if (!place) return;
  alive(at);
  named(form);
  named(form);
  end(place, at, 1);
}

// A form that a script submits makes no event.
function watch(): void {
  if (watching) return;
  watching = true;
  const prototype = HTMLFormElement.prototype;
  const { submit } = prototype;
  prototype.submit = function () {
    // Nothing that goes wrong here may keep the form from being sent.
    try {
      submitted(this, performance.now());
    } catch {}
    submit.call(this);
  };
}

/** A key or a click on something that may be a field. */
export function used(event: Event, under: Element, at: number): void {
  if (under === last || !under.matches?.("input,select,textarea")) return;
  const field = under as Field;
  const { form, type } = field;
  if (BUTTONS.test(type)) return;
  const text = field.matches(":read-write") && !PICKED.test(type);
  const using = event.type === "click" ? !text : WRITES.test((event as KeyboardEvent).key);
  const place = using && form && !(field as HTMLInputElement).readOnly && placeOf(form);
  if (!place) return;
  watch();
  last = field;
  place.used.add(field);
  alive(at);
  named(form);
  // Of a private field the form is all that is told.
  named(isPrivate(field) ? form : field);
  step(Kind.FORM, at, places.indexOf(place), 0, place.used.size);
}

/** The page is left, or has changed (`gone`): forms that went with it are given up. */
export function left(at: number, gone?: boolean): void {
  for (const place of places) if (place.form && !(gone && place.form.isConnected)) end(place, at, 2);
}
