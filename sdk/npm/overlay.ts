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

/** Loads the overlay from the collector and starts it; `path`: what the SDK reports as the page's.
 * By a script tag: not every bundler leaves an import alone whose address it cannot know. */
export function showOverlay(endpoint: string, ticket: string, path: () => string): Promise<void> {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.type = "module";
    script.src = `${endpoint}/overlay.js`;
    // The overlay tells where it starts with this event, once it has run.
    addEventListener("upriver-overlay", ({ detail: start }: CustomEventInit) => {
      start({ endpoint, ticket, path });
      done();
    }, { once: true });
    script.onerror = () => failed(`${script.src} could not be loaded`);
    document.head.append(script);
  });
}
