// What every number must be, counted from nothing but the gestures that were made. Knows neither the collector nor SQL.

/** The kinds of events that gestures are compared with, and what the overview calls their numbers. */
export const kinds = { page_view: 'page_views', press: 'presses', scroll: 'scrolls', swipe: 'swipes', custom: 'customs', conversion: 'conversions', exposure: 'exposures' };
const engaging = new Set(['press', 'scroll', 'swipe', 'custom']);

/** The demo's funnel, as demo-site/upriver.toml defines it. */
export const steps = [
  { name: 'Looks at a product', matches: ({ kind, path }) => kind === 'page_view' && path.startsWith('/product/') },
  { name: 'Puts it in the cart', matches: ({ kind, name }) => kind === 'custom' && name === 'add_to_cart' },
  { name: 'Goes to the checkout', matches: ({ kind, path }) => kind === 'page_view' && path.startsWith('/checkout') },
  { name: 'Orders', matches: ({ kind, name }) => kind === 'conversion' && name === 'order' },
];

/** How many steps a visitor took, in order. The window of 30 minutes is longer than any drive. */
const levelOf = (acts) => acts.reduce((level, act) => (steps[level]?.matches(act) ? level + 1 : level), 0);

const sum = (acts, pick) => acts.reduce((total, act) => total + pick(act), 0);
const groups = (acts, key) => {
  const found = new Map();
  for (const act of acts) found.set(key(act), [...(found.get(key(act)) ?? []), act]);
  return found;
};
const visitorsIn = (acts) => new Set(acts.map(({ visitor }) => visitor)).size;

/** Every number as `name → value`, from the acts of all visitors. */
export function numbersOf(visitors) {
  const acts = visitors.flatMap((visitor) => visitor.acts.map((act) => ({ ...act, ...visitor.campaign, device: visitor.device })));
  const numbers = new Map();
  numbers.set('overview · visitors', visitorsIn(acts));
  for (const [kind, field] of Object.entries(kinds)) numbers.set(`overview · ${field}`, acts.filter((act) => act.kind === kind).length);
  numbers.set('overview · value EUR micros', sum(acts, ({ micros = 0 }) => micros));

  for (const [path, seen] of groups(acts, ({ path }) => path)) {
    numbers.set(`page ${path} · views`, seen.filter(({ kind }) => kind === 'page_view').length);
    numbers.set(`page ${path} · visitors`, visitorsIn(seen));
    numbers.set(`page ${path} · presses`, seen.filter(({ kind }) => kind === 'press').length);
    const presses = seen.filter(({ kind }) => kind === 'press');
    for (const [element, pressed] of groups(presses, ({ element }) => element)) numbers.set(`heat ${path} · ${element}`, pressed.length);
    for (const [cell, pressed] of groups(presses.filter(({ element }) => element !== 'other'), ({ element, cell }) => `${element} cell ${cell}`)) {
      numbers.set(`heat ${path} · ${cell}`, pressed.length);
    }
  }

  for (const [name, seen] of groups(acts, campaignOf)) {
    numbers.set(`campaign ${name} · visitors`, visitorsIn(seen));
    numbers.set(`campaign ${name} · engaged`, visitorsIn(seen.filter(({ kind }) => engaging.has(kind))));
    numbers.set(`campaign ${name} · converted`, visitorsIn(seen.filter(({ kind }) => kind === 'conversion')));
    numbers.set(`campaign ${name} · conversions`, seen.filter(({ kind }) => kind === 'conversion').length);
    numbers.set(`campaign ${name} · value EUR micros`, sum(seen, ({ micros = 0 }) => micros));
  }

  const levels = visitors.map((visitor) => ({ level: levelOf(visitor.acts), campaign: visitor.campaign.campaign || '(none)', device: visitor.device }));
  steps.forEach(({ name }, at) => {
    const reached = levels.filter(({ level }) => level > at);
    numbers.set(`funnel ${at + 1} ${name}`, reached.length);
    for (const dimension of ['campaign', 'device']) {
      for (const value of new Set(levels.filter(({ level }) => level > 0).map((each) => each[dimension]))) {
        numbers.set(`funnel ${at + 1} · ${dimension} ${value}`, reached.filter((each) => each[dimension] === value).length);
      }
    }
  });
  return numbers;
}

/** The key of a campaign's row. */
export const campaignOf = ({ source, medium, campaign }) => `${source || '–'}/${medium || '–'}/${campaign || '–'}`;
export const pathsOf = (visitors) => [...new Set(visitors.flatMap(({ acts }) => acts.map(({ path }) => path)))];
