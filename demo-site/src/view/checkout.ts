// Owns the checkout form: two steps in one form, so that going back loses nothing.
import { euros, productOf, type Product } from '../catalogue.ts';
import { expressPrice, type Line } from '../cart.ts';
import { picture } from '../picture/index.ts';
import { finishTitle } from '../picture/material.ts';
import { tint } from './card.ts';
import { sumRows } from './cart.ts';
import { icon } from './icon.ts';

interface Field {
  readonly name: string;
  readonly label: string;
  readonly complete: string;
  readonly more?: string;
  readonly part?: 'half';
}

const field = ({ name, label, complete, more = '', part }: Field): string => `<div class="field${part === 'half' ? ' field-half' : ''}"><label for="${name}">${label}</label><input id="${name}" name="${name}" autocomplete="${complete}" required aria-describedby="${name}-error" ${more}><p class="field-error" id="${name}-error"></p></div>`;

const delivery = `<fieldset class="step" id="step-delivery" data-step="delivery"><legend><h1>Where should it go?</h1></legend>
  <div class="fields">
    ${field({ name: 'email', label: 'E-mail', complete: 'email', more: 'type="email" inputmode="email" maxlength="120"' })}
    ${field({ name: 'person', label: 'Full name', complete: 'name', more: 'maxlength="80"' })}
    ${field({ name: 'street', label: 'Street and number', complete: 'street-address', more: 'maxlength="120"' })}
    ${field({ name: 'postcode', label: 'Postcode', complete: 'postal-code', part: 'half', more: 'maxlength="12"' })}
    ${field({ name: 'city', label: 'City', complete: 'address-level2', part: 'half', more: 'maxlength="80"' })}
  </div>
  <fieldset class="choice"><legend>How fast?</legend>
    <label><input type="radio" name="speed" value="standard" checked><span><b>Standard</b> 2–4 working days</span><span class="choice-price">Free from €60</span></label>
    <label><input type="radio" name="speed" value="express"><span><b>Express</b> Next working day</span><span class="choice-price">${euros(expressPrice)}</span></label>
  </fieldset>
  <button class="button button-full" type="submit" data-upriver="to-payment">Continue to payment</button></fieldset>`;

const payment = `<fieldset class="step" id="step-payment" data-step="payment" hidden><legend><h1>How would you like to pay?</h1></legend>
  <div class="ship-to" data-upriver-private><p><span>Delivers to</span><span id="ship-to"></span></p><a href="/checkout/delivery" data-route>Change</a></div>
  <div class="fields">
    ${field({ name: 'card', label: 'Card number', complete: 'cc-number', more: 'inputmode="numeric" maxlength="23" placeholder="4242 4242 4242 4242"' })}
    ${field({ name: 'expiry', label: 'Valid until', complete: 'cc-exp', part: 'half', more: 'inputmode="numeric" maxlength="7" placeholder="MM / YY"' })}
    ${field({ name: 'code', label: 'Security code', complete: 'cc-csc', part: 'half', more: 'inputmode="numeric" maxlength="4" placeholder="123"' })}
  </div>
  <p class="notice">${icon('lock')}<span>Demonstration only. Please type the test number 4242 4242 4242 4242, never a real card. It stays in this page and goes nowhere.</span></p>
  <button class="button button-full" type="submit" id="pay" data-upriver="pay">Pay</button></fieldset>`;

export const checkoutPage = (): string => `<div class="wide checkout" id="checkout">
  <form class="checkout-form" novalidate data-upriver="checkout-form">
    <ol class="steps" aria-label="Steps"><li data-at="delivery" aria-current="step"><a href="/checkout/delivery" data-route>Delivery</a></li><li data-at="payment"><span>Payment</span></li><li><span>Done</span></li></ol>
    ${delivery}${payment}
  </form>
  <aside class="summary" aria-label="Your order"><details id="order-details" open><summary><h2>Your order</h2><span id="order-total"></span></summary><div id="order-lines"></div></details></aside>
</div>`;

export const orderLines = (lines: readonly Line[], express: boolean): string => `<ul class="mini-rows">${lines
  .map(({ name, finish, quantity }) => {
    const product = productOf(name) as Product;
    return `<li><span class="mini-picture ${tint(product)}">${picture(product, finish)}</span><span><b>${product.title}</b><br>${finishTitle[finish]} × ${quantity}</span><span class="row-price">${euros(product.price * quantity)}</span></li>`;
  })
  .join('')}</ul>${sumRows(lines, express)}`;
