// Owns the checkout: its two routes, its checks, and placing the order. What is typed stays in the form; only the
// delivery address is kept for a reload of this tab, and it goes when the order is placed.
import { track } from '../analytics.ts';
import { emptyTheCart, readCart, totalOf } from '../cart.ts';
import { euros } from '../catalogue.ts';
import { cardDigits, groupCard, groupExpiry, problemOf } from '../checks.ts';
import { placeOrder } from '../order.ts';
import { forget, keep, recall } from '../storage.ts';
import { emptyCart } from '../view/cart.ts';
import { orderLines } from '../view/checkout.ts';
import { find, startFrame } from './frame.ts';

type Step = 'delivery' | 'payment';
const draftKey = 'brimwell.address';
const kept = ['email', 'person', 'street', 'postcode', 'city'];

const form = find<HTMLFormElement>('.checkout-form');
const input = (name: string): HTMLInputElement => find(`#${name}`, form);
const isExpress = (): boolean => new FormData(form).get('speed') === 'express';
const fieldsOf = (step: Step): HTMLInputElement[] => [...form.querySelectorAll<HTMLInputElement>(`#step-${step} .field input`)];

/** Shows or clears the message of one field; true when it is in order. */
function check(field: HTMLInputElement): boolean {
  const problem = problemOf(field.name, field.value, new Date());
  find(`#${field.name}-error`).textContent = problem;
  field.setAttribute('aria-invalid', String(problem !== ''));
  return problem === '';
}

function isInOrder(step: Step): boolean {
  const wrong = fieldsOf(step).filter((field) => !check(field));
  wrong[0]?.focus();
  return wrong.length === 0;
}

const hasAddress = (): boolean => kept.every((name) => problemOf(name, input(name).value, new Date()) === '');

function drawOrder(): void {
  const lines = readCart();
  const total = euros(totalOf(lines, isExpress()).total);
  find('#order-lines').innerHTML = orderLines(lines, isExpress());
  find('#order-total').textContent = total;
  find('#pay').textContent = `Pay ${total}`;
}

function show(): void {
  const asked: Step = location.pathname.startsWith('/checkout/payment') ? 'payment' : 'delivery';
  const step: Step = asked === 'payment' && hasAddress() ? 'payment' : 'delivery';
  if (location.pathname !== `/checkout/${step}`) history.replaceState(null, '', `/checkout/${step}`);
  for (const fieldset of form.querySelectorAll<HTMLElement>('[data-step]')) fieldset.hidden = fieldset.dataset['step'] !== step;
  for (const item of form.querySelectorAll<HTMLElement>('[data-at]')) {
    if (item.dataset['at'] === step) item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
  }
  document.title = `${step === 'delivery' ? 'Delivery' : 'Payment'} · Brimwell`;
  find('#ship-to').textContent = ['person', 'street', 'postcode', 'city'].map((name) => input(name).value.trim()).join(', ');
  drawOrder();
}

function go(step: Step): void {
  history.pushState(null, '', `/checkout/${step}`);
  show();
  window.scrollTo({ top: 0 });
  find<HTMLElement>('main').focus({ preventScroll: true });
}

function submit(event: SubmitEvent): void {
  event.preventDefault();
  const step: Step = find<HTMLElement>('#step-payment').hidden ? 'delivery' : 'payment';
  if (!isInOrder(step)) {
    track('checkout_problem', { step });
    return;
  }
  if (step === 'delivery') {
    keep(draftKey, JSON.stringify(Object.fromEntries(kept.map((name) => [name, input(name).value]))), 'tab');
    go('payment');
    return;
  }
  find<HTMLButtonElement>('#pay').disabled = true;
  placeOrder(isExpress());
  emptyTheCart();
  forget(draftKey, 'tab');
  location.assign('/thank-you');
}

function restoreDraft(): void {
  try {
    const draft = JSON.parse(recall(draftKey, 'tab') ?? '{}') as Record<string, unknown>;
    for (const name of kept) {
      const text = draft[name];
      if (typeof text === 'string' && input(name).value === '') input(name).value = text;
    }
  } catch {
    // A broken draft is an empty form.
  }
}

function start(): void {
  restoreDraft();
  const details = find<HTMLDetailsElement>('#order-details');
  if (matchMedia('(max-width: 59.99rem)').matches) details.open = false;
  form.addEventListener('submit', submit);
  form.addEventListener('change', (event) => {
    if ((event.target as HTMLInputElement).name === 'speed') drawOrder();
  });
  // A message goes while one types, never on leaving the field: the button below would move from under the pointer.
  form.addEventListener('input', (event) => {
    const field = event.target as HTMLInputElement;
    if (field.getAttribute('aria-invalid') === 'true') check(field);
  });
  input('card').addEventListener('input', (event) => {
    const field = event.target as HTMLInputElement;
    // Grouping while someone edits in the middle would move the caret away.
    if (field.selectionStart === field.value.length) field.value = groupCard(cardDigits(field.value));
  });
  input('expiry').addEventListener('input', (event) => {
    const { inputType } = event as InputEvent;
    const field = event.target as HTMLInputElement;
    if (!inputType.startsWith('delete')) field.value = groupExpiry(field.value);
  });
  form.addEventListener('click', (event) => {
    const link = (event.target as Element).closest<HTMLAnchorElement>('a[data-route]');
    if (link === null) return;
    event.preventDefault();
    if (link.pathname !== location.pathname) go('delivery');
  });
  window.addEventListener('popstate', show);
  show();
}

function begin(): void {
  if (readCart().length > 0) return start();
  const place = find<HTMLElement>('#checkout');
  place.className = 'wide cart';
  place.innerHTML = emptyCart();
}

startFrame();
begin();
// The back button after an order finds a page from the cache whose cart is gone.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
