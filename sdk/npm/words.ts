// What is said on the console when something is wrong.
//
// Owns the sentences, in the order of `Wrong` in `complaint.ts`. Loaded by itself, when the first of
// them is needed.

/** All sentences, about these. */
export const words = (what?: unknown, more?: unknown): string[] => [
  "init: `key` must be the site's write key",
  "init: `queryParams` must be an array of names",
  "init: `endpoint` must be the http(s) address of your collector",
  `convert("${what}"): value must be a finite number`,
  "identify: hashing needs an https: page; nothing was sent",
  'on: the event must be "state" or "signal", and the listener a function',
  `the payload of signal "${what}" is not JSON`,
  `a call failed: ${what}`,
  `${what}: a name must be a text that is not empty`,
  `"${what}" must be a text, a number, true or false`,
  `recording did not start: ${what}`,
  `the overlay did not load: ${what}`,
  `no wasm at ${what} (${more}): pass its address as \`wasm\``,
];
