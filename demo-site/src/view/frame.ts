// Owns what surrounds every page: header, navigation, search, cart link, footer.
import { categories } from '../catalogue.ts';
import { icon } from './icon.ts';

const mark = `<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" fill="currentColor"/><path class="mark-cup" d="M7 11h18c0 8-2 14-9 14S7 19 7 11Z"/><path d="M7 11c3-3 6 1 9-1s6-2 9 1z" fill="#e2b07a"/></svg>`;

const links = categories.map(({ name, title }) => `<li><a href="/category/${name}">${title}</a></li>`).join('');

const searchForm = (place: string): string => `<form class="search" role="search" action="/category/" data-upriver="search-${place}">
  <label class="unseen" for="search-${place}">Search the shop</label>
  <input id="search-${place}" name="q" type="search" placeholder="Search the shop" autocomplete="off" maxlength="60">
  <button class="icon-button" aria-label="Search">${icon('search')}</button>
</form>`;

function header(isCheckout: boolean): string {
  const brand = `<a class="brand" href="/" aria-label="Brimwell, home">${mark}<span>Brimwell</span></a>`;
  if (isCheckout) {
    return `<header class="top top-plain"><div class="wide">${brand}<a class="top-back" href="/cart">${icon('left')}Back to cart</a></div></header>`;
  }
  return `<header class="top"><div class="wide">
    <button class="icon-button menu-button" popovertarget="menu" aria-label="Menu">${icon('menu')}</button>
    ${brand}
    <nav class="top-links" aria-label="Shop"><ul>${links}</ul></nav>
    ${searchForm('header')}
    <a class="icon-button cart-link" href="/cart" data-upriver="cart" aria-label="Cart, empty">${icon('cart')}<span class="cart-count" aria-hidden="true" hidden></span></a>
  </div></header>
  <div class="menu" id="menu" popover>
    <div class="menu-head"><span>Menu</span><button class="icon-button" popovertarget="menu" popovertargetaction="hide" aria-label="Close the menu">${icon('close')}</button></div>
    ${searchForm('menu')}
    <nav aria-label="Menu"><ul>${links}<li><a href="/category/">Everything</a></li></ul></nav>
  </div>`;
}

const footer = `<footer class="foot"><div class="wide">
  <div class="foot-brand"><a class="brand" href="/">${mark}<span>Brimwell</span></a>
    <p>Tools for slow mornings. Made to be used daily, repaired once in a while and kept.</p></div>
  <nav aria-label="Footer"><h2>Shop</h2><ul>${links}</ul></nav>
  <div><h2>Good to know</h2><ul><li>Free delivery from €60</li><li>30 days to change your mind</li><li>Spare parts for ten years</li></ul></div>
  <p class="foot-note">Brimwell is a demonstration shop: the goods are drawn, nothing is charged and nothing is sent.</p>
</div></footer>`;

const plainFooter = `<footer class="foot foot-plain"><div class="wide"><p class="foot-note">Brimwell is a demonstration shop: nothing is charged and nothing is sent.</p></div></footer>`;

/** The body of a page around its `main` content. */
export function frame(page: string, main: string): string {
  const isCheckout = page === 'checkout';
  return `<body class="page-${page}">
<a class="skip" href="#main">Skip to content</a>
${header(isCheckout)}
<main id="main" tabindex="-1">${main}</main>
${isCheckout ? plainFooter : footer}
<div class="toast" role="status" aria-live="polite"></div>
</body>`;
}
