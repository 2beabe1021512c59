// Reads batches and writes answers, written from the description of the wire and sharing no code
// with it, so that the tests hear what is really on the wire. Owns nothing else.

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  byte() {
    if (this.at >= this.bytes.length) throw new Error("the batch ends too early");
    return this.bytes[this.at++];
  }
  big() {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  }
  uint() {
    return Number(this.big());
  }
  int() {
    const value = this.big();
    return Number((value >> 1n) ^ -(value & 1n));
  }
  raw(count) {
    if (this.at + count > this.bytes.length) throw new Error("the batch ends too early");
    this.at += count;
    return this.bytes.slice(this.at - count, this.at);
  }
  id(bytes) {
    return Buffer.from(this.raw(bytes)).reverse().toString("hex");
  }
  text() {
    return Buffer.from(this.raw(this.uint())).toString("utf8");
  }
  list(item) {
    return Array.from({ length: this.uint() }, item);
  }
  option(item) {
    return this.byte() ? item() : null;
  }
  float() {
    return Buffer.from(this.raw(8)).readDoubleLE();
  }
}

const DEVICES = ["other", "desktop", "tablet", "phone"];
const NAVIGATIONS = ["load", "route", "restore"];
const POINTERS = ["mouse", "touch", "pen", "keyboard"];
const LAYERS = ["flow", "fixed", "stuck", "top"];
const BUTTONS = ["primary", "middle", "secondary", "other"];

/** One envelope: `{sentAt, stream, visitor, session, firstSeq, firstMs, page, events…}`. */
export function decode(bytes) {
  const r = new Reader(bytes);
  const version = r.byte();
  if (version !== 1) throw new Error(`version ${version}`);
  const sentAt = Buffer.from(r.raw(6)).readUIntLE(0, 6);
  const size = () => ({ w: r.uint(), h: r.uint() });
  const point = () => ({ x: r.uint(), y: r.uint() });
  const variant = () => ({ experiment: r.text(), variant: r.text() });
  const campaign = () => ({
    source: r.text(),
    medium: r.text(),
    campaign: r.text(),
    term: r.text(),
    content: r.text(),
  });
  const page = () => ({
    view: r.id(8),
    host: r.text(),
    path: r.text(),
    campaign: r.option(campaign),
    device: DEVICES[r.uint()],
    viewport: size(),
    document: size(),
    scroll: { x: r.int(), y: r.int() },
    pixelRatioPercent: r.uint(),
    release: r.text(),
  });
  const at = () => {
    const packed = r.uint();
    return { x: (packed >> 10) / 1023, y: (packed & 1023) / 1023 };
  };
  const how = () => {
    const packed = r.byte();
    return {
      pointer: POINTERS[packed & 3],
      layer: LAYERS[(packed >> 2) & 3],
      button: BUTTONS[(packed >> 4) & 3],
    };
  };
  const spot = () => ({ element: r.uint(), at: at(), client: point(), how: how() });
  const props = () =>
    Object.fromEntries(
      r.list(() => {
        const name = r.text();
        return [name, [() => r.text(), () => r.float(), () => r.byte() === 1][r.uint()]()];
      }),
    );
  const scroll = () => {
    const has = r.byte();
    const field = (bit, read) => (has & bit ? read() : 0);
    return {
      container: field(1, () => r.uint()),
      dx: field(2, () => r.int()),
      dy: field(4, () => r.int()),
      detour: field(8, () => r.uint()),
      reversals: field(16, () => r.uint()),
      durationMs: field(32, () => r.uint()),
    };
  };
  const seen = [0, 0, 0, 0, 0, 0, 0];
  const bodies = [
    () => ({
      kind: "page_view",
      page: page(),
      navigation: NAVIGATIONS[r.uint()],
      title: r.text(),
      referrer: r.text(),
      language: r.text(),
    }),
    () => ({ kind: "press", element: r.uint(), at: at(), client: point(), how: how() }),
    () => ({ kind: "scroll", ...scroll() }),
    () => ({
      kind: "swipe",
      element: r.uint(),
      at: at(),
      client: point(),
      dx: r.int(),
      dy: r.int(),
      durationMs: r.uint(),
      releasePxS: r.uint(),
      how: how(),
    }),
    () => ({ kind: "custom", name: r.text(), props: props() }),
    () => ({
      kind: "conversion",
      name: r.text(),
      valueMicros: r.int(),
      currency: r.text(),
      order: r.text(),
      props: props(),
    }),
    () => ({ kind: "exposure", ...variant() }),
    () => ({ kind: "long_press", ...spot(), durationMs: r.uint() }),
    () => ({ kind: "pinch", ...spot(), scalePercent: r.uint(), durationMs: r.uint() }),
    () => ({ kind: "hesitation", ...spot(), durationMs: r.uint(), pressed: r.byte() === 1 }),
    () => ({ kind: "path", steps: r.list(() => ({ deltaMs: r.uint(), dx: r.int(), dy: r.int() })) }),
    () => ({
      kind: "attention",
      visibleMs: r.uint(),
      activeMs: r.uint(),
      firstBand: r.byte(),
      bands: r.list(() => r.uint()),
    }),
    () => {
      // Each number differs by so much from that of the impression before.
      seen.forEach((before, which) => (seen[which] = before + r.int()));
      const [element, background, w, h, x, y, radius] = seen;
      return { kind: "impression", element, look: { background, size: { w, h }, x, y, radius } };
    },
    () => ({
      kind: "form",
      element: r.uint(),
      field: r.uint(),
      step: ["start", "submit", "abandon"][r.uint()],
      fields: r.uint(),
      durationMs: r.uint(),
    }),
    () => ({ kind: "rage", ...spot() }),
    () => ({ kind: "dead", ...spot(), afterMs: r.uint() }),
    () => ({ kind: "error_press", ...spot(), afterMs: r.uint() }),
    () => ({
      kind: "thrash",
      client: point(),
      reversals: r.uint(),
      distance: r.uint(),
      durationMs: r.uint(),
    }),
    () => ({
      kind: "fault",
      fault: ["error", "rejection"][r.uint()],
      message: r.text(),
      source: r.text(),
      line: r.uint(),
      column: r.uint(),
    }),
    () => ({ kind: "visibility", visible: r.byte() === 1, afterMs: r.uint() }),
    () => ({ kind: "consent", state: ["granted", "cookieless"][r.uint()] }),
    () => ({ kind: "identify", user: r.text(), hashed: r.byte() === 1 }),
  ];
  const descriptor = () => ({
    selector: r.text(),
    label: r.text(),
    role: r.text(),
    background: r.uint(),
    size: size(),
    place: point(),
    radius: r.uint(),
  });
  const batch = {
    sentAt,
    stream: r.id(16),
    visitor: r.id(16),
    session: r.id(8),
    firstSeq: r.uint(),
    firstMs: r.uint(),
    page: r.uint() === 1 ? page() : null,
    variants: r.list(variant),
    elements: r.list(() => ({ id: r.id(8), descriptor: r.option(descriptor) })),
    events: r.list(() => {
      const deltaMs = r.uint();
      const body = bodies[r.uint()];
      if (!body) throw new Error("an unknown kind of event");
      return { deltaMs, ...body() };
    }),
  };
  if (r.at !== bytes.length) throw new Error(`${bytes.length - r.at} bytes too many`);
  return batch;
}

function uint(value) {
  const bytes = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

const id = (hex) => [...Buffer.from(hex, "hex").reverse()];

/** The answer that these events are on disk. */
export function ack(stream, firstSeq, nextSeq, need = []) {
  return Buffer.from([
    1, 0, ...id(stream), ...uint(firstSeq), ...uint(nextSeq), ...uint(need.length),
    ...need.flatMap(id),
  ]);
}

/** The answer that a batch is not taken; `refusal`: 0 bad, 1 forbidden, 2 later. */
export function refused(stream, firstSeq, refusal, retryAfterMs = 0) {
  return Buffer.from([
    1, 1, ...id(stream), ...uint(firstSeq), refusal, ...uint(retryAfterMs), ...uint(0),
  ]);
}

/** A signal for the page; the payload is text, which should be JSON. */
export function signal(number, name, payload, expires = 0) {
  const text = (words) => [...uint(Buffer.byteLength(words)), ...Buffer.from(words)];
  return Buffer.from([1, 2, ...uint(number), ...text(name), ...text(payload), ...uint(expires)]);
}
