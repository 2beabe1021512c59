// The page: its address as it may travel, its sizes, its device.
//
// Owns reading `location`, `document` and the window into the parts of a page view. Knows no
// elements and no recorder.

import { Bytes, TEXT_MAX, idBytes } from "./bytes.js";
import { whole } from "./element.js";
import { type Campaign, randomName, readQuery } from "./visit.js";

/** Short side from which a touch device is a tablet, CSS pixels. */
const TABLET_SHORT_SIDE = 600;

/** The campaign and the path of the address, with the allowed part of its query and with a route
 * that is kept in the fragment (`#/cart`). */
export function address(allowed: string[]): { campaign?: Campaign; path: string } {
  const { search, pathname, hash } = location;
  const { kept, ...landed } = readQuery(search, allowed);
  return { ...landed, path: pathname + kept + (/^#!?\/[^?]*/.exec(hash)?.[0] ?? "") };
}

/** A campaign, or that there is none, as the wire writes it. */
export const campaignBytes = (campaign?: Campaign): number[] =>
  campaign ? new Bytes().uint(1).names(...campaign).all : [0];

/** A page view as the recorder takes it: the bytes, and the lengths of their first three parts, 16 bits
 * each. `navigation`: 0 load, 1 route, 2 restore. */
export function view(navigation: number, path: string, release = ""): [number[], number] {
  const root = document.documentElement;
  const bytes = new Bytes();
  bytes.all = idBytes(randomName(8));
  const place = bytes.text(location.host, TEXT_MAX).text(path, TEXT_MAX).all.length;
  bytes.uint(device());
  for (const length of [innerWidth, innerHeight, root.scrollWidth, root.scrollHeight]) bytes.uint(whole(length));
  const sizes = bytes.all.length - place;
  const version = bytes.uint(Math.round(devicePixelRatio * 100) || 100).names(`${release}`).all.length - sizes - place;
  bytes
    .uint(navigation)
    .text(document.title, TEXT_MAX)
    .text(navigation ? "" : bare(document.referrer), TEXT_MAX)
    .names(navigator.language);
  return [bytes.all, place + sizes * 2 ** 16 + version * 2 ** 32];
}

// Host and path of an address.
const bare = (address: string) => /^[^:]*:\/\/([^?#]*)/.exec(address)?.[1] ?? "";

// 0 other, 1 desktop, 2 tablet, 3 phone.
function device(): number {
  if (matchMedia("(pointer:fine)").matches) return 1;
  if (!matchMedia("(pointer:coarse)").matches) return 0;
  return Math.min(screen.width, screen.height) >= TABLET_SHORT_SIDE ? 2 : 3;
}
