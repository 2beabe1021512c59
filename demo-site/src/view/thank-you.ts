// Owns the page after the order.
import type { Order } from '../order.ts';
import { products } from '../catalogue.ts';
import { grid } from './card.ts';
import { orderLines } from './checkout.ts';
import { icon } from './icon.ts';

/** The page before the browser has looked for an order. */
export const thankYouPage = (): string => `<div class="wide thanks" id="thanks"></div>`;

export function thanks({ number, lines, express }: Order): string {
  const bought = new Set(lines.map(({ name }) => name));
  const next = products.filter(({ name }) => !bought.has(name)).slice(0, 4);
  return `<div class="thanks-head"><span class="thanks-mark">${icon('check')}</span><h1>Thank you. The kettle is on.</h1>
<p class="lead">Order <b>${number}</b> is being packed. ${express ? 'It arrives on the next working day.' : 'It arrives in two to four working days.'}</p>
<p class="actions"><a class="button" href="/category/" data-upriver="keep-looking">Keep looking</a></p></div>
<section class="summary thanks-order" aria-labelledby="order-title"><h2 id="order-title">Your order</h2>${orderLines(lines, express)}</section>
<section class="section thanks-more" aria-labelledby="next"><div class="section-head"><h2 id="next">For next time</h2></div>${grid(next)}</section>`;
}

export const noOrder = `<div class="empty"><h1>No order here</h1><p>When you have placed one, this page will tell you about it.</p><a class="button" href="/category/">Look around</a></div>`;
