// What the collector and its ClickHouse say: live resources by GET and by subscription, and queries. Counts nothing.

/** How long the numbers may take to arrive. */
export const settleMsMax = 30_000;

export class Collector {
  constructor({ collector, readToken, clickhouse }) {
    Object.assign(this, { address: collector, readToken, clickhouse });
  }

  /** A snapshot of a live resource by a plain GET. */
  async get(resource, parameters = {}) {
    const url = `${this.address}/v1/live/${resource}?${new URLSearchParams({ site: 'shop', ...parameters })}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${this.readToken}` } });
    if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()).data;
  }

  /** The rows of a query, asked of ClickHouse itself. Numbers beyond 2^53 are not expected here. */
  async rows(sql) {
    const { address, user, password, database } = this.clickhouse;
    const answer = await fetch(`${address}/?${new URLSearchParams({ database })}`, {
      method: 'POST',
      headers: { 'x-clickhouse-user': user, 'x-clickhouse-key': password },
      body: `${sql}\nFORMAT JSONEachRow`,
    });
    const text = await answer.text();
    if (!answer.ok || answer.headers.has('x-clickhouse-exception-code')) throw new Error(`ClickHouse: ${answer.status} ${text}\n${sql}`);
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }
}

/**
 * Subscribes to live resources by WebSocket in a page of the dashboard's origin, which is logged in. What has arrived
 * is kept as a subscriber keeps it: a snapshot replaces all, a delta replaces rows by their key.
 */
export class Subscriptions {
  #held = new Map();
  #waiting = new Set();

  static async open(page, list) {
    const subscriptions = new Subscriptions();
    await page.exposeFunction('upriverArrived', (name, update) => subscriptions.#take(name, update));
    await page.evaluate((list) => {
      for (const { name, resource, parameters } of list) {
        const url = new URL(`/v1/live/${resource}?${new URLSearchParams({ site: 'shop', ...parameters })}`, location.href);
        url.protocol = 'ws:';
        const socket = new WebSocket(url);
        socket.onmessage = ({ data }) => window.upriverArrived(name, JSON.parse(data));
        socket.onclose = ({ code, reason }) => window.upriverArrived(name, { closed: `${code} ${reason}` });
      }
    }, list);
    return subscriptions;
  }

  #take(name, update) {
    if (update.closed !== undefined) {
      this.#held.set(name, { failed: update.closed });
    } else if (update.type === 'snapshot') {
      this.#held.set(name, update.data);
    } else {
      this.#held.set(name, merged(this.#held.get(name), update.data));
    }
    for (const look of this.#waiting) look();
  }

  held(name) {
    return this.#held.get(name);
  }

  /** Resolves true as soon as `isRight()`, looked at after each message; false after `settleMsMax`. */
  until(isRight) {
    return new Promise((done) => {
      const end = (right) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        done(right);
      };
      const look = () => isRight() && end(true);
      const timer = setTimeout(() => end(false), settleMsMax);
      this.#waiting.add(look);
      look();
    });
  }
}

const keys = {
  elements: ({ element }) => element,
  rows: ({ path, source, medium, campaign }) => path ?? `${source}|${medium}|${campaign}`,
  groups: ({ dimension, value }) => `${dimension}|${value}`,
  value: ({ currency }) => currency,
};

function merged(old = {}, delta) {
  const next = { ...old, ...delta, basis: delta.basis ?? old.basis };
  for (const [list, key] of Object.entries(keys)) {
    if (!Array.isArray(delta[list]) || !Array.isArray(old[list])) continue;
    const rows = new Map(old[list].map((row) => [key(row), row]));
    for (const row of delta[list]) rows.set(key(row), row);
    next[list] = [...rows.values()];
  }
  return next;
}
