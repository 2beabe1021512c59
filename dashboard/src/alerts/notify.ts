// Telling who is not looking: the browser's own notifications.
//
// Owns: which alerts are new to this page. Refuses to know: what an alert looks like.

/** Ids that are remembered. */
const KNOWN_MAX = 1_000;

interface Opens {
  key: string;
  open: boolean;
}

/** Tells which of the open ones were not open at the call before; of the first call none is new. */
export function createNotifier(): <T extends Opens>(rows: T[]) => T[] {
  let known: Set<string> | undefined;
  return (rows) => {
    const open = rows.filter((row) => row.open).slice(0, KNOWN_MAX);
    const fresh = known ? open.filter((row) => !known?.has(row.key)) : [];
    known = new Set(open.map((row) => row.key));
    return fresh;
  };
}

/** Whether the browser would ask. */
export const mayAsk = (): boolean => "Notification" in globalThis && Notification.permission === "default";

/** Shows a notification where it is allowed. The same tag twice is one. */
export function notify(title: string, body: string, tag: string): void {
  if (!("Notification" in globalThis) || Notification.permission !== "granted") return;
  try {
    new Notification(title, { body, tag });
  } catch {
    // Phones want a service worker for this; the panel shows it all the same.
  }
}
