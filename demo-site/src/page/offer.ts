// Owns the offer that a hesitating visitor gets: shows what the signal says, and keeps what is accepted.
import { onSignal } from '../analytics.ts';
import { acceptFreeDelivery } from '../cart.ts';

interface Offer {
  readonly title: string;
  readonly text: string;
}

function isOffer(value: unknown): value is Offer {
  if (typeof value !== 'object' || value === null) return false;
  const { title, text } = value as Record<string, unknown>;
  return typeof title === 'string' && typeof text === 'string';
}

function part<K extends keyof HTMLElementTagNameMap>(name: K, className: string, text: string): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

function show({ title, text }: Offer): void {
  document.querySelector('.offer')?.remove();
  const offer = document.createElement('aside');
  offer.className = 'offer';
  offer.setAttribute('role', 'status');
  const accept = part('button', 'button button-full', 'Yes, please');
  const decline = part('button', 'offer-close', 'No, thank you');
  for (const button of [accept, decline]) button.type = 'button';
  accept.dataset['upriver'] = 'offer-accept';
  decline.dataset['upriver'] = 'offer-decline';
  const words = part('p', 'offer-text', text);
  accept.addEventListener('click', () => {
    acceptFreeDelivery();
    words.textContent = 'It is in your cart: delivery is free, as long as this tab is open.';
    accept.remove();
    decline.textContent = 'Close';
  });
  decline.addEventListener('click', () => offer.remove());
  offer.append(part('h2', 'offer-title', title), words, accept, decline);
  document.body.append(offer);
}

/** Shows offers while this page is open. */
export function startOffers(): void {
  onSignal((name, payload) => {
    if (name === 'offer' && isOffer(payload)) show(payload);
  });
}
