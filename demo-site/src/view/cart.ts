// Owns how the cart looks: its lines, its sum, and what it says when it is empty.
import { euros, productOf, products, type Product } from '../catalogue.ts';
import { freeFrom, isDeliveryFree, totalOf, type Line } from '../cart.ts';
import { picture } from '../picture/index.ts';
import { finishTitle } from '../picture/material.ts';
import { grid, tint } from './card.ts';
import { icon } from './icon.ts';

/** The page before the browser has looked into the cart. */
export const cartPage = (): string => `<div class="wide page-head"><h1>Your cart</h1></div><div class="wide cart" id="cart"></div>`;

function row({ name, finish, quantity }: Line): string {
  const product = productOf(name) as Product;
  const key = `data-name="${name}" data-finish="${finish}"`;
  return `<li class="row"><a class="row-picture ${tint(product)}" href="/product/${name}" tabindex="-1" aria-hidden="true">${picture(product, finish)}</a>
  <div class="row-text"><h2><a href="/product/${name}">${product.title}</a></h2><p>${finishTitle[finish]}</p></div>
  <div class="stepper" role="group" aria-label="Quantity of ${product.title}"><button type="button" data-step="-1" ${key} aria-label="One less">${icon('minus')}</button><output>${quantity}</output><button type="button" data-step="1" ${key} aria-label="One more">${icon('plus')}</button></div>
  <p class="row-price">${euros(product.price * quantity)}</p>
  <button class="row-remove" type="button" data-remove ${key} aria-label="Remove ${product.title}">Remove</button></li>`;
}

export function sumRows(lines: readonly Line[], express = false): string {
  const { goods, delivery, total } = totalOf(lines, express);
  return `<dl class="sum"><div><dt>Goods</dt><dd>${euros(goods)}</dd></div><div><dt>${express ? 'Express delivery' : 'Delivery'}</dt><dd>${delivery === 0 ? 'Free' : euros(delivery)}</dd></div><div class="sum-total"><dt>Total <small>tax included</small></dt><dd>${euros(total)}</dd></div></dl>`;
}

export function filledCart(lines: readonly Line[]): string {
  const { goods } = totalOf(lines, false);
  const missing = freeFrom - goods;
  const hint = !isDeliveryFree(goods) ? `${euros(missing)} more and delivery is free` : 'Delivery is free';
  return `<ul class="rows">${lines.map(row).join('')}</ul>
<aside class="summary" aria-label="Summary"><h2>Summary</h2><p class="free"><label for="free">${hint}</label><progress id="free" max="${freeFrom}" value="${isDeliveryFree(goods) ? freeFrom : goods}"></progress></p>${sumRows(lines)}<a class="button button-full" href="/checkout/delivery" data-upriver="checkout">Go to checkout</a><p class="fine">${icon('lock')}Nothing is charged in this demonstration</p></aside>`;
}

export function emptyCart(): string {
  const liked = products.filter(({ badge }) => badge !== undefined).slice(0, 4);
  return `<div class="empty empty-cart"><svg viewBox="0 0 200 150" aria-hidden="true"><ellipse class="empty-shade" cx="104" cy="138" rx="64" ry="7"/><path class="empty-line" d="M46 50H150L142 120C141 131 134 137 124 137H72C62 137 55 131 54 120Z"/><path class="empty-line" d="M148 66C184 60 184 110 144 106"/><ellipse class="empty-line" cx="98" cy="50" rx="52" ry="9"/><path class="empty-line empty-steam" d="M84 30c-8-9 8-14 0-23M104 30c-8-9 8-14 0-23"/></svg>
<h2>Nothing in it yet</h2><p>An empty cup is a good beginning.</p><a class="button" href="/category/">Look around</a></div>
<section class="section empty-more" aria-labelledby="liked"><div class="section-head"><h2 id="liked">A place to start</h2></div>${grid(liked)}</section>`;
}
