// Owns the product page. The buy button is put in place by the browser, because the experiment decides where.
import { categoryOf, products, type Product } from '../catalogue.ts';
import { picture, type View } from '../picture/index.ts';
import { finishTitle, swatchColour } from '../picture/material.ts';
import { grid, price, tint } from './card.ts';
import { icon } from './icon.ts';

const viewTitles: Record<View, string> = { whole: 'Whole', near: 'Close up', size: 'Size' };

/** The three pictures of a product in one finish; drawn again when the finish changes. */
export const pictures = (product: Product, finish: Product['finishes'][0]): string =>
  (Object.keys(viewTitles) as View[])
    .map((view) => `<li class="${tint(product)}" id="view-${view}">${picture(product, finish, view, `${product.title}, ${finishTitle[finish].toLowerCase()}: ${viewTitles[view].toLowerCase()}`)}</li>`)
    .join('');

const thumbs = (product: Product): string =>
  (Object.keys(viewTitles) as View[])
    .map((view, at) => `<li><button type="button" class="thumb ${tint(product)}" data-view="${view}" aria-label="Show: ${viewTitles[view].toLowerCase()}"${at === 0 ? ' aria-current="true"' : ''}>${picture(product, product.finishes[0], view)}</button></li>`)
    .join('');

function options({ finishes }: Product): string {
  const swatches = finishes
    .map((finish, at) => `<label class="swatch"><input type="radio" name="finish" value="${finish}"${at === 0 ? ' checked' : ''}><svg viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="15" fill="${swatchColour(finish)}"/></svg><span class="unseen">${finishTitle[finish]}</span></label>`)
    .join('');
  return `<fieldset class="finishes"><legend>Finish: <output id="finish-shown">${finishTitle[finishes[0]]}</output></legend><div>${swatches}</div></fieldset>
  <div class="quantity"><span id="quantity-label">Quantity</span><div class="stepper" role="group" aria-labelledby="quantity-label"><button type="button" data-step="-1" aria-label="One less">${icon('minus')}</button><output id="quantity">1</output><button type="button" data-step="1" aria-label="One more">${icon('plus')}</button></div></div>`;
}

const details = (product: Product): string => `<div class="details">
  <details open><summary>Facts</summary><dl class="facts">${product.facts.map(([term, fact]) => `<div><dt>${term}</dt><dd>${fact}</dd></div>`).join('')}<div><dt>Size</dt><dd>${product.size[0]} × ${product.size[1]} mm</dd></div></dl></details>
  <details><summary>Care</summary><p>Warm water and a soft cloth. Oil the wood once a year, descale when the tea tells you to. Every part that wears can be bought on its own.</p></details>
  <details><summary>Delivery and returns</summary><p>Two to four working days, free from €60. Send it back within 30 days, used or not, and we refund the price.</p></details>
</div>`;

export function productPage(product: Product): string {
  const category = categoryOf(product.category);
  const others = products.filter((other) => other.category !== product.category).slice(0, 12);
  const start = products.indexOf(product) % others.length;
  const related = [0, 3, 5, 7].map((step) => others[(start + step) % others.length] as Product);
  return `<div class="wide product" data-product="${product.name}">
  <nav class="crumbs" aria-label="Where you are"><ol><li><a href="/">Home</a></li><li><a href="/category/${product.category}">${category?.title}</a></li><li aria-current="page">${product.title}</li></ol></nav>
  <div class="product-pictures"><ul class="views" tabindex="0" aria-label="Pictures of ${product.title}">${pictures(product, product.finishes[0])}</ul><ul class="thumbs">${thumbs(product)}</ul></div>
  <form class="product-buy" aria-label="Buy ${product.title}">
    <h1>${product.title}</h1><p class="lead">${product.line}</p>
    <p class="product-price">${price(product)} <span class="tax">tax included</span></p>
    <div class="buy-slot" data-slot="above"></div>
    ${options(product)}
    <div class="buy-slot" data-slot="below"></div>
    <button class="button button-quiet button-full" type="button" id="add" data-upriver="add-to-cart">Add to cart</button>
    <ul class="assurances"><li>${icon('truck')}In stock, at your door in 2–4 days</li><li>${icon('back')}30 days to change your mind</li><li>${icon('wrench')}Spare parts for ten years</li></ul>
  </form>
  <div class="product-story"><h2>Why it is like this</h2><p>${product.story}</p>${details(product)}</div>
</div>
<section class="wide section" aria-labelledby="with"><div class="section-head"><h2 id="with">Goes well with</h2></div>${grid(related)}</section>`;
}
