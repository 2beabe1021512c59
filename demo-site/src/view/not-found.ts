// Owns what is shown where there is nothing.
import { products } from '../catalogue.ts';
import { grid } from './card.ts';

export const notFoundPage = (headline: string): string => `<div class="wide"><div class="empty"><p class="eyebrow">404</p><h1>${headline}</h1><p>Put the water on again and begin at the shelf.</p><a class="button" href="/category/">See everything</a></div>
<section class="section" aria-labelledby="start"><div class="section-head"><h2 id="start">A place to start</h2></div>${grid(products.slice(0, 4))}</section></div>`;
