// Numbers and texts as the wire writes them.
//
// Owns the encoding of what is made of the page's words; gestures and batches are encoded by the
// core. Knows the wire's limits of texts, none of its messages. Held to the wire by its golden files.

/** Bytes of a general text. */
export const TEXT_MAX = 1024;
/** Bytes of a name. */
export const NAME_MAX = 128;

const encoder = new TextEncoder();

/** Bytes under construction. */
export class Bytes {
  all: number[] = [];

  /** A whole number, at least 0. */
  uint(value: number): this {
    for (; value > 127; value = Math.floor(value / 128)) this.all.push((value % 128) + 128);
    this.all.push(value);
    return this;
  }

  /** A whole number that may be negative. */
  int(value: number): this {
    return this.uint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** A text, cut between letters to so many bytes. */
  text(value: string, max: number): this {
    const room = new Uint8Array(max);
    const { written } = encoder.encodeInto(value, room);
    this.uint(written).all.push(...room.subarray(0, written));
    return this;
  }

  /** Names. */
  names(...values: string[]): this {
    for (const value of values) this.text(value, NAME_MAX);
    return this;
  }

  /** Properties: name, value, name, value… */
  props(flat: (string | number | boolean)[]): this {
    this.uint(flat.length / 2);
    for (let place = 0; place < flat.length; place += 2) {
      const value = flat[place + 1]!;
      this.names(flat[place] as string);
      if (typeof value === "string") this.uint(0).text(value, TEXT_MAX);
      else if (typeof value === "boolean") this.all.push(2, +value);
      else this.uint(1).all.push(...new Uint8Array(new Float64Array([value]).buffer));
    }
    return this;
  }
}

/** The bytes of an identifier written in hexadecimal. */
export function idBytes(hex: string): number[] {
  return hex.match(/../g)!.map((digits) => parseInt(digits, 16)).reverse();
}
