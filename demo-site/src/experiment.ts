// Owns the experiment `buy-button`: which variant this visitor sees. `?variant=green` or `?variant=orange` sets it.
import { keep, recall } from './storage.ts';

export const experiment = 'buy-button';
const variants = ['green', 'orange'] as const;
export type Variant = (typeof variants)[number];

const key = 'brimwell.variant';
const isVariant = (value: string | null): value is Variant => variants.some((variant) => variant === value);

/** The same answer for one visitor on every page and every visit, as long as the browser keeps storage. */
export function variantOfVisitor(): Variant {
  const asked = new URLSearchParams(location.search).get('variant');
  const kept = recall(key);
  const drawn: Variant = (crypto.getRandomValues(new Uint8Array(1))[0] ?? 0) % 2 === 0 ? 'green' : 'orange';
  const variant = isVariant(asked) ? asked : isVariant(kept) ? kept : drawn;
  keep(key, variant);
  return variant;
}
