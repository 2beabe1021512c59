// Numbers and texts as the wire writes them.
//
// Owns the encoding of what is made of the page's words; gestures and batches are encoded by the
// core. Knows the wire's limits of texts, none of its messages. Held to the wire by its golden files.

/** Bytes of a general text. */
export const TEXT_MAX = 1024;
/** Bytes of a name. */
export const NAME_MAX = 128;

const encoder = new TextEncoder();
const room = new Uint8Array(TEXT_MAX);

/** The bytes of a text in UTF-8. */
export const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);

/** A whole number, at least 0. */
export const uint = (value: number): number[] =>
  value > 127 ? [(value % 128) + 128, ...uint(Math.floor(value / 128))] : [value];

/** A whole number that may be negative. */
export const int = (value: number): number[] => uint(value < 0 ? -2 * value - 1 : 2 * value);

/** A text, cut between letters to so many bytes. */
export function text(value: string, max: number = TEXT_MAX): number[] {
  const { written } = encoder.encodeInto(value, room.subarray(0, max));
  return [...uint(written), ...room.subarray(0, written)];
}

/** All of these: whole numbers from 0 on, names, and what is bytes already. */
export const bytes = (...all: (number | string | number[])[]): number[] =>
  all.flatMap((it) => (typeof it === "number" ? uint(it) : typeof it === "string" ? text(it, NAME_MAX) : it));

/** Properties, each a name and a text, a number, true or false. */
export const props = (all: [string, unknown][]): number[] =>
  bytes(all.length, ...all.flatMap(([name, value]) => [
    name,
    typeof value === "string" ? [0, ...text(value)]
    : typeof value === "number" ? [1, ...new Uint8Array(new Float64Array([value]).buffer)]
    : [2, +(value as boolean)],
  ]));

/** The bytes of an identifier written in hexadecimal. */
export const idBytes = (hex: string): number[] =>
  hex.match(/../g)!.map((digits) => parseInt(digits, 16)).reverse();

/** The bytes of a text of letters below 256. */
export function latin1(letters: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(letters.length);
  // By its places: by an iterator and a call for each letter a page takes several times as long.
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

/** What becomes of bytes in a stream that packs or unpacks. */
// Of the body of a response: a blob goes by another process.
export const through = (bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream): Promise<ArrayBuffer> =>
  new Response(new Response(bytes).body!.pipeThrough(stream)).arrayBuffer();

/** Bytes in hexadecimal. */
export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
