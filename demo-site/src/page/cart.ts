// Owns the cart page: draws the lines again after every change.
import { track } from '../analytics.ts';
import { cartChanged, changeCart, readCart } from '../cart.ts';
import type { FinishName } from '../catalogue.ts';
import { emptyCart, filledCart } from '../view/cart.ts';
import { find, startFrame } from './frame.ts';

const place = find<HTMLElement>('#cart');

/** Draws the cart, and gives the focus back to the button that was pressed, if it is still there. */
function draw(): void {
  const lines = readCart();
  const active = document.activeElement as HTMLElement | null;
  const { step, name, finish } = active?.dataset ?? {};
  place.innerHTML = lines.length === 0 ? emptyCart() : filledCart(lines);
  place.classList.toggle('cart-filled', lines.length > 0);
  if (name !== undefined) {
    const again = step === undefined ? null : place.querySelector<HTMLElement>(`[data-step="${step}"][data-name="${name}"][data-finish="${finish}"]`);
    (again ?? find<HTMLElement>('main')).focus({ preventScroll: true });
  }
}

place.addEventListener('click', (event) => {
  const button = (event.target as Element).closest<HTMLElement>('[data-name]');
  if (button === null) return;
  const { name = '', finish = '', step } = button.dataset;
  const line = readCart().find((each) => each.name === name && each.finish === finish);
  if (line === undefined) return;
  const by = step === undefined ? -line.quantity : Number(step);
  if (line.quantity + by <= 0) track('remove_from_cart', { product: name, finish });
  changeCart(name, finish as FinishName, by);
});

startFrame();
draw();
window.addEventListener(cartChanged, draw);
window.addEventListener('storage', draw);
window.addEventListener('pageshow', (event) => {
  if (event.persisted) draw();
});
