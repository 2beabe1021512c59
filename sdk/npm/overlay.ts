// The heat map drawn over the page itself.
//
// Owns recognising the ticket a dashboard put into the address. The ticket comes from the address
// alone, the place the code is loaded from from the site's own configuration alone.

const MARK = /[#&]upriver-overlay=([\w.~-]+)/;

/** The ticket in the address, which it is then removed from. */
export function takeTicket(): string | undefined {
  const found = MARK.exec(location.hash);
  if (!found) return undefined;
  const rest = location.hash.replace(found[0], "").replace(/^&/, "#");
  history.replaceState(history.state, "", location.pathname + location.search + rest);
  return found[1];
}

/** Loads the overlay from the collector and starts it; `path`: what the SDK reports as the page's. */
export async function showOverlay(
  endpoint: string,
  ticket: string,
  path: () => string,
): Promise<void> {
  const url = `${endpoint}/overlay.js`;
  // A bundler must leave this import alone.
  const overlay = await import(/* webpackIgnore: true */ /* @vite-ignore */ url);
  overlay.start({ endpoint, ticket, path });
}
