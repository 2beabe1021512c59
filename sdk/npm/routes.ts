// Tells when the address of the page may have changed without a load.
//
// Owns the one listener, or the patched history where there is no Navigation API. Does not know
// which changes matter.

/** Calls back after every change. */
export function onRoute(changed: () => void): void {
  const navigation = (window as { navigation?: EventTarget }).navigation;
  if (!navigation) {
    for (const name of ["pushState", "replaceState"] as const) {
      const original = history[name];
      history[name] = function (this: History, ...args) {
        original.apply(this, args);
        changed();
      };
    }
  }
  // `popstate` is also told when only the fragment changes.
  (navigation ?? window).addEventListener(navigation ? "currententrychange" : "popstate", changed, { capture: true, passive: true });
}
