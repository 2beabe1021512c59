// The same numbers as truth.mjs, read off live resources and off ClickHouse's answers. Decides nothing.
import { campaignOf, steps } from './truth.mjs';

const euros = (sums) => sums.find(({ currency }) => currency === 'EUR')?.micros ?? 0;
const fields = ['visitors', 'page_views', 'presses', 'scrolls', 'swipes', 'customs', 'conversions', 'exposures'];

/** What an element is called in the tally, by the selector that the SDK gave it. */
function nameOf(selector) {
  const attribute = /\[data-upriver="?([^"\]]+)"?\]$/.exec(selector)?.[1];
  if (attribute !== undefined) return `[data-upriver=${attribute}]`;
  return /#[\w-]+$/.exec(selector)?.[0] ?? 'other';
}

const add = (numbers, name, value) => numbers.set(name, (numbers.get(name) ?? 0) + Number(value));

/** From live resources: `{overview, pages, campaigns, funnel, heat: path → heat map}`. */
export function liveNumbers({ overview, pages, campaigns, funnel, heat }) {
  const numbers = new Map();
  for (const field of fields) numbers.set(`overview · ${field}`, overview[field]);
  numbers.set('overview · value EUR micros', euros(overview.value));
  for (const { path, views, visitors, presses } of pages.rows) {
    numbers.set(`page ${path} · views`, views);
    numbers.set(`page ${path} · visitors`, visitors);
    numbers.set(`page ${path} · presses`, presses);
  }
  for (const [path, { elements }] of heat) {
    for (const { selector, total, cells } of elements) {
      const name = nameOf(selector);
      add(numbers, `heat ${path} · ${name}`, total);
      if (name !== 'other') for (const [cell, presses] of cells) add(numbers, `heat ${path} · ${name} cell ${cell}`, presses);
    }
  }
  for (const row of campaigns.rows) {
    for (const field of ['visitors', 'engaged', 'converted', 'conversions']) numbers.set(`campaign ${campaignOf(row)} · ${field}`, row[field]);
    numbers.set(`campaign ${campaignOf(row)} · value EUR micros`, euros(row.value));
  }
  funnel.steps.forEach(({ name, visitors }, at) => numbers.set(`funnel ${at + 1} ${name}`, visitors));
  for (const { dimension, value, visitors } of funnel.groups) {
    // The other groups are held against their SQL by the oracle; what was made here is not told by them.
    if (dimension !== 'campaign' && dimension !== 'device') continue;
    visitors.forEach((reached, at) => numbers.set(`funnel ${at + 1} · ${dimension} ${value}`, reached));
  }
  return numbers;
}

/** From ClickHouse: the query that stands beside each live number, and an own one for what those leave out. */
export async function sqlNumbers(collector, live) {
  const numbers = new Map();
  const ask = (resource) => collector.rows(resource.basis.sql);
  const [overview] = await ask(live.overview);
  for (const field of fields) numbers.set(`overview · ${field}`, Number(overview[field]));
  numbers.set('overview · value EUR micros', Number(overview.value_micros.EUR ?? 0));
  for (const { path, views, visitors, presses } of await ask(live.pages)) {
    numbers.set(`page ${path} · views`, Number(views));
    numbers.set(`page ${path} · visitors`, Number(visitors));
    numbers.set(`page ${path} · presses`, Number(presses));
  }
  const elements = await collector.rows("SELECT lower(leftPad(hex(element), 16, '0')) AS id, selector FROM elements FINAL WHERE site = 'shop'");
  const selectors = new Map(elements.map(({ id, selector }) => [id, selector]));
  for (const [path, heat] of live.heat) {
    for (const { element_id: id, cell, amount } of await ask(heat)) {
      const name = nameOf(selectors.get(id) ?? '');
      add(numbers, `heat ${path} · ${name}`, amount);
      if (name !== 'other') add(numbers, `heat ${path} · ${name} cell ${cell}`, amount);
    }
  }
  for (const row of await ask(live.campaigns)) {
    for (const field of ['visitors', 'engaged', 'converted', 'conversions']) numbers.set(`campaign ${campaignOf(row)} · ${field}`, Number(row[field]));
    numbers.set(`campaign ${campaignOf(row)} · value EUR micros`, Number(row.value_micros.EUR ?? 0));
  }
  for (const { dimension, step, visitors } of await ask(live.funnel)) if (dimension === '') numbers.set(`funnel ${step} ${steps[step - 1].name}`, Number(visitors));
  for (const [dimension, column] of [['campaign', 'utm_campaign'], ['device', 'toString(device)']]) {
    const rows = await collector.rows(groupSql(live.funnel.window_ms, column));
    for (const { value, reached } of rows) {
      reached.forEach((visitors, at) => numbers.set(`funnel ${at + 1} · ${dimension} ${value || '(none)'}`, Number(visitors)));
    }
  }
  return numbers;
}

/**
 * The funnel by group. Written here anew and more simply than in the collector: each visitor of this drive has one
 * campaign and one device, and no two steps of theirs share a millisecond.
 */
const groupSql = (windowMs, column) => `
SELECT value, [countIf(level >= 1), countIf(level >= 2), countIf(level >= 3), countIf(level >= 4)] AS reached
FROM
(
    SELECT visitor, any(${column}) AS value, windowFunnel(${windowMs}, 'strict_once')(toUInt64(toUnixTimestamp64Milli(time)),
        kind = 'page_view' AND path LIKE '/product/%', kind = 'custom' AND name = 'add_to_cart',
        kind = 'page_view' AND path LIKE '/checkout%', kind = 'conversion' AND name = 'order') AS level
    FROM events WHERE site = 'shop' GROUP BY visitor
)
WHERE level > 0 GROUP BY value`;
