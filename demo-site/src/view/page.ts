// Owns the list of pages: what each address shows, and under which title. Strings in, strings out: it runs at build
// time and in the browser alike, and so refuses to touch a document.
import { productOf, categoryOf } from '../catalogue.ts';
import { cartPage } from './cart.ts';
import { categoryPage } from './category.ts';
import { checkoutPage } from './checkout.ts';
import { frame } from './frame.ts';
import { landingPage } from './landing.ts';
import { notFoundPage } from './not-found.ts';
import { categoryTitle } from './page-title.ts';
import { productPage } from './product.ts';
import { thankYouPage } from './thank-you.ts';

export type Route =
  | { readonly page: 'landing' | 'cart' | 'checkout' | 'thank-you' | 'not-found' }
  | { readonly page: 'category' | 'product'; readonly name: string };

export interface Rendered {
  readonly title: string;
  readonly description: string;
  /** The whole `<body>` element. */
  readonly body: string;
}

const shopLine = 'Kettles, brewers, grinders and cups for people who take their time. Spare parts for ten years.';


export function renderPage(route: Route): Rendered {
  const page = (title: string, main: string, description = shopLine): Rendered => ({
    title,
    description,
    body: frame(route.page, main),
  });
  switch (route.page) {
    case 'landing':
      return page('Brimwell · Coffee and kitchen, slowly made', landingPage());
    case 'category':
      return page(categoryTitle(route.name), categoryPage(route.name), categoryOf(route.name)?.line);
    case 'product': {
      const product = productOf(route.name);
      if (product === undefined) return page('Not found · Brimwell', notFoundPage('We do not carry that any more.'));
      return page(`${product.title} · Brimwell`, productPage(product), product.line);
    }
    case 'cart':
      return page('Your cart · Brimwell', cartPage());
    case 'checkout':
      return page('Checkout · Brimwell', checkoutPage());
    case 'thank-you':
      return page('Thank you · Brimwell', thankYouPage());
    case 'not-found':
      return page('Not found · Brimwell', notFoundPage('This page has gone cold.'));
  }
}
