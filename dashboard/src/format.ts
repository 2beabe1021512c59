// Numbers, money and times as people read them, in the page's locale.
//
// Owns: every Intl object. Refuses to know: what the numbers are about.

const LOCALE = typeof navigator === "undefined" ? "en-GB" : navigator.languages?.[0] ?? navigator.language;

const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: 4 });
const clock = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(LOCALE, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
});
const dayThisYear = new Intl.DateTimeFormat(LOCALE, {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
});
const percents = [0, 1, 2].map(
  (digits) => new Intl.NumberFormat(LOCALE, {
    style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits,
  }),
);
const currencies = new Map<string, Intl.NumberFormat>();

/** Millionths in one unit of a currency. */
const MICROS = 1_000_000;

/** A count, every digit of it. */
export const count = (value: number): string => whole.format(value);

/** A count where there is little room: every digit below 100,000, then four of them. */
export const short = (value: number): string =>
  Math.abs(value) < 100_000 ? whole.format(value) : compact.format(value);

/** A fraction as per cent; small ones get more digits so that they do not read as nothing. */
export function percent(fraction: number): string {
  if (!Number.isFinite(fraction)) return "–";
  // Below what two digits show; an interval's lower end may be a rounding error below zero.
  if (Math.abs(fraction) < 0.00005) return (percents[0] as Intl.NumberFormat).format(0);
  const digits = fraction >= 0.0995 ? 0 : fraction >= 0.00995 ? 1 : 2;
  return (percents[digits] as Intl.NumberFormat).format(fraction);
}

/** A fraction as per cent with its sign. */
export const signed = (fraction: number): string =>
  fraction < 0 ? `−${percent(-fraction)}` : `${fraction > 0 ? "+" : ""}${percent(fraction)}`;

/** A difference of two shares, −1 to 1, in points of per cent with its sign: `+2.1`. */
export const points = (difference: number): string => signed(difference).replace(/\s*%/, "");

/** A fraction of a whole, `–` where the whole is nothing. */
export const share = (part: number, of: number): string => (of > 0 ? percent(part / of) : "–");

/** A sum of money. An unknown currency code is printed as it came. */
export function money(micros: number, currency: string): string {
  const units = micros / MICROS;
  const format = currencyFormat(currency);
  return format ? format.format(units) : `${whole.format(units)} ${currency}`.trim();
}

function currencyFormat(currency: string): Intl.NumberFormat | undefined {
  const known = currencies.get(currency);
  if (known) return known;
  try {
    const made = new Intl.NumberFormat(LOCALE, { style: "currency", currency, maximumFractionDigits: 2 });
    // Codes come from pages; a page that makes them up must not fill the map.
    if (currencies.size < 64) currencies.set(currency, made);
    return made;
  } catch {
    return undefined;
  }
}

/** Hours, minutes and seconds of a Unix time in milliseconds. */
export const clockTime = (ms: number): string => clock.format(ms);

/** Hours and minutes of a Unix time in milliseconds. */
export const minuteTime = (ms: number): string => minute.format(ms);

/** Date and time, the year only where it is another one. */
export function moment(ms: number, nowMs = Date.now()): string {
  const sameYear = new Date(ms).getFullYear() === new Date(nowMs).getFullYear();
  return (sameYear ? dayThisYear : day).format(ms);
}

/** A duration in its largest whole unit: `30 min`, `2 h`, `7 days`. */
export function duration(ms: number): string {
  const units: [number, string][] = [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "minute"], [1000, "second"]];
  const [size, unit] = units.find(([size]) => ms >= size && ms % size === 0) ?? [1000, "second"];
  return new Intl.NumberFormat(LOCALE, { style: "unit", unit, unitDisplay: "long" }).format(ms / size);
}

/** How long something took, to two digits of the largest unit that fits: `4.2 minutes`. */
export function took(ms: number): string {
  const units: [number, string][] = [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "minute"], [1000, "second"]];
  const [size, unit] = units.find(([size]) => ms >= size) ?? [1, "millisecond"];
  return new Intl.NumberFormat(LOCALE, { style: "unit", unit, unitDisplay: "long", maximumSignificantDigits: 2 }).format(ms / size);
}

/** A campaign's own name in words: its parts that are not empty. */
export function campaignName(row: { source: string; medium: string; campaign: string }): string {
  return row.campaign || row.source || "(none)";
}
