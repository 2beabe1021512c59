// Keeps the batches that are not acknowledged, so that another page can send them when this one is
// gone; and finds what pages that are gone have left.
//
// Owns the database, its bound, and whose batches these are. Knows neither what a batch holds nor how
// it travels. Where the browser refuses a database, nothing is kept and nothing else changes.

import { latin1 } from "./bytes.js";
import { give, now, options, recorder, settle, turn } from "./core.js";
import { DATABASE, OURS } from "./visit.js";
import { Kind } from "./wasm.js";

/** Batches kept of all pages; beyond it those that matter least go, the oldest first. A batch is at
 * most a frame of the wire, and 24 KiB but for a single event beyond that. */
const KEPT_MAX = 200;
/** Batches of other pages taken on at a time. */
const ADOPTED_MAX = 16;
/** So many are written between two looks at what there is. */
const WRITES_BETWEEN = 20;
/** Batches set down by a page that goes, at most: the newest of those not written for certain. */
const SET_DOWN_MAX = 16;
/** What a page that goes sets down is kept under this and its name. */
const SET_DOWN = OURS + "left.";

/** One batch, in the order in which they go when there are too many. */
interface Kept {
  /** Whether it matters more (1) than scrolls and the like (0), when it was written (Unix ms), its
   * number (of which `worth` is a part, see sdk/src/queue.rs), and its page's name. */
  key: [worth: number, time: number, number: number, page: string];
  bytes: Uint8Array;
  /** How far the clock of its events was ahead of the system's, ms. */
  ahead: number;
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

/** What is in memory, by its number here. */
let keys: Map<number, Kept["key"]>;
/** This page's site and name, and pages whose batches are ours. */
let page: string;
let claimed: Set<string>;
/** Of those, what is not known to be in the database. */
let unsure: Map<number, Kept>;
let setDown: boolean;
/** Whether there is, or will be, a database. */
let may: boolean;
let db: IDBDatabase | undefined;
let letGo = () => {};
let lock: Promise<void>;
/** Of this task: all it changes is one transaction, and the numbers of what that writes. */
let open: IDBObjectStore | undefined;
let written: number[];
/** What was asked before the database was open; none when it is, or was refused. */
let early: (() => void)[] | undefined;
let writes: number;
let adopted: number;
let more: boolean;
let looking = false;
/** Events of other pages that are gone. */
let gone: number;

/** Events of other pages that are gone. */
export const lost = (): number => gone;

/** Uses a database, none where nothing may be stored, under a name that is used by no other page. */
export function begin(opening: Promise<IDBDatabase> | undefined, name: string): void {
  keys = new Map();
  unsure = new Map();
  setDown = false;
  page = `${options.key}.${name}`;
  may = !!opening;
  early = opening && [];
  writes = adopted = gone = 0;
  more = false;
  if (!opening) return;
  held(true);
  const mine = turn;
  opening.then(
    (opened) => {
      if (mine !== turn) return opened.close();
      db = opened;
      const changes = early!;
      early = undefined;
      changes.forEach(change);
      look();
    },
    () => mine === turn && (early = undefined),
  );
}

const batches = () => db!.transaction("batches", "readwrite").objectStore("batches");

function change(how: (batches: IDBObjectStore) => void): void {
  if (!db) return void early?.push(how as () => void);
  try {
    if (!open) {
      const { transaction } = (open = batches());
      const numbers: number[] = (written = []);
      transaction.oncomplete = () => numbers.forEach(sure);
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
    const asked = navigator.locks?.request("upriver." + name, { ifAvailable: true }, (granted) => {
      known(!!granted);
      return granted ? lock : undefined;
    });
    if (!asked) known(true);
    asked?.catch(() => known(true));
  });

// Takes on what pages that are gone have left, and looks after the bound.
async function look(): Promise<void> {
  if (looking) return;
  looking = true;
  try {
    const mine = turn;
    more = false;
    const all = batches();
    const down = Object.keys(localStorage).filter((key) => key.startsWith(SET_DOWN) && key !== SET_DOWN + page);
    down.forEach((key) => take(localStorage[key], all));
    all.transaction.oncomplete = () => down.forEach((key) => localStorage.removeItem(key));
    const rows: Kept[] = await done(all.getAll());
    for (const { key } of rows.splice(0, rows.length - KEPT_MAX)) {
      all.delete(key);
      // Of what this page still has nothing is lost.
      if (key[3] !== page) gone += Math.floor(key[2] / 2) % 1024;
    }
    const here = new Set([...keys.values()].map(String));
    for (const { key, bytes, ahead } of rows.sort((a, b) => a.key[1] - b.key[1])) {
      const [, time, number, name] = key;
      // Another site's batches are not taken by this one's collector.
      if (name === page || !name.startsWith(options.key + ".") || here.has(String(key))) continue;
      if (!claimed.has(name) && !(await claim(name))) continue;
      if (mine !== turn) break;
      claimed.add(name);
      more = adopted >= ADOPTED_MAX;
      if (more) break;
      give(bytes);
      // A clock that was set back since must not put events after their arrival.
      const taken = recorder(Kind.ADOPT, ahead - clockAhead() + Math.max(time - Date.now(), 0), number);
      more = !taken;
      if (more) break;
      adopted++;
      keys.set(taken, key);
    }
    settle();
  } catch {}
  looking = false;
}

// Writes down properly what a page that is gone has set down.
function take(text: string, all: IDBObjectStore): void {
  try {
    for (const [key, letters, ahead] of JSON.parse(text) as [Kept["key"], string, number][]) {
      all.put({ key, bytes: latin1(letters), ahead });
    }
  } catch {
    // Nothing of ours looks like that.
  }
}

// How far the clock of this page is ahead of the system's now, ms.
const clockAhead = () => now() - Date.now();

/** The page is put away, or back: what it keeps is, or is not, for others to send. */
export function held(here: boolean): void {
  if (!may) return;
  letGo();
  claimed = new Set();
  if (!here) return;
  lock = new Promise((resolve) => (letGo = resolve));
  claim(page);
  if (db) look();
}

/** Keeps a batch of this page, before it is sent. */
export function keep(number: number, bytes: Uint8Array): void {
  const key: Kept["key"] = [number % 2, Date.now(), number, page];
  const kept: Kept = { key, bytes, ahead: clockAhead() };
  keys.set(number, key);
  unsure.set(number, kept);
  change((batches) => {
    batches.put(kept);
    written.push(number);
  });
  if (db && ++writes % WRITES_BETWEEN === 0) look();
}

// A batch is in the database, or needed no more.
function sure(number: number): void {
  unsure.delete(number);
  if (!setDown || unsure.size) return;
  setDown = false;
  try {
    localStorage.removeItem(SET_DOWN + page);
  } catch {}
}

/** The page may be gone at once, and with it what it has asked the database to write: sets that down where
 * a page can write while it goes. */
export function leave(): void {
  // Where the database was refused nobody would take it from there.
  if (!unsure.size || !(db || early)) return;
  const all = [...unsure.values()].slice(-SET_DOWN_MAX);
  try {
    localStorage.setItem(SET_DOWN + page, JSON.stringify(
      all.map(({ key, bytes, ahead }) => [key, String.fromCharCode(...bytes), ahead]),
    ));
    setDown = true;
  } catch {}
}

/** Forgets a batch. */
export function forget(number: number): void {
  sure(number);
  const key = keys.get(number);
  if (!key) return;
  keys.delete(number);
  change((batches) => batches.delete(key));
  if (key[3] !== page && --adopted === 0 && more) look();
}

/** Writes nothing more. */
export function end(): void {
  db?.close();
  db = early = undefined;
  letGo();
}
