// Owns the shop's access to the browser's storage. Where the browser refuses it, the shop works until the page is left.

const memory = new Map<string, string>();

/** How long a text is kept: over visits, or until the tab is closed. */
export type Span = 'visits' | 'tab';

// A getter, because merely naming the storage throws in a page that is framed without it.
const storageOf = (span: Span): Storage => (span === 'tab' ? sessionStorage : localStorage);

export function recall(key: string, span: Span = 'visits'): string | null {
  try {
    return storageOf(span).getItem(key) ?? memory.get(key) ?? null;
  } catch {
    return memory.get(key) ?? null;
  }
}

export function keep(key: string, text: string, span: Span = 'visits'): void {
  try {
    storageOf(span).setItem(key, text);
  } catch {
    // Refused, or the quota is full.
    memory.set(key, text);
  }
}

export function forget(key: string, span: Span = 'visits'): void {
  memory.delete(key);
  try {
    storageOf(span).removeItem(key);
  } catch {
    // Refused: then nothing was kept there either.
  }
}
