// A batch read back from its bytes, for the debug view: what really goes out.
//
// Owns the reading, written from the description of the wire (`wire/src/batch.rs`). Only `debug.ts`
// loads it. Reads what this SDK writes; of anything else it gives up.

/** One event, as it travels. */
export interface Told {
  kind: string;
  /** Identity of the element it names, 16 hexadecimal digits. */
  element?: string | undefined;
  /** Where in the window, CSS pixels. */
  at?: { x: number; y: number };
  /** How far, CSS pixels. */
  by?: { x: number; y: number };
  /** The rest, in words. */
  words: string;
}

/** What a batch holds. `selectors`: of the elements that it describes. */
export interface Batch {
  stream: string;
  firstSeq: number;
  events: Told[];
  selectors: Map<string, string>;
}

const KINDS =
  "page_view press scroll swipe custom conversion exposure long_press pinch hesitation path attention impression form rage dead error_press thrash fault visibility consent identify".split(" ");
const decoder = new TextDecoder();

/** Reads a batch; fails on what this SDK would not write. */
export function read(bytes: Uint8Array): Batch {
  let at = 7;
  const byte = (): number => {
    const value = bytes[at++];
    if (value === undefined) throw new Error("the batch ends too early");
    return value;
  };
  const uint = (): number => {
    let value = 0;
    for (let unit = 1, next = 128; next > 127; unit *= 128) {
      next = byte();
      value += (next & 127) * unit;
    }
    return value;
  };
  const int = (): number => {
    const value = uint();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  };
  const text = (): string => {
    const length = uint();
    return decoder.decode(bytes.subarray(at, (at += length)));
  };
  const id = (length: number): string => {
    const all = Array.from(bytes.subarray(at, (at += length)), (it) => it.toString(16).padStart(2, "0"));
    return all.reverse().join("");
  };
  const many = <T>(item: () => T): T[] => Array.from({ length: uint() }, item);
  const skip = (...reads: (() => unknown)[]): void => reads.forEach((one) => one());
  const point = () => ({ x: uint(), y: uint() });
  const page = (): string => {
    skip(() => id(8));
    const [host, path] = [text(), text()];
    if (byte()) skip(text, text, text, text, text);
    skip(uint, uint, uint, uint, uint, int, int, uint);
    const release = text();
    return `${host}${path}${release && ` (${release})`}`;
  };
  const props = (): string =>
    many(() => `${text()}: ${[text, () => number(), () => !!byte()][uint()]!()}`).join(", ");
  const number = (): number => new DataView(bytes.buffer, bytes.byteOffset + (at += 8) - 8, 8).getFloat64(0, true);

  const stream = id(16);
  skip(() => id(16), () => id(8));
  const firstSeq = uint();
  skip(uint, () => byte() && page(), () => many(() => skip(text, text)));
  const selectors = new Map<string, string>();
  const elements = many(() => {
    const name = id(8);
    if (byte()) {
      selectors.set(name, text());
      skip(text, text, uint, uint, uint, uint, uint, uint);
    }
    return name;
  });

  const seen = [0, 0, 0, 0, 0, 0, 0];
  const spot = () => {
    const element = elements[uint()];
    skip(uint);
    const where = point();
    skip(byte);
    return { element, at: where };
  };
  const reads: Record<string, () => Partial<Told>> = {
    page_view: () => ({ words: [page(), `by ${["load", "route", "restore"][uint()]}`, text(), text(), text()].join(" · ") }),
    press: spot,
    scroll: () => {
      const has = byte();
      const field = (bit: number, one: () => number) => (has & bit ? one() : 0);
      const element = elements[field(1, uint) - 1];
      const by = { x: field(2, int), y: field(4, int) };
      return { element, by, words: `detour ${field(8, uint)}, turned ${field(16, uint)}×, ${field(32, uint)} ms` };
    },
    swipe: () => {
      const element = elements[uint()];
      skip(uint);
      const from = point();
      const by = { x: int(), y: int() };
      const words = `${uint()} ms, ${uint()} px/s`;
      skip(byte);
      return { element, at: from, by, words };
    },
    custom: () => ({ words: `${text()} ${props()}` }),
    conversion: () => ({ words: `${text()} ${int() / 1e6} ${text()} ${text()} ${props()}` }),
    exposure: () => ({ words: `${text()} = ${text()}` }),
    long_press: () => ({ ...spot(), words: `${uint()} ms` }),
    pinch: () => ({ ...spot(), words: `${uint()} %, ${uint()} ms` }),
    hesitation: () => ({ ...spot(), words: `${uint()} ms${byte() ? ", then pressed" : ""}` }),
    path: () => ({ words: `${many(() => skip(uint, int, int)).length} steps` }),
    attention: () => ({ words: `visible ${uint()} ms, active ${uint()} ms, bands ${byte()}+${many(uint)}` }),
    impression: () => {
      // Each differs by so much from the one before.
      seen.forEach((before, which) => (seen[which] = before + int()));
      const [place, colour, w, h, x, y, r] = seen;
      return { element: elements[place!], words: `#${colour!.toString(16).padStart(6, "0")} ${w}×${h} at ${x},${y} r${r}` };
    },
    form: () => {
      const [form, field] = [elements[uint()], elements[uint() - 1]];
      return { element: field ?? form, words: `${["begun", "submitted", "given up"][uint()]}, ${uint()} fields, ${uint()} ms` };
    },
    rage: spot,
    dead: () => ({ ...spot(), words: `after ${uint()} ms` }),
    error_press: () => ({ ...spot(), words: `after ${uint()} ms` }),
    thrash: () => ({ at: point(), words: `turned ${uint()}×, ${uint()} px, ${uint()} ms` }),
    fault: () => ({ words: `${["error", "rejection"][uint()]} ${text()} ${text()}:${uint()}:${uint()}` }),
    visibility: () => ({ words: `${byte() ? "shown" : "hidden"} after ${uint()} ms` }),
    consent: () => ({ words: ["granted", "cookieless"][uint()]! }),
    identify: () => ({ words: `${text()}${byte() ? " (hash)" : ""}` }),
  };
  const events = many((): Told => {
    skip(uint);
    const kind = KINDS[uint()] ?? "unknown";
    return { kind, words: "", ...reads[kind]!() };
  });
  return { stream, firstSeq, events, selectors };
}
