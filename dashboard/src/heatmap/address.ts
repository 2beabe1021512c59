// The address that shows the heat map on the real page.
//
// Owns: how a ticket is put into it. Refuses to know: where tickets come from.

/** Address of a page of the site with the overlay switched on. */
export function overlayAddress(baseUrl: string, page: string, ticket: string): string {
  return `${baseUrl.replace(/\/+$/, "")}${page.startsWith("/") ? page : `/${page}`}#upriver-overlay=${encodeURIComponent(ticket)}`;
}
