// Owns the category page's routes (`/category/kettles`, `/category/?q=mug`) and its gallery. A change of route is a
// push to the history and a new grid; the page is never loaded again.
import { track } from '../analytics.ts';
import { categoryOf, inCategory, search } from '../catalogue.ts';
import { countText, results, sorted, sorts, type Sort } from '../view/category.ts';
import { categoryTitle } from '../view/page-title.ts';
import { find, glide, startFrame } from './frame.ts';

const sort = find<HTMLSelectElement>('#sort');

function show(): void {
  const name = location.pathname.split('/')[2] ?? '';
  const query = new URLSearchParams(location.search).get('q')?.trim() ?? '';
  const category = categoryOf(name);
  const order = (sort.value in sorts ? sort.value : 'ours') as Sort;
  const shown = sorted(query === '' ? inCategory(name) : search(query), order);
  document.title = query === '' ? categoryTitle(name) : 'Search · Brimwell';
  find('#category-title').textContent = query === '' ? (category?.title ?? 'Everything') : `“${query}”`;
  find('#category-line').textContent = query === '' ? (category?.line ?? 'All we make, on one table.') : 'What we found on the shelf.';
  find('#result-count').textContent = countText(shown.length);
  find('#results').innerHTML = results(shown);
  for (const chip of document.querySelectorAll<HTMLElement>('[data-filter]')) {
    if (query === '' && chip.dataset['filter'] === (category?.name ?? '')) chip.setAttribute('aria-current', 'page');
    else chip.removeAttribute('aria-current');
  }
}

function go(address: string): void {
  history.pushState(null, '', address);
  show();
}

function followFilter(event: MouseEvent): void {
  const link = (event.target as Element).closest<HTMLAnchorElement>('a[data-filter]');
  // A press that asks for a new tab or window stays the browser's.
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  if (link.pathname !== location.pathname || location.search !== '') go(link.href);
}

function searchHere(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  if (!form.matches('.search') || event.defaultPrevented) return;
  event.preventDefault();
  document.querySelector<HTMLElement>('#menu:popover-open')?.hidePopover();
  go(`/category/?q=${encodeURIComponent(String(new FormData(form).get('q') ?? '').trim())}`);
  find('#results').scrollIntoView({ block: 'nearest' });
}

function startGallery(): void {
  const strip = find<HTMLElement>('.slides');
  const [back, on] = ['back', 'on'].map((way) => find<HTMLButtonElement>(`[data-gallery="${way}"]`)) as [HTMLButtonElement, HTMLButtonElement];
  const step = (way: number): void => {
    const slide = find<HTMLElement>('.slide', strip);
    strip.scrollBy({ left: way * (slide.offsetWidth + 16), behavior: glide() });
  };
  const edges = new IntersectionObserver(
    (entries) => {
      for (const { target, intersectionRatio } of entries) {
        (target === strip.firstElementChild ? back : on).disabled = intersectionRatio > 0.95;
      }
    },
    { root: strip, threshold: [0, 0.95, 1] },
  );
  for (const edge of [strip.firstElementChild, strip.lastElementChild]) if (edge !== null) edges.observe(edge);
  back.addEventListener('click', () => step(-1));
  on.addEventListener('click', () => step(1));
}

startFrame();
startGallery();
document.addEventListener('click', followFilter);
document.addEventListener('submit', searchHere);
window.addEventListener('popstate', show);
sort.addEventListener('change', () => {
  track('sort', { by: sort.value });
  show();
});
// The prerendered page shows a category as it is; a query, an old sort choice or an unknown name need drawing.
if (location.search.includes('q=') || sort.value !== 'ours') show();
