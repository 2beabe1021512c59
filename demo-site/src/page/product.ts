// Owns the product page's behaviour: pictures, finish, quantity, and the buy button of the experiment.
import { expose } from '../analytics.ts';
import { productOf, type FinishName, type Product } from '../catalogue.ts';
import { experiment, variantOfVisitor } from '../experiment.ts';
import { finishTitle } from '../picture/material.ts';
import { pictures } from '../view/product.ts';
import { startOffers } from './offer.ts';
import { addToCart, find, glide, startFrame, watchStrip } from './frame.ts';

const quantityMax = 9;

function startPictures(): void {
  const strip = find<HTMLElement>('.views');
  const thumbs = [...document.querySelectorAll<HTMLElement>('.thumb')];
  watchStrip(strip, (at) => {
    thumbs.forEach((thumb, index) => (index === at ? thumb.setAttribute('aria-current', 'true') : thumb.removeAttribute('aria-current')));
  });
  thumbs.forEach((thumb, index) => thumb.addEventListener('click', () => strip.scrollTo({ left: index * strip.clientWidth, behavior: glide() })));
}

const finishNow = (): FinishName => find<HTMLInputElement>('input[name="finish"]:checked').value as FinishName;
const quantityNow = (): number => Number(find('#quantity').textContent);

function startOptions(product: Product): void {
  const redraw = (): void => {
    find('#finish-shown').textContent = finishTitle[finishNow()];
    find('.views').innerHTML = pictures(product, finishNow());
  };
  find('.finishes').addEventListener('change', redraw);
  // A browser that went back may have kept another finish checked than the one prerendered.
  if (finishNow() !== product.finishes[0]) redraw();
  find('.product-buy .stepper').addEventListener('click', (event) => {
    const by = Number((event.target as Element).closest<HTMLElement>('[data-step]')?.dataset['step'] ?? 0);
    find('#quantity').textContent = String(Math.min(Math.max(quantityNow() + by, 1), quantityMax));
  });
}

/** Green stands below the options, in the flow; orange above them, and on a phone it stays at the lower edge. */
function placeBuyButton(buy: () => void): void {
  const variant = variantOfVisitor();
  const button = document.createElement('button');
  button.type = 'button';
  button.className = `button button-full buy buy-${variant}`;
  button.dataset['upriver'] = 'buy';
  button.textContent = 'Buy now';
  button.addEventListener('click', buy);
  const slot = find(`[data-slot="${variant === 'green' ? 'below' : 'above'}"]`);
  slot.append(button);
  document.body.dataset['variant'] = variant;
  expose(experiment, variant);
}

startFrame();
startOffers();
const product = productOf(document.querySelector<HTMLElement>('[data-product]')?.dataset['product'] ?? '');
if (product !== undefined) {
  startPictures();
  startOptions(product);
  find('#add').addEventListener('click', () => addToCart(product, finishNow(), quantityNow()));
  placeBuyButton(() => {
    addToCart(product, finishNow(), quantityNow(), true);
    location.assign('/cart');
  });
  find('.product-buy').addEventListener('submit', (event) => event.preventDefault());
}
