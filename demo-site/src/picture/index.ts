// Owns the way from a product's name to its picture. The drawings themselves are in the files beside this one.
import type { FinishName, Product } from '../catalogue.ts';
import { ember, loch, vale } from './brewers.ts';
import { quarry, tern } from './grinders.ts';
import { heron, pond, ridge } from './kettles.ts';
import { mix, type Paint } from './material.ts';
import { dune, feather, keep, moss } from './table.ts';

interface Drawing {
  readonly draw: (paint: Paint) => string;
  /** Left, top and right edge of the shape; it stands on 331. */
  readonly edge: readonly [number, number, number];
  /** The square of the close-up: left, top, side. */
  readonly near: readonly [number, number, number];
}

const drawings: Record<string, Drawing> = {
  'heron-kettle': { draw: heron, edge: [44, 146, 342], near: [40, 128, 190] },
  'pond-kettle': { draw: pond, edge: [58, 102, 310], near: [110, 78, 190] },
  'ridge-kettle': { draw: ridge, edge: [88, 102, 340], near: [110, 196, 170] },
  'vale-dripper': { draw: vale, edge: [118, 78, 306], near: [110, 62, 190] },
  'loch-press': { draw: loch, edge: [104, 69, 330], near: [96, 58, 190] },
  'ember-moka': { draw: ember, edge: [100, 74, 334], near: [92, 62, 190] },
  'tern-grinder': { draw: tern, edge: [150, 48, 312], near: [142, 38, 190] },
  'quarry-grinder': { draw: quarry, edge: [112, 50, 292], near: [104, 36, 190] },
  'dune-cups': { draw: dune, edge: [88, 214, 314], near: [180, 180, 150] },
  'moss-mug': { draw: moss, edge: [102, 162, 322], near: [90, 130, 190] },
  'feather-scale': { draw: feather, edge: [50, 232, 350], near: [56, 190, 160] },
  'keep-canister': { draw: keep, edge: [112, 80, 288], near: [104, 66, 190] },
};

export type View = 'whole' | 'near' | 'size';

function drawingOf(product: Product): Drawing {
  const drawing = drawings[product.name];
  if (drawing === undefined) throw new Error(`picture: no drawing for the product ${product.name}; add one in src/picture/index.ts`);
  return drawing;
}

function measures({ edge: [left, top, right] }: Drawing, [width, height]: readonly [number, number]): string {
  const text = 'class="measure-text" font-size="13" text-anchor="middle"';
  const side = right + 22;
  return `<g class="measure" fill="none" stroke-width="1.5"><path d="M${left} 352H${right}M${left} 346V358M${right} 346V358"/>
<path d="M${side} ${top}V331M${side - 6} ${top}H${side + 6}M${side - 6} 331H${side + 6}"/></g>
<text x="${(left + right) / 2}" y="373" ${text}>${width} mm</text>
<text x="${side + 17}" y="${(top + 331) / 2}" ${text} transform="rotate(-90 ${side + 17} ${(top + 331) / 2})">${height} mm</text>`;
}

/** The picture as SVG. With an empty `label` it is decoration beside a name that is already text. */
export function picture(product: Product, finish: FinishName, view: View = 'whole', label = ''): string {
  const drawing = drawingOf(product);
  const paint = mix(finish);
  const [x, y, side] = drawing.near;
  const box = view === 'near' ? `${x} ${y} ${side} ${side}` : '0 0 400 400';
  const name = label === '' ? 'aria-hidden="true"' : `role="img" aria-label="${label}"`;
  const extra = view === 'size' ? measures(drawing, product.size) : '';
  return `<svg class="picture" viewBox="${box}" ${name}>${paint.defs}${drawing.draw(paint)}${extra}</svg>`;
}

/** The drawing without its frame, to be placed in a larger scene: `x` and `y` of its corner, `scale` of the 400 px view. */
export function placed(name: string, finish: FinishName, x: number, y: number, scale: number): string {
  const drawing = drawings[name];
  if (drawing === undefined) throw new Error(`picture: no drawing for ${name}`);
  const paint = mix(finish);
  return `<g transform="translate(${x} ${y}) scale(${scale})">${paint.defs}${drawing.draw(paint)}</g>`;
}
