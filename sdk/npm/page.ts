// The page: its address as it may travel, its sizes, its device.
//
// Owns reading `location`, `document` and the window into the parts of a page view. Knows no
// elements and no recorder.

import { Bytes, TEXT_MAX } from "./bytes.js";
import { whole } from "./element.js";
import { type Campaign, readQuery } from "./visit.js";

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

/** A page view in the parts the recorder takes: the bytes, and where each part but the last ends.
 * `navigation`: 0 load, 1 route, 2 restore. */
export function view(navigation: number, path: string, campaign?: Campaign): [number[], ...number[]] {
  const root = document.documentElement;
  const place = new Bytes().text(location.host, TEXT_MAX).text(path, TEXT_MAX).all;
  const brought = campaignBytes(campaign);
  const sizes = new Bytes()
    .uint(device())
    .uint(whole(innerWidth))
    .uint(whole(innerHeight))
    .uint(whole(root.scrollWidth))
    .uint(whole(root.scrollHeight)).all;
  const rest = new Bytes()
    .uint(navigation)
    .text(document.title, TEXT_MAX)
    .text(navigation ? "" : bare(document.referrer), TEXT_MAX)
    .names(navigator.language).all;
  const first = place.length;
  const second = first + brought.length;
  const version = new Bytes().names("").all;
  const third = second + sizes.length;
  return [[...place, ...brought, ...sizes, ...version, ...rest], first, second, third, third + version.length];
}

// Host and path of an address.
const bare = (address: string) => /^[^:]*:\/\/([^?#]*)/.exec(address)?.[1] ?? "";

// 0 other, 1 desktop, 2 tablet, 3 phone.
function device(): number {
  if (matchMedia("(pointer:fine)").matches) return 1;
  if (!matchMedia("(pointer:coarse)").matches) return 0;
  return Math.min(screen.width, screen.height) >= TABLET_SHORT_SIDE ? 2 : 3;
}
