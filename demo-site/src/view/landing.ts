// Owns the front page. The bar of campaign links is there so that one can arrive as a visitor of a campaign would.
import { categories, inCategory, productOf, products, type Product } from '../catalogue.ts';
import { picture } from '../picture/index.ts';
import { grid, tint } from './card.ts';
import { icon } from './icon.ts';
import { bannerScene, heroScene } from './scene.ts';

export interface Arrival {
  readonly label: string;
  readonly source: string;
  readonly medium: string;
  readonly campaign: string;
  /** What the hero says to a visitor of this campaign. */
  readonly greeting: string;
}

export const arrivals: readonly Arrival[] = [
  { label: 'Newsletter', source: 'newsletter', medium: 'email', campaign: 'spring-sale', greeting: 'For our readers: the spring prices are on' },
  { label: 'Instagram', source: 'instagram', medium: 'social', campaign: 'reels-test', greeting: 'As seen in the reel: the slow pour set' },
  { label: 'Search ad', source: 'search', medium: 'cpc', campaign: 'gooseneck', greeting: 'Looking for a gooseneck? It is the green one' },
];

const address = ({ source, medium, campaign }: Arrival): string =>
  `/?utm_source=${source}&amp;utm_medium=${medium}&amp;utm_campaign=${campaign}`;

const arrivalBar = `<aside class="arrivals" aria-label="Demo: arrive from a campaign"><div class="wide">
  <span class="arrivals-title">Demo · arrive from</span>
  <ul>${arrivals.map((arrival) => `<li><a href="${address(arrival)}">${arrival.label} <b>${arrival.campaign}</b></a></li>`).join('')}<li><a href="/">Nowhere in particular</a></li></ul>
</div></aside>`;

const hero = `<section class="hero"><div class="wide">
  <div class="hero-text">
    <p class="eyebrow" id="greeting">The spring table</p>
    <h1>Good mornings are made slowly.</h1>
    <p class="lead">Kettles that pour where you aim, grinders that keep quiet, cups you will still like in ten years.</p>
    <p class="actions"><a class="button" href="/category/brewers" data-upriver="hero-shop">Shop brewers</a><a class="button button-quiet" href="/category/kettles" data-upriver="hero-kettles">Find your kettle</a></p>
  </div>
  <div class="hero-picture">${heroScene}</div>
</div></section>`;

function tile(name: string, title: string): string {
  const shown = inCategory(name);
  const product = (shown.find(({ badge }) => badge === 'Most gifted') ?? shown[0]) as Product;
  return `<li><a class="tile" href="/category/${name}"><span class="tile-picture ${tint(product)}">${picture(product, product.finishes[0])}</span><span class="tile-title">${title}</span></a></li>`;
}

const featured = ['heron-kettle', 'vale-dripper', 'loch-press', 'tern-grinder'].map((name) => productOf(name) as Product);

const measure = `<section class="measure-box wide" aria-labelledby="measure-title">
  <div><h2 id="measure-title">How much coffee is that?</h2>
    <p>Sixty grams to the litre is a good place to begin. Move the slider, weigh it out, and change it to taste tomorrow.</p></div>
  <form class="measure-form" data-upriver="measure">
    <label for="cups">Cups <output id="cups-shown" for="cups">2</output></label>
    <input id="cups" name="cups" type="range" min="1" max="8" value="2">
    <dl><div><dt>Coffee</dt><dd id="coffee-shown">30 g</dd></div><div><dt>Water</dt><dd id="water-shown">500 ml</dd></div><div><dt>Time</dt><dd id="time-shown">3:00</dd></div></dl>
  </form>
</section>`;

const promises = `<section class="promises wide" aria-label="What we promise"><ul>
  <li>${icon('truck')}<h3>Free delivery from €60</h3><p>Packed in paper, at your door in two to four days.</p></li>
  <li>${icon('back')}<h3>30 days to change your mind</h3><p>Brewed with it twice and not in love? Send it back.</p></li>
  <li>${icon('wrench')}<h3>Spare parts for ten years</h3><p>Glass, seals, burrs and handles, each for a few euros.</p></li>
</ul></section>`;

export function landingPage(): string {
  return `${arrivalBar}${hero}
<section class="section wide" aria-labelledby="by-kind"><h2 id="by-kind" class="unseen">Shop by kind</h2><ul class="tiles">${categories.map(({ name, title }) => tile(name, title)).join('')}</ul></section>
<section class="section wide" aria-labelledby="loved"><div class="section-head"><h2 id="loved">Loved this spring</h2><a href="/category/">All ${products.length} pieces ${icon('right')}</a></div>${grid(featured)}</section>
<section class="banner-section wide"><div class="banner"><div class="banner-text"><p class="eyebrow">New</p><h2>To the degree, and it stays there.</h2><p>Ridge holds any temperature from 40 to 100 °C for half an hour. One dial. No app.</p><a class="button button-light" href="/product/ridge-kettle" data-upriver="banner-ridge">Meet Ridge</a></div><div class="banner-picture">${bannerScene}</div></div></section>
${measure}${promises}`;
}
