// The heat-map renderer: grids of presses in boxes → one smooth field of intensity → colours.
//
// Owns: the field, its blur, its scale and palette. Refuses to know: the DOM beyond a canvas, where
// elements are, where numbers come from. Cost depends on the size of the field alone, never on the
// number of presses.

/** A box in CSS pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Amounts in cells: `cells[row * columns + column]`, from the top left. */
export interface Grid {
  columns: number;
  rows: number;
  cells: Uint32Array;
}

/** CSS pixels along each side of one cell of the field. */
export const FIELD_STEP_PX = 4;
/** Cells each box-blur pass reaches to both sides. Three passes look like a bell of σ ≈ 10 px. */
const BLUR_REACH = 2;
const BLUR_PASSES = 3;
/** The legend counts presses within a square of this side, CSS pixels. */
export const SPOT_PX = 24;
const CELLS_A_SPOT = (SPOT_PX / FIELD_STEP_PX) ** 2;
/** Largest field `peak` computes cell by cell; a larger element is flat enough to be divided out. */
const PEAK_CELLS_MAX = 200_000;

/** Presses as density over an area. Its sum is the number of presses put in. */
export class Field {
  columns = 0;
  rows = 0;
  cells = new Float32Array(0);
  #spare = new Float32Array(0);

  /** Makes it cover `width` × `height` CSS pixels, and empties it. */
  reset(width: number, height: number): void {
    this.columns = Math.max(1, Math.ceil(width / FIELD_STEP_PX));
    this.rows = Math.max(1, Math.ceil(height / FIELD_STEP_PX));
    const size = this.columns * this.rows;
    if (this.cells.length === size) {
      this.cells.fill(0);
    } else {
      this.cells = new Float32Array(size);
      this.#spare = new Float32Array(size);
    }
  }

  /**
   * Adds what a grid over `box` holds, in CSS pixels from the field's top left. Where `clip` is
   * given, only what lies inside of it.
   */
  add(grid: Grid, box: Box, clip?: Box): void {
    const clipped = clip ?? { left: 0, top: 0, width: Infinity, height: Infinity };
    const across = axis(grid.columns, box.left, box.width, clipped.left, clipped.width, this.columns);
    const down = axis(grid.rows, box.top, box.height, clipped.top, clipped.height, this.rows);
    for (let cell = 0; cell < grid.cells.length; cell += 1) {
      const presses = grid.cells[cell] as number;
      if (presses === 0) continue;
      const x = across[cell % grid.columns] as Share;
      const y = down[Math.floor(cell / grid.columns)] as Share;
      for (let row = 0; row < y.parts.length; row += 1) {
        const amount = presses * (y.parts[row] as number);
        let at = (y.from + row) * this.columns + x.from;
        for (const part of x.parts) {
          this.cells[at] = (this.cells[at] as number) + amount * part;
          at += 1;
        }
      }
    }
  }

  /** Smooths the field; mass is kept but for what crosses its edge. */
  blur(): void {
    for (let pass = 0; pass < BLUR_PASSES; pass += 1) {
      slide(this.cells, this.#spare, this.rows, this.columns, this.columns, 1);
      slide(this.#spare, this.cells, this.columns, this.rows, 1, this.columns);
    }
  }

  /** Largest value, presses per spot of SPOT_PX × SPOT_PX. */
  max(): number {
    let max = 0;
    for (const value of this.cells) if (value > max) max = value;
    return max * CELLS_A_SPOT;
  }
}

/** How one of the equal parts of an axis is spread over the field: `parts[i]` goes to cell `from + i`. */
interface Share {
  from: number;
  parts: number[];
}

// The shares of the `count` parts of one axis, lengths in CSS pixels. Each part's shares add up to 1
// before clipping. A part wider than two cells fades into its neighbours (linear interpolation,
// held at the ends of the box), so that large elements show no steps; a smaller one covers what it
// covers, and one below a cell is widened to a cell around its centre, which keeps its centre of mass.
function axis(
  count: number, boxFrom: number, boxLength: number, clipFrom: number, clipLength: number, cells: number,
): Share[] {
  const part = boxLength / count / FIELD_STEP_PX;
  const start = boxFrom / FIELD_STEP_PX;
  const low = Math.max(0, clipFrom / FIELD_STEP_PX);
  const high = Math.min(cells, (clipFrom + clipLength) / FIELD_STEP_PX);
  const fades = part > 2;
  const reach = fades ? part * 1.5 : Math.max(1, part) / 2;
  const shares: Share[] = [];
  for (let i = 0; i < count; i += 1) {
    const centre = start + (i + 0.5) * part;
    const from = fades ? Math.max(start, centre - reach) : centre - reach;
    const to = fades ? Math.min(start + count * part, centre + reach) : centre + reach;
    const share: Share = { from: Math.max(0, Math.floor(Math.max(from, low))), parts: [] };
    let sum = 0;
    for (let cell = Math.floor(from); cell < to; cell += 1) {
      const covered = Math.min(cell + 1, to) - Math.max(cell, from);
      const weight = covered * (fades ? tent((cell + 0.5 - start) / part - 0.5, i, count) : 1);
      sum += weight;
      const inside = Math.min(cell + 1, high) - Math.max(cell, low);
      if (inside > 0) share.parts.push(weight * Math.min(1, inside));
    }
    if (sum > 0) share.parts = share.parts.map((weight) => weight / sum);
    shares.push(share);
  }
  return shares;
}

// Weight of part `i` at position `at`, in parts, both counted from the first part's centre.
const tent = (at: number, i: number, count: number): number =>
  Math.max(0, 1 - Math.abs(Math.min(count - 1, Math.max(0, at)) - i));

// One moving average of 2·BLUR_REACH+1 along `length` cells of `lines` lines, by running sum.
function slide(
  from: Float32Array, to: Float32Array, lines: number, length: number, lineStep: number, cellStep: number,
): void {
  const share = 1 / (2 * BLUR_REACH + 1);
  for (let line = 0; line < lines; line += 1) {
    const start = line * lineStep;
    let sum = 0;
    for (let i = 0; i < Math.min(BLUR_REACH, length); i += 1) sum += from[start + i * cellStep] as number;
    for (let i = 0; i < length; i += 1) {
      const enters = i + BLUR_REACH;
      const leaves = i - BLUR_REACH - 1;
      if (enters < length) sum += from[start + enters * cellStep] as number;
      if (leaves >= 0) sum -= from[start + leaves * cellStep] as number;
      // Running sums of floats may leave a residue below zero.
      to[start + i * cellStep] = sum > 0 ? sum * share : 0;
    }
  }
}

/** Most of it per spot that one element reaches by itself, at this size in CSS pixels. */
export function peak(grid: Grid, width: number, height: number): number {
  if (width <= 0 || height <= 0) return 0;
  const margin = (BLUR_REACH * BLUR_PASSES + 1) * FIELD_STEP_PX;
  const cells = ((width + 2 * margin) / FIELD_STEP_PX) * ((height + 2 * margin) / FIELD_STEP_PX);
  if (cells > PEAK_CELLS_MAX) {
    let most = 0;
    for (const presses of grid.cells) if (presses > most) most = presses;
    return (most * grid.columns * grid.rows * SPOT_PX * SPOT_PX) / (width * height);
  }
  const field = new Field();
  field.reset(width + 2 * margin, height + 2 * margin);
  field.add(grid, { left: margin, top: margin, width, height });
  field.blur();
  return field.max();
}

// Position, red, green, blue, opacity. Blue to yellow to red: told apart with every common colour
// blindness, and the low end lets the page shine through.
const STOPS: readonly (readonly [number, number, number, number, number])[] = [
  [0, 64, 120, 255, 0],
  [0.12, 64, 130, 250, 0.34],
  [0.35, 60, 190, 215, 0.5],
  [0.58, 255, 214, 60, 0.6],
  [0.8, 250, 120, 30, 0.68],
  [1, 215, 20, 45, 0.76],
];
const PALETTE_STEPS = 256;

/** RGBA of `PALETTE_STEPS` colours from nothing to the maximum, as bytes. */
export const palette: Uint8ClampedArray = (() => {
  const bytes = new Uint8ClampedArray(PALETTE_STEPS * 4);
  for (let i = 0; i < PALETTE_STEPS; i += 1) {
    const at = i / (PALETTE_STEPS - 1);
    const upper = Math.max(1, STOPS.findIndex((stop) => stop[0] >= at));
    const [p0, ...low] = STOPS[upper - 1] as (typeof STOPS)[number];
    const [p1, ...high] = STOPS[upper] as (typeof STOPS)[number];
    const t = (at - p0) / (p1 - p0);
    for (let c = 0; c < 4; c += 1) {
      const value = (low[c] as number) + ((high[c] as number) - (low[c] as number)) * t;
      bytes[i * 4 + c] = c === 3 ? value * 255 : value;
    }
  }
  return bytes;
})();

/** Where on the palette a value stands: the square root, so that the many weak places show too. */
export const level = (value: number, max: number): number => (max > 0 ? Math.sqrt(Math.min(1, value / max)) : 0);

/** Colours of the field, one pixel a cell; `max` in presses per spot. */
export function colour(field: Field, max: number, image: ImageData): void {
  const pixels = image.data;
  const words = new Uint32Array(pixels.buffer);
  const colours = new Uint32Array(palette.buffer);
  const scale = max > 0 ? CELLS_A_SPOT / max : 0;
  for (let i = 0; i < field.cells.length; i += 1) {
    const value = (field.cells[i] as number) * scale;
    words[i] = value > 0 ? (colours[Math.round(Math.sqrt(value < 1 ? value : 1) * (PALETTE_STEPS - 1))] as number) : 0;
  }
}

/** A grid alone, as a small picture that fills `canvas`; scaled to its own largest cell. */
export function paintGrid(canvas: HTMLCanvasElement, grid: Grid): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(grid.columns, grid.rows);
  const most = grid.cells.reduce((most, amount) => Math.max(most, amount), 1);
  grid.cells.forEach((presses, cell) => {
    const colour = Math.round(level(presses, most) * (PALETTE_STEPS - 1)) * 4;
    for (let c = 0; c < 4; c += 1) image.data[cell * 4 + c] = palette[colour + c] as number;
  });
  const small = new OffscreenCanvas(grid.columns, grid.rows);
  small.getContext("2d")?.putImageData(image, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}
