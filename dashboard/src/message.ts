// What stands in a message of the collector, or nothing where it is not one.
//
// Owns: reading text from a live connection. Refuses to know: where it came from, what it changes.

import type { Update } from "./api";

/** A message on a connection with many resources. `tag` is the number or the address it was asked for by. */
export type Tagged =
  | { tag: number | string; update: Update<unknown> }
  | { tag: number | string; error: { status: number; message: string } };

/** An update, or nothing where the text is not one. */
export function parse<T>(text: string): Update<T> | undefined {
  return asUpdate<T>(read(text));
}

/** A tagged message, or nothing where the text is not one. */
export function parseTagged(text: string): Tagged | undefined {
  const said = read(text);
  const tag = said?.["id"] ?? said?.["watch"];
  if (!said || (typeof tag !== "number" && typeof tag !== "string")) return undefined;
  const update = asUpdate<unknown>(said["update"] as object | undefined);
  if (update) return { tag, update };
  const error = said["error"] as { status?: unknown; message?: unknown } | undefined;
  if (typeof error?.status !== "number" || typeof error.message !== "string") return undefined;
  return { tag, error: { status: error.status, message: error.message } };
}

function read(text: string): Record<string, unknown> | undefined {
  try {
    return (JSON.parse(text) as Record<string, unknown> | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function asUpdate<T>(given: object | undefined): Update<T> | undefined {
  const value = given as Partial<Update<T>> | undefined;
  const known = value && typeof value.seq === "number" && typeof value.data === "object" && value.data !== null
    && (value.type === "snapshot" || value.type === "delta");
  return known ? (value as Update<T>) : undefined;
}
