// Owns the titles that change without a page load.
import { categoryOf } from '../catalogue.ts';

export const categoryTitle = (name: string): string => `${categoryOf(name)?.title ?? 'Everything'} · Brimwell`;
