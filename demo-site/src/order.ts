// Owns the last order of this browser, and the promise that it is reported as a conversion once. It holds no name,
// address or card: those never leave the form.
import { convert } from './analytics.ts';
import { readCart, totalOf, type Line } from './cart.ts';
import { keep, recall } from './storage.ts';

export interface Order {
  readonly number: string;
  /** Euro cents, delivery included. */
  readonly total: number;
  readonly express: boolean;
  readonly lines: readonly Line[];
  readonly isReported: boolean;
}

const key = 'brimwell.order';

export function placeOrder(express: boolean): Order {
  const lines = readCart();
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  const number = `BW-${(high * 2 ** 20 + (low >>> 12)).toString(36).toUpperCase().padStart(11, '0')}`;
  const order: Order = { number, total: totalOf(lines, express).total, express, lines, isReported: false };
  keep(key, JSON.stringify(order));
  return order;
}

export function lastOrder(): Order | undefined {
  try {
    const text = recall(key);
    return text === null ? undefined : (JSON.parse(text) as Order);
  } catch {
    return undefined;
  }
}

/** Reports the order unless it was reported before: a reload, a second tab or the back button say nothing twice. */
export function reportOnce(order: Order): void {
  if (order.isReported) return;
  convert('order', {
    value: order.total / 100,
    currency: 'EUR',
    order: order.number,
    props: { pieces: order.lines.reduce((sum, { quantity }) => sum + quantity, 0), express: order.express },
  });
  // Only after the call: had it thrown, the next visit of the page would report the order.
  keep(key, JSON.stringify({ ...order, isReported: true }));
}
