// Owns the cart: its lines in this browser's local storage, and what they cost. Refuses to know how it looks.
import { productOf, type FinishName } from './catalogue.ts';
import { forget, keep, recall } from './storage.ts';

export interface Line {
  readonly name: string;
  readonly finish: FinishName;
  readonly quantity: number;
}

/** Euro cents. */
export const freeFrom = 6000;
export const standardPrice = 490;
export const expressPrice = 990;

const key = 'brimwell.cart';
/** Kept with the tab while an offer of free delivery is accepted. */
const giftKey = 'brimwell.free-delivery';
const quantityMax = 20;
const linesMax = 40;

/** Fires on `window` after every change made in this tab. */
export const cartChanged = 'brimwell:cart';

function isLine(value: unknown): value is Line {
  if (typeof value !== 'object' || value === null) return false;
  const { name, finish, quantity } = value as Record<string, unknown>;
  const product = typeof name === 'string' ? productOf(name) : undefined;
  return (
    product !== undefined && product.finishes.some((known) => known === finish) &&
    Number.isInteger(quantity) && (quantity as number) >= 1 && (quantity as number) <= quantityMax
  );
}

/** The lines of the cart; what another version of the shop left behind and this one does not sell is dropped. */
export function readCart(): readonly Line[] {
  try {
    const stored: unknown = JSON.parse(recall(key) ?? '[]');
    return Array.isArray(stored) ? stored.filter(isLine).slice(0, linesMax) : [];
  } catch {
    // It holds no JSON: an empty cart is all we can offer.
    return [];
  }
}

function writeCart(lines: readonly Line[]): void {
  keep(key, JSON.stringify(lines));
  window.dispatchEvent(new Event(cartChanged));
}

/** Sets the quantity of one product in one finish by a difference; at zero the line goes. */
export function changeCart(name: string, finish: FinishName, by: number): void {
  const lines = readCart();
  const old = lines.find((line) => line.name === name && line.finish === finish);
  const quantity = Math.min(Math.max((old?.quantity ?? 0) + by, 0), quantityMax);
  const line = { name, finish, quantity };
  const changed = old === undefined ? [...lines, line] : lines.map((each) => (each === old ? line : each));
  writeCart(changed.filter((each) => each.quantity > 0).slice(0, linesMax));
}

/** Empties the cart after an order; an offer was for that order. */
export function emptyTheCart(): void {
  forget(giftKey, 'tab');
  writeCart([]);
}

/** Takes up the offer of free standard delivery for the next order of this tab. */
export const acceptFreeDelivery = (): void => keep(giftKey, 'yes', 'tab');

export const isDeliveryFree = (goods: number): boolean => goods >= freeFrom || recall(giftKey, 'tab') !== null;

export const countOf = (lines: readonly Line[]): number => lines.reduce((sum, { quantity }) => sum + quantity, 0);

export interface Total {
  readonly goods: number;
  readonly delivery: number;
  readonly total: number;
}

/** Euro cents. Delivery is free from `freeFrom` or by an offer, unless express. */
export function totalOf(lines: readonly Line[], express: boolean): Total {
  const goods = lines.reduce((sum, { name, quantity }) => sum + (productOf(name)?.price ?? 0) * quantity, 0);
  const delivery = express ? expressPrice : isDeliveryFree(goods) ? 0 : standardPrice;
  return { goods, delivery, total: goods + delivery };
}
