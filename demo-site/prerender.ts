// Owns the step that turns the empty HTML entries into complete pages at build time, so that a visitor sees the
// shop before any script has run. Refuses to know what a page says: that is src/view.
import type { Plugin } from 'vite';
import { categories, products } from './src/catalogue.ts';
import { renderPage, type Route } from './src/view/page.ts';

/** Which page an address shows; `path` as the browser asks for it, without query. */
export function routeOf(path: string): Route {
  const [kind = '', name = ''] = path.replace(/(index)?\.html$/, '').split('/').filter(Boolean);
  switch (kind) {
    case '':
      return { page: 'landing' };
    case 'category':
      return { page: 'category', name };
    case 'product':
      return { page: 'product', name };
    case 'cart':
    case 'checkout':
    case 'thank-you':
      return { page: kind };
    default:
      return { page: 'not-found' };
  }
}

const slot = { title: /<title>[^]*<\/title>/, description: '<!--description-->', body: '<!--body-->' };

function fill(html: string, route: Route): string {
  const { title, description, body } = renderPage(route);
  return html
    .replace(slot.title, () => `<title>${title}</title>`)
    .replace(slot.description, () => `<meta name="description" content="${description}">`)
    .replace(slot.body, () => body);
}

/** The prerendered copies of a fallback page: one per filter, one per product. */
function addresses(): { entry: string; path: string }[] {
  return [
    ...categories.map(({ name }) => ({ entry: 'category/index.html', path: `category/${name}/index.html` })),
    ...products.map(({ name }) => ({ entry: 'product/index.html', path: `product/${name}/index.html` })),
  ];
}

/**
 * The Vite plugin. The dev server fills the page it is asked for; a build keeps the entries as templates until the
 * end and then writes every address once.
 */
export function prerender(): Plugin {
  let isBuild = false;
  return {
    name: 'shop-prerender',
    enforce: 'post',
    configResolved(config) {
      isBuild = config.command === 'build';
    },
    configureServer(server) {
      server.middlewares.use((request, _response, next) => {
        const path = (request.url ?? '/').split('?')[0] ?? '/';
        const kind = /^\/(category|product|checkout|cart|thank-you)(\/[\w-]*)*$/.exec(path)?.[1];
        if (kind !== undefined) request.url = `/${kind}/index.html`;
        next();
      });
    },
    transformIndexHtml(html, context) {
      return isBuild ? html : fill(html, routeOf((context.originalUrl ?? context.path).split('?')[0] ?? '/'));
    },
    generateBundle(_options, bundle) {
      const template = (path: string): string => {
        const asset = bundle[path];
        if (asset?.type !== 'asset') throw new Error(`prerender: the build made no ${path}; is it an entry in vite.config.ts?`);
        return String(asset.source);
      };
      for (const { entry, path } of addresses()) {
        this.emitFile({ type: 'asset', fileName: path, source: fill(template(entry), routeOf(`/${path}`)) });
      }
      for (const [path, asset] of Object.entries(bundle)) {
        if (asset.type === 'asset' && path.endsWith('.html')) asset.source = fill(String(asset.source), routeOf(`/${path}`));
      }
    },
  };
}
