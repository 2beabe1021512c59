// Owns how a product looks in a list, and how a price is written.
import { euros, type Product } from '../catalogue.ts';
import { picture } from '../picture/index.ts';
import { finishTitle, swatchColour } from '../picture/material.ts';
import { icon } from './icon.ts';

const tints = ['sand', 'sage', 'clay', 'mist'] as const;

/** The backdrop of a product: always the same for one product, different for its neighbours. */
export function tint(product: Product): string {
  const sum = [...product.name].reduce((total, letter) => total + letter.charCodeAt(0), 0);
  return `tint-${tints[sum % tints.length]}`;
}

export function price({ price: now, priceBefore }: Product): string {
  if (priceBefore === undefined) return `<span class="price">${euros(now)}</span>`;
  return `<span class="price price-cut">${euros(now)}</span> <s class="price-before"><span class="unseen">before </span>${euros(priceBefore)}</s>`;
}

export const dots = ({ finishes }: Product): string =>
  `<span class="dots" role="img" aria-label="${finishes.length} finishes: ${finishes.map((finish) => finishTitle[finish]).join(', ')}">${finishes
    .map((finish) => `<svg viewBox="0 0 12 12" aria-hidden="true"><circle cx="6" cy="6" r="5.2" fill="${swatchColour(finish)}"/></svg>`)
    .join('')}</span>`;

/** A product in a grid: the whole card is one link, the plus adds it to the cart. */
export function card(product: Product): string {
  const { name, title, line, badge, finishes } = product;
  return `<li class="card">
  <div class="card-picture ${tint(product)}">${picture(product, finishes[0])}
    ${badge === undefined ? '' : `<span class="badge">${badge}</span>`}
    <button class="card-add" type="button" data-add="${name}" data-upriver="quick-add-${name}" aria-label="Add ${title} to the cart">${icon('plus')}</button>
  </div>
  <h3><a href="/product/${name}">${title}</a></h3>
  <p class="card-line">${line}</p>
  <p class="card-foot"><span>${price(product)}</span>${dots(product)}</p>
</li>`;
}

export const grid = (shown: readonly Product[]): string => `<ul class="grid">${shown.map(card).join('')}</ul>`;
