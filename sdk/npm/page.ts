// The page: its address as it may travel, its sizes, its device.
//
// Owns reading `location`, `document` and the window into the parts of a page view. Knows no
// elements and no recorder.

import { bytes, idBytes, text } from "./bytes.js";
import { whole } from "./element.js";
import { type Campaign, randomName, readQuery } from "./visit.js";

/** Short side from which a touch device is a tablet, CSS pixels. */
const TABLET_SHORT_SIDE = 600;

/** The campaign and the path of the address, with the allowed part of its query and with a route
 * that is kept in the fragment (`#/cart`). */
export function address(allowed: string[]): [path: string, campaign: Campaign | undefined] {
  const { search, pathname, hash } = location;
  const { kept, campaign } = readQuery(search, allowed);
  return [pathname + kept + (/^#!?\/[^?]*/.exec(hash)?.[0] ?? ""), campaign];
}

/** A page view as the recorder takes it: the bytes, and the lengths of their first three parts, 16 bits
 * each. `navigation`: 0 load, 1 route, 2 restore. */
export function view(navigation: number, path: string, release = ""): [number[], number] {
  const { scrollWidth, scrollHeight } = document.documentElement;
  const parts = [
    [...idBytes(randomName(8)), ...text(location.host), ...text(path)],
    bytes(device(), ...[innerWidth, innerHeight, scrollWidth, scrollHeight].map(whole)),
    bytes(Math.round(devicePixelRatio * 100) || 100, `${release}`),
    [navigation, ...text(document.title), ...text(navigation ? "" : bare(document.referrer)), ...bytes(navigator.language)],
  ];
  return [parts.flat(), parts.slice(0, 3).reduceRight((all, { length }) => all * 2 ** 16 + length, 0)];
}

// Host and path of an address.
const bare = (address: string) => /^[^:]*:\/\/([^?#]*)/.exec(address)?.[1] ?? "";

// 0 other, 1 desktop, 2 tablet, 3 phone.
function device(): number {
  if (matchMedia("(pointer:fine)").matches) return 1;
  if (!matchMedia("(pointer:coarse)").matches) return 0;
  return Math.min(screen.width, screen.height) >= TABLET_SHORT_SIDE ? 2 : 3;
}
