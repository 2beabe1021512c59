// Owns the behaviour every page shares: the number on the cart, adding from a card, the search, the short message.
import { track } from '../analytics.ts';
import { cartChanged, changeCart, countOf, readCart } from '../cart.ts';
import { euros, productOf, search, type FinishName, type Product } from '../catalogue.ts';

const messageMs = 4000;
let messageTimer = 0;

export function find<T extends Element>(selector: string, within: ParentNode = document): T {
  const found = within.querySelector<T>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

function showCount(): void {
  const count = countOf(readCart());
  const link = document.querySelector('.cart-link');
  const badge = document.querySelector<HTMLElement>('.cart-count');
  if (link === null || badge === null) return;
  link.setAttribute('aria-label', count === 0 ? 'Cart, empty' : `Cart, ${count} ${count === 1 ? 'piece' : 'pieces'}`);
  badge.textContent = String(count);
  badge.hidden = count === 0;
}

function say(text: string): void {
  const toast = find<HTMLElement>('.toast');
  const link = document.createElement('a');
  link.href = '/cart';
  link.textContent = 'View cart';
  toast.replaceChildren(text, ' ', link);
  toast.classList.add('toast-shown');
  clearTimeout(messageTimer);
  messageTimer = window.setTimeout(() => toast.classList.remove('toast-shown'), messageMs);
}

/** Puts a product in the cart and reports it; the message is left out when the visitor goes to the cart anyway. */
export function addToCart(product: Product, finish: FinishName, quantity: number, isSilent = false): void {
  changeCart(product.name, finish, quantity);
  track('add_to_cart', { product: product.name, finish, quantity, price: product.price / 100, currency: 'EUR' });
  if (!isSilent) say(`${product.title}, ${euros(product.price * quantity)}, is in your cart.`);
}

function addFromCard(event: Event): void {
  const button = (event.target as Element).closest<HTMLElement>('[data-add]');
  const product = productOf(button?.dataset['add'] ?? '');
  if (product !== undefined) addToCart(product, product.finishes[0], 1);
}

function reportSearch(event: Event): void {
  const form = event.target as HTMLFormElement;
  if (!form.matches('.search')) return;
  const query = String(new FormData(form).get('q') ?? '').trim();
  if (query === '') event.preventDefault();
  else track('search', { query, results: search(query).length });
}

export function startFrame(): void {
  showCount();
  window.addEventListener(cartChanged, showCount);
  // Another tab changed the cart, or this page came back from the back/forward cache.
  window.addEventListener('storage', showCount);
  window.addEventListener('pageshow', showCount);
  document.addEventListener('click', addFromCard);
  document.addEventListener('submit', reportSearch);
}

/** How a strip moves when a button moves it. */
export const glide = (): ScrollBehavior => (matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth');

/** Follows a strip that scrolls sideways: tells which child is in front, after each scroll. */
export function watchStrip(strip: HTMLElement, moved: (at: number) => void): void {
  let isWaiting = false;
  strip.addEventListener(
    'scroll',
    () => {
      if (isWaiting) return;
      isWaiting = true;
      requestAnimationFrame(() => {
        isWaiting = false;
        moved(Math.round(strip.scrollLeft / Math.max(strip.clientWidth, 1)));
      });
    },
    { passive: true },
  );
}
