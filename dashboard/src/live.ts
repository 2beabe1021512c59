// Live resources as Solid state: what a view reads, and how true it is right now.
//
// Owns: the page's one live connection, and on it a subscription per resource and address, moved
// when the address changes. Refuses to know: how messages combine or connections are kept (merge.ts,
// subscribe.ts), what views look like.

import { createEffect, createMemo, createSignal, onCleanup, type Accessor } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import { liveUrl, type ResourceName } from "./api";
import { merge, type Held } from "./merge";
import { browser } from "./outside";
import { Line, type Subscription } from "./subscribe";
import type { Link } from "./watched";

const line = new Line(browser, merge);

/** One live resource. */
export interface Live<T> {
  /** Undefined until the first snapshot. */
  data: Accessor<T | undefined>;
  link: Accessor<Link>;
  /** Try again now. */
  retry(): void;
}

/** Subscribes to a resource as long as `params` gives an address; undefined means: to nothing. */
export function createLive<N extends ResourceName>(
  name: N,
  params: Accessor<Record<string, string | undefined> | undefined>,
): Live<Held[N]> {
  const [store, setStore] = createStore<{ held: Held[N] | undefined }>({ held: undefined });
  const [link, setLink] = createSignal<Link>({ kind: "connecting" });
  const url = createMemo(() => {
    const given = params();
    return given && liveUrl(name, given);
  });
  let subscription: Subscription | undefined;

  createEffect(() => {
    const address = url();
    // Numbers of another page, site or filter must not stand under the new heading.
    setStore("held", undefined as never);
    if (!address) return;
    subscription = line.subscribe(name, address, {
      data: (held) => setStore("held", reconcile(held, { key: "key" }) as never),
      link: setLink,
    });
    onCleanup(() => {
      subscription?.close();
      subscription = undefined;
    });
  });

  return { data: () => store.held as Held[N] | undefined, link, retry: () => subscription?.retry() };
}
