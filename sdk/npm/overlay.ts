// The heat map drawn over the page itself.
//
// Owns the ticket a dashboard put into the address, and what is loaded for it. The ticket comes from the
// address alone, the place the code is loaded from from the site's own configuration alone. Loaded by
// itself, where there is a ticket.

const MARK = /[#&]upriver-overlay=([\w.~-]+)/;

/** Takes the ticket out of the address, loads the overlay from the collector and starts it; `path`: what
 * the SDK reports as the page's. By a script tag: not every bundler leaves an import alone whose address
 * it cannot know. */
export function show(endpoint: string, path: () => string): Promise<void> {
  const [found, ticket] = MARK.exec(location.hash)!;
  const rest = location.hash.replace(found, "").replace(/^&/, "#");
  history.replaceState(history.state, "", location.pathname + location.search + rest);
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
