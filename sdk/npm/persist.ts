// Keeps the batches that are not acknowledged, so that another page can send them when this one is
// gone; and finds what pages that are gone have left.
//
// Owns the database, its bound, and whose batches these are. Knows neither what a batch holds nor how
// it travels. Where the browser refuses a database, nothing is kept and nothing else changes.

/** All of it is in one, so that a refusal can delete it (`forget` in visit.ts). */
export const DATABASE = "upriver";
/** Batches kept of all pages; beyond it those that matter least go, the oldest first. A batch is at
 * most a frame of the wire, and 24 KiB but for a single event beyond that. */
const KEPT_MAX = 200;
/** Batches of other pages taken on at a time. */
const ADOPTED_MAX = 16;
/** So many are written between two looks at what there is. */
const WRITES_BETWEEN = 20;

/** One batch, in the order in which they go when there are too many. */
interface Kept {
  /** Whether it matters more (1) than scrolls and the like (0), when it was written (Unix ms), its
   * number (of which `worth` is a part, see sdk/src/queue.rs), and its page's name. */
  key: [worth: number, time: number, number: number, page: string];
  bytes: Uint8Array;
  /** How far the clock of its events was ahead of the system's, ms. */
  ahead: number;
}

/** What is asked of the recorder. */
interface Owner {
  /** How far the clock of this page is ahead of the system's now, ms. */
  ahead(): number;
  /** Takes on a batch of a clock so much ahead of this page's, ms. Returns its number, 0: no room. */
  adopt(bytes: Uint8Array, number: number, later: number): number;
  /** So many events of other pages are gone. */
  lost(events: number): void;
  /** Batches were taken on. */
  settle(): void;
}

const done = <T>(request: IDBRequest<T>) =>
  new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = reject;
  });

/** Opens the database. */
export const opened = () =>
  new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("batches", { keyPath: "key" });
    opening.onsuccess = () => {
      const db = opening.result;
      // Whoever refuses has it deleted.
      db.onversionchange = () => db.close();
      resolve(db);
    };
    opening.onerror = reject;
  });

/** The database as a page uses it, none where nothing may be stored: its site's write key, and its own
 * name, used by no other. */
export function persist(
  opening: Promise<IDBDatabase> | undefined,
  site: string,
  name: string,
  { ahead, adopt, lost, settle }: Owner,
) {
  const page = `${site}.${name}`;
  /** What is in memory, by its number here. */
  const keys = new Map<number, Kept["key"]>();
  /** Pages whose batches are ours. */
  let claimed: Set<string>;
  let held: Promise<void>;
  let letGo = () => {};
  let db: IDBDatabase | undefined;
  /** Of this task: all it changes is one transaction. */
  let open: IDBObjectStore | undefined;
  /** What was asked before the database was open; none when it is, or was refused. */
  let early: (() => void)[] | undefined = [];
  let writes = 0;
  let adopted = 0;
  let more = false;
  let looking = false;

  const batches = (transaction = db!.transaction("batches", "readwrite")) => transaction.objectStore("batches");

  function change(how: (batches: IDBObjectStore) => void): void {
    if (!db) return void early?.push(() => change(how));
    try {
      if (!open) {
        open = batches();
        const { transaction } = open;
        queueMicrotask(() => {
          open = undefined;
          // Said at once: what is committed when the page next has time is lost with the page.
          transaction.commit();
        });
      }
      how(open);
    } catch {
      // Full or taken away: what there is lives as long as the page.
    }
  }

  // Whether nobody else sends the batches of that page; from now on they are ours. Without locks they
  // may be sent twice, and the collector counts them once.
  const claim = (name: string) =>
    new Promise<boolean>((known) => {
      const asked = navigator.locks?.request("upriver." + name, { ifAvailable: true }, (lock) => {
        known(!!lock);
        return lock ? held : undefined;
      });
      if (!asked) known(true);
      asked?.catch(() => known(true));
    });

  // Takes on what pages that are gone have left, and looks after the bound.
  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    try {
      more = false;
      const all = batches();
      const rows: Kept[] = await done(all.getAll());
      for (const { key } of rows.splice(0, rows.length - KEPT_MAX)) {
        all.delete(key);
        // Of what this page still has nothing is lost.
        if (key[3] !== page) lost(Math.floor(key[2] / 2) % 1024);
      }
      const here = new Set([...keys.values()].map(String));
      for (const { key, bytes, ahead: then } of rows.sort((a, b) => a.key[1] - b.key[1])) {
        const [, time, number, name] = key;
        // Another site's batches are not taken by this one's collector.
        if (name === page || !name.startsWith(site + ".") || here.has(String(key))) continue;
        if (!claimed.has(name) && !(await claim(name))) continue;
        claimed.add(name);
        // A clock that was set back since must not put events after their arrival.
        const later = then - ahead() + Math.max(time - Date.now(), 0);
        const taken = adopted < ADOPTED_MAX && adopt(bytes, number, later);
        more = !taken;
        if (!taken) break;
        adopted++;
        keys.set(taken, key);
      }
      settle();
    } catch {}
    looking = false;
  }

  function hold(here: boolean): void {
    letGo();
    claimed = new Set();
    if (!here) return;
    held = new Promise((resolve) => (letGo = resolve));
    claim(page);
    if (db) look();
  }

  function end(): void {
    db?.close();
    db = early = undefined;
    letGo();
  }

  if (opening) hold(true);
  Promise.resolve(opening).then(
    (opened) => {
      db = opened;
      if (!early || !db) return end();
      early.forEach((change) => change());
      early = undefined;
      look();
    },
    () => (early = undefined),
  );

  return {
    /** Keeps a batch of this page. */
    keep(number: number, bytes: Uint8Array): void {
      const key: Kept["key"] = [number % 2, Date.now(), number, page];
      const kept: Kept = { key, bytes, ahead: ahead() };
      keys.set(number, key);
      change((batches) => batches.put(kept));
      if (db && ++writes % WRITES_BETWEEN === 0) look();
    },
    /** Forgets a batch. */
    forget(number: number): void {
      const key = keys.get(number);
      if (!key) return;
      keys.delete(number);
      change((batches) => batches.delete(key));
      if (key[3] !== page && --adopted === 0 && more) look();
    },
    /** The page is put away, or back: what it keeps is, or is not, for others to send. */
    held(here: boolean): void {
      if (opening) hold(here);
    },
    /** Writes nothing more. */
    end,
  };
}
