// Owns the way to Upriver: reads where to report to from the page and passes the shop's events on. A page without an
// endpoint is a shop without analytics, and nothing else changes.
import * as upriver from 'upriver';

const content = (name: string): string =>
  document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? '';

const endpoint = content('upriver-endpoint');
const key = content('upriver-key');
/** Version of the shop, which its events carry: what changed with it is shown beside what was before. */
const release = '1.0';
const isOn = endpoint !== '' && key !== '';

if (isOn) upriver.init({ endpoint, key, release });

export function track(...args: Parameters<typeof upriver.track>): void {
  if (isOn) upriver.track(...args);
}

export function convert(...args: Parameters<typeof upriver.convert>): void {
  if (isOn) upriver.convert(...args);
}

export function expose(...args: Parameters<typeof upriver.expose>): void {
  if (isOn) upriver.expose(...args);
}

/** Hears what is sent to this visitor's page: its name and what goes with it. */
export function onSignal(hear: (name: string, payload: unknown) => void): void {
  if (isOn) upriver.on('signal', ({ name, payload }) => hear(name, payload));
}
