// Owns the category page: the gallery to swipe through, the filters, the grid.
import { categories, categoryOf, inCategory, productOf, type Product } from '../catalogue.ts';
import { picture } from '../picture/index.ts';
import { grid, price, tint } from './card.ts';
import { icon } from './icon.ts';

const slides: readonly (readonly [name: string, headline: string])[] = [
  ['heron-kettle', 'Pour as slowly as you like'],
  ['vale-dripper', 'Two cups, evenly drained'],
  ['quarry-grinder', 'Quiet at six in the morning'],
  ['moss-mug', 'The one you reach for first'],
  ['ember-moka', 'Strong in four minutes'],
  ['keep-canister', 'A month of lively beans'],
  ['ridge-kettle', 'Ninety-four degrees, held'],
];

function slide(name: string, headline: string): string {
  const product = productOf(name) as Product;
  return `<li class="slide ${tint(product)}"><a href="/product/${name}"><span class="slide-text"><span class="slide-headline">${headline}</span><span class="slide-name">${product.title} · ${price(product)}</span></span>${picture(product, product.finishes[0])}</a></li>`;
}

const gallery = `<section class="gallery" aria-labelledby="gallery-title"><div class="wide gallery-head"><h2 id="gallery-title">Worth a closer look</h2>
  <div class="gallery-arrows"><button class="icon-button arrow" type="button" data-gallery="back" data-upriver="gallery-back" aria-label="Earlier pictures" disabled>${icon('left')}</button><button class="icon-button arrow" type="button" data-gallery="on" data-upriver="gallery-on" aria-label="More pictures">${icon('right')}</button></div></div>
  <ul class="slides" tabindex="0" data-upriver="gallery" aria-label="Gallery, scroll sideways">${slides.map(([name, headline]) => slide(name, headline)).join('')}</ul></section>`;

export const sorts = { ours: 'Our order', cheap: 'Price, low to high', dear: 'Price, high to low' } as const;
export type Sort = keyof typeof sorts;

export function sorted(shown: readonly Product[], sort: Sort): readonly Product[] {
  if (sort === 'ours') return shown;
  return [...shown].sort((a, b) => (sort === 'cheap' ? a.price - b.price : b.price - a.price));
}

/** What the grid shows; the browser draws it again on every change of route. */
export function results(shown: readonly Product[]): string {
  if (shown.length > 0) return grid(shown);
  return `<div class="empty"><h3>Nothing by that name</h3><p>Try a shorter word, or look through everything we make.</p><a class="button" href="/category/">Show everything</a></div>`;
}

export const countText = (count: number): string => `${count} ${count === 1 ? 'piece' : 'pieces'}`;

export function categoryPage(name: string): string {
  const category = categoryOf(name);
  const shown = inCategory(name);
  const filters = [{ name: '', title: 'Everything' }, ...categories]
    .map((filter) => `<li><a class="chip" href="/category/${filter.name}" data-filter="${filter.name}"${filter.name === (category?.name ?? '') ? ' aria-current="page"' : ''}>${filter.title}</a></li>`)
    .join('');
  return `<div class="wide page-head"><h1 id="category-title">${category?.title ?? 'Everything'}</h1><p class="lead" id="category-line">${category?.line ?? 'All we make, on one table.'}</p></div>
${gallery}
<section class="wide section" aria-labelledby="category-title">
  <div class="toolbar"><ul class="chips" aria-label="Filter">${filters}</ul>
    <div class="toolbar-end"><span id="result-count" role="status">${countText(shown.length)}</span>
    <label class="sort"><span class="unseen">Sort by</span><select id="sort" data-upriver="sort">${Object.entries(sorts).map(([value, title]) => `<option value="${value}">${title}</option>`).join('')}</select></label></div></div>
  <div id="results">${results(shown)}</div>
</section>`;
}
