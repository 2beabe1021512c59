// Tells when the address of the page may have changed without a load.
//
// Owns the one listener, or the patched history where there is no Navigation API. Does not know
// which changes matter.

/** Calls back after every change; returns how to end that. */
export function onRoute(changed: () => void): () => void {
  const options = { capture: true, passive: true };
  const navigation = (window as { navigation?: EventTarget }).navigation;
  if (navigation) {
    navigation.addEventListener("currententrychange", changed, options);
    return () => navigation.removeEventListener("currententrychange", changed, options);
  }
  let listening = true;
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    // Others may patch over this one, so it is never taken out again, only silenced.
    history[name] = function (this: History, ...args) {
      original.apply(this, args);
      if (listening) changed();
    };
  }
  // Also told when only the fragment changes.
  window.addEventListener("popstate", changed, options);
  return () => {
    listening = false;
    window.removeEventListener("popstate", changed, options);
  };
}
