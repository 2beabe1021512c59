// Owns the light: how a finish becomes gradients, and the shadow everything stands on. Knows no product.
// Every picture is lit from the upper left and stands on y = 330 of a 400 × 400 view.
import type { FinishName } from '../catalogue.ts';

interface Tone {
  readonly base: string;
  readonly light: string;
  readonly dark: string;
  readonly deep: string;
}

type MaterialName = FinishName | 'oak' | 'coffee';

const tones: Record<MaterialName, Tone> = {
  steel: { base: '#b3b9bd', light: '#f1f4f5', dark: '#7f888e', deep: '#5b646a' },
  ink: { base: '#3b3f42', light: '#74797d', dark: '#25282a', deep: '#17191a' },
  cream: { base: '#efe4d0', light: '#fffaf0', dark: '#cdbd9f', deep: '#a8977a' },
  clay: { base: '#c26f4c', light: '#e3a283', dark: '#934c2e', deep: '#6d3620' },
  sage: { base: '#8ea488', light: '#c0cfba', dark: '#657c60', deep: '#485c45' },
  copper: { base: '#c4835a', light: '#f2cbab', dark: '#8c5433', deep: '#663a21' },
  oak: { base: '#bd8d5b', light: '#ddb988', dark: '#8b6239', deep: '#6b4826' },
  coffee: { base: '#4a2c1c', light: '#7c5138', dark: '#2d190f', deep: '#1f1009' },
};

export interface Paint {
  /** Definitions to put before the shapes. */
  readonly defs: string;
  /** Fill of a body that is round about a vertical axis. */
  readonly round: string;
  /** Fill of a round wooden part. */
  readonly wood: string;
  readonly glass: string;
  readonly brew: string;
  readonly tone: Tone;
  readonly oak: Tone;
}

const across = (id: string, { base, light, dark, deep }: Tone): string =>
  `<linearGradient id="${id}"><stop offset="0" stop-color="${dark}"/><stop offset=".2" stop-color="${base}"/>` +
  `<stop offset=".34" stop-color="${light}"/><stop offset=".52" stop-color="${base}"/>` +
  `<stop offset=".86" stop-color="${dark}"/><stop offset="1" stop-color="${deep}"/></linearGradient>`;

// The browser draws into pages that were drawn at build time, so the two must not share ids.
const series = typeof document === 'undefined' ? 'm' : 'n';
let drawn = 0;

/** The paints of one picture; ids are new each time, because a page shows many pictures. */
export function mix(finish: FinishName): Paint {
  const id = `${series}${(drawn += 1).toString(36)}`;
  const tone = tones[finish];
  return {
    defs:
      `<defs>${across(`${id}r`, tone)}${across(`${id}w`, tones.oak)}${across(`${id}b`, tones.coffee)}` +
      `<linearGradient id="${id}g"><stop offset="0" stop-color="#8fa3a8" stop-opacity=".42"/><stop offset=".16" stop-color="#fff" stop-opacity=".5"/>` +
      `<stop offset=".3" stop-color="#dfe8ea" stop-opacity=".16"/><stop offset=".84" stop-color="#b9c8cb" stop-opacity=".2"/>` +
      `<stop offset="1" stop-color="#71868c" stop-opacity=".5"/></linearGradient></defs>`,
    round: `url(#${id}r)`,
    wood: `url(#${id}w)`,
    glass: `url(#${id}g)`,
    brew: `url(#${id}b)`,
    tone,
    oak: tones.oak,
  };
}

/** The soft shadow on the floor; `x` its middle, `rx` half the width of what stands there. */
export function shadow(x: number, rx: number, y = 330): string {
  return [1.16, 1.02, 0.88]
    .map((grow) => `<ellipse cx="${x + 8}" cy="${y}" rx="${(rx * grow).toFixed(1)}" ry="${(9 * grow).toFixed(1)}" fill="#1c1209" opacity=".13"/>`)
    .join('');
}

/** A colour a swatch shows. */
export const swatchColour = (finish: FinishName): string => tones[finish].base;

export const finishTitle: Record<FinishName, string> = {
  steel: 'Brushed steel', ink: 'Ink', cream: 'Cream', clay: 'Clay', sage: 'Sage', copper: 'Copper',
};
