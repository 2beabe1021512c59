// The field of heat: every press is kept, edges are held inside the box, the palette follows the peak.

import { describe, expect, it } from "vitest";
import { Field, FIELD_STEP_PX, level, palette, peak, type Box, type Grid } from "./heat";

const cells = (entries: [number, number][], columns = 16, rows = 16): Grid => {
  const cells = new Uint32Array(columns * rows);
  for (const [cell, presses] of entries) cells[cell] = presses;
  return { columns, rows, cells };
};
/** The same amount in every cell of an element. */
const flat = (amount: number): Grid => ({ columns: 16, rows: 16, cells: new Uint32Array(256).fill(amount) });
const sum = (field: Field): number => field.cells.reduce((all, value) => all + value, 0);

/** Centre of mass in CSS pixels. */
function centre(field: Field): { x: number; y: number } {
  let x = 0;
  let y = 0;
  field.cells.forEach((value, at) => {
    x += value * ((at % field.columns) + 0.5);
    y += value * (Math.floor(at / field.columns) + 0.5);
  });
  return { x: (x / sum(field)) * FIELD_STEP_PX, y: (y / sum(field)) * FIELD_STEP_PX };
}

function drawn(grid: Grid, box: Box, clip?: Box): Field {
  const field = new Field();
  field.reset(800, 600);
  field.add(grid, box, clip);
  return field;
}

// A button, a tiny icon, a wide row, a picture: at places that are no multiple of anything.
const BOXES: Box[] = [
  { left: 101.3, top: 77.7, width: 168, height: 55 },
  { left: 203.9, top: 120.2, width: 12, height: 12 },
  { left: 90.1, top: 300.6, width: 610, height: 20 },
  { left: 131.7, top: 99.4, width: 420, height: 333 },
];

describe("Field", () => {
  it.each(BOXES)("keeps every press, before and after the blur: %j", (box) => {
    const field = drawn(cells([[0, 3], [135, 100], [255, 7]]), box);
    expect(sum(field)).toBeCloseTo(110, 2);
    field.blur();
    expect(sum(field)).toBeCloseTo(110, 1);
  });

  it.each(BOXES)("puts a press where its cell is, to a pixel: %j", (box) => {
    for (const cell of [0, 15, 120, 135, 136, 240, 255]) {
      const field = drawn(cells([[cell, 10]]), box);
      field.blur();
      const at = centre(field);
      const wide = box.width / 16 / FIELD_STEP_PX > 2 ? box.width / 32 : 0;
      const high = box.height / 16 / FIELD_STEP_PX > 2 ? box.height / 32 : 0;
      // Cells at the rim of a large element are held at its edge, which shifts them by under half a cell.
      expect(Math.abs(at.x - (box.left + ((cell % 16) + 0.5) * (box.width / 16)))).toBeLessThan(1 + wide);
      expect(Math.abs(at.y - (box.top + (Math.floor(cell / 16) + 0.5) * (box.height / 16)))).toBeLessThan(1 + high);
    }
  });

  it("spreads other grids too: bands of a page, its columns and rows", () => {
    const box = { left: 0, top: -200, width: 640, height: 2_000 };
    // The fifth of twenty bands lies from 200 to 300 px of the window.
    const bands = drawn(cells([[4, 50]], 1, 20), box);
    expect(sum(bands)).toBeCloseTo(50, 1);
    expect(Math.abs(centre(bands).y - 250)).toBeLessThan(4);
    expect(Math.abs(centre(bands).x - 320)).toBeLessThan(4);
    const places = drawn(cells([[32 * 20 + 8, 10]], 32, 128), box);
    expect(Math.abs(centre(places).x - 8.5 * 20)).toBeLessThan(4);
    expect(Math.abs(centre(places).y - (20.5 * (2_000 / 128) - 200))).toBeLessThan(4);
  });

  it("draws nothing outside of the clip", () => {
    const box = { left: 100, top: 100, width: 160, height: 160 };
    const field = drawn(flat(1), box, { left: 100, top: 100, width: 80, height: 160 });
    expect(sum(field)).toBeCloseTo(128, 0);
    expect(field.cells.some((value, at) => value > 0 && ((at % field.columns) * FIELD_STEP_PX) >= 180)).toBe(false);
  });

  it("draws nothing for a box outside of the field, and does not fail", () => {
    for (const [left, top] of [[-500, 0], [2000, 0], [0, -500], [0, 5000]] as const) {
      expect(sum(drawn(cells([[0, 5]]), { left, top, width: 100, height: 100 }))).toBe(0);
    }
  });

  it("is as flat over a large element as the presses are", () => {
    const field = drawn(flat(4), { left: 80, top: 80, width: 640, height: 400 });
    field.blur();
    const at = (x: number, y: number): number => field.cells[(y / FIELD_STEP_PX) * field.columns + x / FIELD_STEP_PX]!;
    for (const x of [120, 240, 400, 600]) expect(at(x, 240) / at(400, 280)).toBeCloseTo(1, 1);
  });
});

describe("peak", () => {
  it("does not depend on where on the screen the element is", () => {
    const grid = cells([[135, 50], [136, 20]]);
    expect(peak(grid, 160, 48)).toBeGreaterThan(0);
    const moved = drawn(grid, { left: 333.3, top: 222.2, width: 160, height: 48 });
    moved.blur();
    expect(moved.max() / peak(grid, 160, 48)).toBeCloseTo(1, 1);
  });
  it("is nothing for an element without a size", () => {
    expect(peak(cells([[0, 9]]), 0, 10)).toBe(0);
  });
  it("stays cheap and about right for an element larger than any screen", () => {
    const grid = flat(10);
    expect(peak(grid, 4000, 4000)).toBeCloseTo((2560 * 24 * 24) / 16_000_000, 3);
  });
});

describe("palette", () => {
  it("shows nothing for nothing and grows in opacity", () => {
    expect(palette[3]).toBe(0);
    for (let i = 1; i < 256; i += 1) expect(palette[i * 4 + 3]!).toBeGreaterThanOrEqual(palette[i * 4 - 1]!);
    expect(level(5, 0)).toBe(0);
    expect(level(50, 5)).toBe(1);
  });
});
