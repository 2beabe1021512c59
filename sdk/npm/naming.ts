// What an element is called: the rules of identity, selectors and masked labels.
//
// Owns the rules. Knows no document: `element.ts` does, which asks it for attributes and paths.
//
// The identity is `1:` (the version of these rules) and a canonical selector, hashed. The selector
// is the first that is unique in the document:
// - `[data-upriver="…"]`;
// - `#id`, unless the id looks generated;
// - `tag[name="…"]`, `tag[aria-label="…"]`, `tag[data-testid="…"]`;
// - the path down from the nearest ancestor with one of the first two, or from the root.
//
// Several elements with the same attribute are told apart by path, so none collide. A private
// element is named by path alone, from the root. Inside an open shadow root the path continues
// after ` >>> `, which no browser resolves but a reader can.

import { utf8 } from "./bytes.js";

/** Version of the rules; another version gives every element another identity. */
export const VERSION = "1:";
/** Attributes that may name an element, most trusted first; the second has its own rule. */
export const ATTRIBUTES = ["data-upriver", "id", "name", "aria-label", "data-testid", "data-test"];
/** Separates a shadow host from the path inside it. */
export const SHADOW = " >>> ";
/** Bytes of a selector, all of them ASCII or counted as three. */
export const SELECTOR_MAX = 512;
/** Bytes of a label. */
export const LABEL_MAX = 128;

/** Whether an id was made by a program for one page load: `:r1:`, `ember123`, `a8f3e2…`. */
export function generated(id: string): boolean {
  // Frameworks count (`radix-:r1:`, `headlessui-menu-12`) or hash; people write words.
  const digits = id.replace(/\D/g, "").length;
  return !/^[\w-]{1,64}$/.test(id) || digits > 2 || (digits > 1 && id.length < 6);
}

/** `tag[name="value"]`, with everything escaped that could end it. */
export function attribute(tag: string, name: string, value: string): string {
  const escaped = value
    .replace(/["\\]/g, "\\$&")
    .replace(/[\n\f\r]/g, (letter) => `\\${letter.charCodeAt(0).toString(16)} `);
  return `${tag}[${name}="${escaped}"]`;
}

/** `#id` for an id that does not look generated. */
export function idSelector(id: string): string {
  return /^[\d-]/.test(id) ? attribute("", "id", id) : `#${id}`;
}

/** One step of a path: the tag, and the place among its siblings of that tag from 1 (0: the only). */
export function step(tag: string, nth: number): string {
  return nth ? `${tag}:nth-of-type(${nth})` : tag;
}

/** The selector found by going down `steps` (from the element upwards) from `anchor`. */
export function path(anchor: string, steps: string[]): string {
  const down = steps.reverse().join(">");
  return anchor && !anchor.endsWith(SHADOW) ? `${anchor}>${down}` : anchor + down;
}

/** Bytes of a text in UTF-8. */
export const length = (text: string): number => utf8(text).length;

/** The longest end of a path that a descriptor has room for. It may match more than its element. */
export function fitting(selector: string): string {
  let rest = selector;
  while (length(rest) > SELECTOR_MAX) rest = rest.slice((rest.indexOf(">") + 1 || rest.length));
  return rest.trimStart();
}

/** A label as it may travel: white space in one, long numbers and addresses hidden. */
export function mask(text: string): string {
  return text
    .replace(/[ \t\n\f\r\xa0]+/g, " ")
    .slice(0, 4 * LABEL_MAX)
    .replace(/^ | $/g, "")
    .replace(/[^ ]*@[^ ]*/g, "*")
    .replace(/\d{4,}/g, (digits) => "*".repeat(digits.length));
}

/** `rgb(1, 2, 3)` or `rgba(1, 2, 3, 0.5)` as `0xRRGGBB`; none when transparent or another notation. */
export function colour(text: string): number | undefined {
  const [, r, g, b, alpha] = /^rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?\)$/.exec(text) ?? [];
  return r && +(alpha ?? 1) > 0 ? (+r << 16) | (+g! << 8) | +b! : undefined;
}
