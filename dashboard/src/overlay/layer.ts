// The picture over the page: one canvas as large as the window, one pixel per cell of the field,
// stretched smoothly by the browser.
//
// Owns: canvas, field and the page's one scale. Refuses to know: where numbers or boxes come from.

import { colour, Field, FIELD_STEP_PX, peak, type Box, type Grid } from "../draw/heat";
import type { Anchor } from "./anchor";

/** Field that reaches beyond the window, so that heat just outside still glows in: CSS pixels. */
const MARGIN_PX = 32;

export class Layer {
  readonly canvas = document.createElement("canvas");
  readonly outline = document.createElement("div");
  /** Amount per spot at the top of the palette. */
  max = 0;
  #field = new Field();
  #peaks = new Map<string, { grid: Grid; width: number; height: number; peak: number }>();
  #image: ImageData | undefined;

  constructor() {
    this.canvas.className = "heat";
    this.outline.className = "outline";
    this.outline.hidden = true;
  }

  /** Draws what is on the page now. */
  draw(anchors: readonly Anchor[]): void {
    this.#scale(anchors);
    const field = this.#field;
    field.reset(innerWidth + 2 * MARGIN_PX, innerHeight + 2 * MARGIN_PX);
    for (const { row, box, clip } of anchors) {
      if (outside(box)) continue;
      field.add(row.grid, moved(box), moved(grown(clip)));
    }
    field.blur();
    const { columns, rows } = field;
    if (this.canvas.width !== columns || this.canvas.height !== rows || !this.#image) {
      this.canvas.width = columns;
      this.canvas.height = rows;
      this.#image = new ImageData(columns, rows);
      this.canvas.style.setProperty("left", `${-MARGIN_PX}px`);
      this.canvas.style.setProperty("top", `${-MARGIN_PX}px`);
      this.canvas.style.setProperty("width", `${columns * FIELD_STEP_PX}px`);
      this.canvas.style.setProperty("height", `${rows * FIELD_STEP_PX}px`);
    }
    colour(field, this.max, this.#image);
    this.canvas.getContext("2d")?.putImageData(this.#image, 0, 0);
  }

  /** Draws a frame around an element, or none. */
  mark(element: Element | undefined): void {
    this.outline.hidden = !element;
    if (!element) return;
    const { left, top, width, height } = element.getBoundingClientRect();
    this.outline.style.setProperty("transform", `translate(${left}px, ${top}px)`);
    this.outline.style.setProperty("width", `${width}px`);
    this.outline.style.setProperty("height", `${height}px`);
  }

  // The scale is that of the hottest element of the page, on screen or not: colours must not change
  // their meaning while someone scrolls. An element's peak is computed again only when it changes.
  #scale(anchors: readonly Anchor[]): void {
    this.max = 0;
    for (const { row, box } of anchors) {
      let known = this.#peaks.get(row.key);
      if (!known || known.grid !== row.grid || known.width !== box.width || known.height !== box.height) {
        known = { grid: row.grid, width: box.width, height: box.height, peak: peak(row.grid, box.width, box.height) };
        this.#peaks.set(row.key, known);
      }
      this.max = Math.max(this.max, known.peak);
    }
  }
}

const outside = (box: Box): boolean =>
  box.left > innerWidth + MARGIN_PX || box.top > innerHeight + MARGIN_PX
  || box.left + box.width < -MARGIN_PX || box.top + box.height < -MARGIN_PX;

const moved = (box: Box): Box => ({ ...box, left: box.left + MARGIN_PX, top: box.top + MARGIN_PX });

// The window itself is no edge: what lies just beyond it must keep glowing in.
function grown(clip: Box): Box {
  const left = clip.left <= 0 ? -MARGIN_PX : clip.left;
  const top = clip.top <= 0 ? -MARGIN_PX : clip.top;
  const right = clip.left + clip.width >= innerWidth ? innerWidth + MARGIN_PX : clip.left + clip.width;
  const bottom = clip.top + clip.height >= innerHeight ? innerHeight + MARGIN_PX : clip.top + clip.height;
  return { left, top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
}
