// Says on the console what is wrong, once.
//
// Owns that nothing is said twice. The words are in `words.ts`, which is loaded when there is something
// to say.

/** What can be wrong, in the order of `words.ts`. */
export const enum Wrong {
  KEY,
  QUERY,
  ENDPOINT,
  VALUE,
  HASHING,
  LISTENER,
  PAYLOAD,
  CALL,
  NAME,
  PROPERTY,
  START,
  OVERLAY,
  WASM,
}

const said: Record<string, 1> = {};

/** Says what is wrong; `about`: the names and errors it is said of. */
export function complain(wrong: Wrong, ...about: unknown[]): void {
  const all = [wrong, ...about].join();
  if (said[all]) return;
  said[all] = 1;
  // @ts-ignore apart, so that the bundler leaves it apart
  import("./words.js").then(
    ({ words }) => console.error("upriver: " + words(...about)[wrong]),
    () => console.error("upriver:", wrong, ...about),
  );
}
