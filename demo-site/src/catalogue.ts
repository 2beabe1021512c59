// Owns what the shop sells: products, categories, prices. Refuses to know how any of it is drawn or bought.

export type CategoryName = 'kettles' | 'brewers' | 'grinders' | 'cups' | 'counter';
export type FinishName = 'steel' | 'ink' | 'cream' | 'clay' | 'sage' | 'copper';

export interface Category {
  readonly name: CategoryName;
  readonly title: string;
  readonly line: string;
}

export interface Product {
  /** Also the last part of its address and its order line. */
  readonly name: string;
  readonly title: string;
  readonly category: CategoryName;
  /** Euro cents, tax included. */
  readonly price: number;
  /** Euro cents before a reduction. */
  readonly priceBefore?: number;
  readonly line: string;
  readonly story: string;
  /** The first is the one shown. */
  readonly finishes: readonly [FinishName, ...FinishName[]];
  readonly facts: readonly (readonly [string, string])[];
  readonly badge?: string;
  /** Millimetres, width and height, for the size drawing. */
  readonly size: readonly [number, number];
}

export const categories: readonly Category[] = [
  { name: 'kettles', title: 'Kettles', line: 'For a steady hand and an exact pour.' },
  { name: 'brewers', title: 'Brewers', line: 'Drip, press or stovetop: three honest ways to a cup.' },
  { name: 'grinders', title: 'Grinders', line: 'Even grounds, quiet burrs, no static.' },
  { name: 'cups', title: 'Cups', line: 'Stoneware that keeps its warmth and its shape.' },
  { name: 'counter', title: 'Counter', line: 'The small things that stay out all day.' },
];

export const products: readonly Product[] = [
  {
    name: 'heron-kettle', title: 'Heron pour-over kettle', category: 'kettles', price: 8900,
    line: 'A gooseneck that pours as slowly as you like.',
    story: 'The narrow neck leaves the body low, so the first drop falls where you aim it and the last one stops when you do. The walls are one piece of steel, the grip is oiled beech.',
    finishes: ['sage', 'ink', 'steel', 'clay'], badge: 'Most gifted', size: [270, 205],
    facts: [['Holds', '0.9 l'], ['Works on', 'Gas, electric, induction'], ['Body', '18/8 stainless steel'], ['Handle', 'Oiled beech']],
  },
  {
    name: 'pond-kettle', title: 'Pond stovetop kettle', category: 'kettles', price: 6400,
    line: 'Two litres, one soft whistle.',
    story: 'A wide base takes the heat quickly and a tall arch keeps your knuckles out of the steam. The whistle is tuned a third lower than most, so it calls without shouting.',
    finishes: ['cream', 'clay', 'ink'], size: [240, 230],
    facts: [['Holds', '2.0 l'], ['Works on', 'Gas, electric, induction'], ['Body', 'Enamelled steel'], ['Whistle', 'Low note, removable']],
  },
  {
    name: 'ridge-kettle', title: 'Ridge electric kettle', category: 'kettles', price: 11900,
    line: 'To the degree, and it holds it there.',
    story: 'Turn the dial to any temperature between 40 and 100 °C and Ridge stays within one degree for half an hour. No app, no screen to learn: one dial, one light.',
    finishes: ['ink', 'cream', 'steel'], badge: 'New', size: [215, 240],
    facts: [['Holds', '1.2 l'], ['Power', '1,500 W'], ['Range', '40–100 °C in steps of 1 °C'], ['Cable', '0.8 m, stows under the base']],
  },
  {
    name: 'vale-dripper', title: 'Vale dripper and server', category: 'brewers', price: 5200,
    line: 'Stoneware cone, glass server, two cups.',
    story: 'Eighteen ribs hold the paper off the wall so the water drains evenly. The cone is thick enough to stay warm for the whole brew and sits on most mugs, too.',
    finishes: ['cream', 'sage', 'clay', 'ink'], badge: 'Most gifted', size: [140, 215],
    facts: [['Makes', '1–3 cups'], ['Filter', 'Cone, size 02'], ['Cone', 'Stoneware'], ['Server', 'Borosilicate glass, 0.6 l']],
  },
  {
    name: 'loch-press', title: 'Loch French press', category: 'brewers', price: 4600, priceBefore: 5800,
    line: 'Full body, clean cup, no grit.',
    story: 'A second, finer mesh sits beneath the first and catches what other presses leave in the cup. The glass lifts out of the frame for washing and every part can be replaced.',
    finishes: ['ink', 'copper', 'steel'], badge: 'Spring price', size: [165, 225],
    facts: [['Holds', '0.8 l, 3–4 cups'], ['Glass', 'Borosilicate, 3 mm'], ['Mesh', 'Double, 200 µm'], ['Spare parts', 'Kept for 10 years']],
  },
  {
    name: 'ember-moka', title: 'Ember moka pot', category: 'brewers', price: 3900,
    line: 'Eight sides, four minutes, strong coffee.',
    story: 'Cast in one piece with a base thick enough for induction, Ember climbs slowly and stops before it spits. The handle stays cool because it never touches the boiler.',
    finishes: ['steel', 'ink', 'copper'], size: [160, 195],
    facts: [['Makes', '4 small cups'], ['Works on', 'Gas, electric, induction'], ['Body', 'Cast aluminium, steel base'], ['Seal', 'Silicone, replaceable']],
  },
  {
    name: 'tern-grinder', title: 'Tern hand grinder', category: 'grinders', price: 12900,
    line: 'Forty clicks from espresso to press.',
    story: 'Two bearings keep the burrs centred, so each turn cuts instead of crushing. It fits a coat pocket, takes 25 grams and is quiet enough for a sleeping house.',
    finishes: ['ink', 'steel', 'copper'], size: [180, 210],
    facts: [['Takes', '25 g of beans'], ['Burrs', '38 mm hardened steel'], ['Steps', '40'], ['Weight', '540 g']],
  },
  {
    name: 'quarry-grinder', title: 'Quarry burr grinder', category: 'grinders', price: 18900,
    line: 'Flat burrs that turn slowly and stay cool.',
    story: 'At 600 turns a minute the beans keep their oils and your kitchen keeps its peace. Weigh in a dose, press once, and almost nothing stays behind.',
    finishes: ['cream', 'ink', 'sage'], badge: 'New', size: [150, 330],
    facts: [['Dose', 'Up to 60 g'], ['Burrs', '54 mm flat steel'], ['Left behind', 'Under 0.2 g'], ['Noise', '64 dB at 1 m']],
  },
  {
    name: 'dune-cups', title: 'Dune cups, pair', category: 'cups', price: 3200,
    line: 'Thrown thin, glazed halfway, no handle needed.',
    story: 'The lower half is left raw so the cup is warm in the hand and never hot. They stack, they survive the dishwasher, and no two glazes run quite the same way.',
    finishes: ['clay', 'cream', 'sage', 'ink'], size: [170, 95],
    facts: [['Holds', '0.2 l each'], ['Made of', 'Stoneware'], ['Dishwasher', 'Yes'], ['Set', 'Two cups']],
  },
  {
    name: 'moss-mug', title: 'Moss mug', category: 'cups', price: 1800,
    line: 'The one you reach for first.',
    story: 'A wide foot, a handle for three fingers and a lip that is thinner than it looks. Big enough for a long morning, small enough to still be hot at the end.',
    finishes: ['sage', 'cream', 'clay', 'ink'], size: [125, 95],
    facts: [['Holds', '0.35 l'], ['Made of', 'Stoneware'], ['Microwave', 'Yes'], ['Dishwasher', 'Yes']],
  },
  {
    name: 'feather-scale', title: 'Feather scale', category: 'counter', price: 5400,
    line: 'A tenth of a gram, a timer that starts itself.',
    story: 'Feather starts counting with the first drop and stops when you lift the cup. The top is one sheet of glass, so a spill is one wipe.',
    finishes: ['ink', 'cream'], size: [150, 22],
    facts: [['Weighs', '0.1 g to 2 kg'], ['Timer', 'Starts with the pour'], ['Battery', 'USB-C, about 30 hours'], ['Top', 'Tempered glass']],
  },
  {
    name: 'keep-canister', title: 'Keep canister', category: 'counter', price: 3400,
    line: 'Beans stay fresh; the lid says so.',
    story: 'Push the wooden lid down and the air leaves through a valve; turn it and it seals. Half a kilo of beans stays lively for a month.',
    finishes: ['clay', 'sage', 'cream', 'ink'], size: [120, 185],
    facts: [['Holds', '500 g of beans'], ['Body', 'Stoneware'], ['Lid', 'Ash, silicone seal'], ['Valve', 'One way']],
  },
];

export const productOf = (name: string): Product | undefined => products.find((product) => product.name === name);
export const categoryOf = (name: string): Category | undefined => categories.find((category) => category.name === name);

/** The products of a category; all of them when the name is empty or unknown. */
export function inCategory(name: string): readonly Product[] {
  return categoryOf(name) === undefined ? products : products.filter((product) => product.category === name);
}

/** Products in which every word of the query occurs; all of them for an empty query. */
export function search(query: string): readonly Product[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return products.filter((product) => {
    const text = `${product.title} ${product.category} ${product.line} ${product.finishes.join(' ')}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Cents as people read them: `€89`, `€117.90`. */
export function euros(cents: number): string {
  const whole = cents % 100 === 0;
  return `€${(cents / 100).toLocaleString('en-IE', { minimumFractionDigits: whole ? 0 : 2, maximumFractionDigits: 2 })}`;
}
