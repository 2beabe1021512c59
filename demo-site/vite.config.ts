// Owns how the shop is built: one HTML entry per kind of page, prerendered. Knows nothing of any page's content.
import { resolve } from 'node:path';
import { defineConfig } from 'vite';
import { prerender } from './prerender.ts';

const entries = [
  'index.html',
  'category/index.html',
  'product/index.html',
  'cart/index.html',
  'checkout/index.html',
  'thank-you/index.html',
  '404.html',
];

export default defineConfig({
  appType: 'mpa',
  plugins: [prerender()],
  build: {
    target: 'es2022',
    // The polyfill is for browsers that the target above already leaves out.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: { input: entries.map((entry) => resolve(import.meta.dirname, entry)) },
  },
});
