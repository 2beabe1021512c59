// `upriver/slim`: the same functions, with the recorder's wasm as a file of its own.
// Owns nothing: `build.mjs` makes it of `index.ts` and a core that fetches its wasm.

export * from "./index.js";
