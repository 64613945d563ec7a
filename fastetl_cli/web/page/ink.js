// The rasterizer of fastetl/ink/drawings.py, step by step the same: its head says what each step does.

export const SIDE = 128;
export const PEN = 0.05;
export const MAX_STROKES = 4000;
export const MAX_POINTS = 80000;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Steps 1–3: [ax, ay, bx, by, ra, rb] of each segment of one stroke, in pixels, from point `first` on. */
export function* segments(drawing, stroke, side, first = 0) {
  const scale = side / Math.max(drawing.width, drawing.height);
  const offsetX = (side - drawing.width * scale) / 2;
  const offsetY = (side - drawing.height * scale) / 2;
  const point = (k) => [
    stroke.x[k] * scale + offsetX,
    stroke.y[k] * scale + offsetY,
    ((drawing.pen ?? PEN) * side / 2) * (0.5 + (stroke.pressure ? stroke.pressure[k] : 0.5)),
  ];
  const count = stroke.x.length;
  for (let k = first; k < Math.max(count - 1, Math.min(count, 1)); k++) {
    const [ax, ay, ra] = point(k);
    const [bx, by, rb] = point(count === 1 ? k : k + 1);
    yield [ax, ay, bx, by, ra, rb];
  }
}

/** Coverage of a square picture, to which segments are added one by one. */
export class Ink {
  constructor(side = SIDE) {
    this.side = side;
    this.covered = new Float64Array(side * side);
  }

  clear() {
    this.covered.fill(0);
  }

  /** Step 4 for one segment, and the maximum of step 5. */
  add([ax, ay, bx, by, ra, rb]) {
    const { side, covered } = this;
    const dx = bx - ax, dy = by - ay;
    const length = dx * dx + dy * dy;
    const reach = Math.max(ra, rb) + 0.5;
    const top = Math.max(0, Math.floor(Math.min(ay, by) - reach));
    const bottom = Math.min(side, Math.ceil(Math.max(ay, by) + reach));
    for (let i = top; i < bottom; i++) {
      const y = i + 0.5;
      // Only the part of the segment that is near in y bounds the columns: a long slanted one costs its own area.
      let first = 0, last = 1;
      if (dy !== 0) {
        const upper = (y - reach - ay) / dy, lower = (y + reach - ay) / dy;
        first = clamp(Math.min(upper, lower), 0, 1);
        last = clamp(Math.max(upper, lower), 0, 1);
      }
      const left = ax + first * dx, right = ax + last * dx;
      const begin = Math.max(0, Math.floor(Math.min(left, right) - reach));
      const end = Math.min(side, Math.ceil(Math.max(left, right) + reach));
      for (let j = begin; j < end; j++) {
        const px = j + 0.5 - ax, py = y - ay;
        let t = 0, radius = Math.max(ra, rb);
        if (length > 0) {
          t = clamp((px * dx + py * dy) / length, 0, 1);
          radius = ra + t * (rb - ra);
        }
        const ex = px - t * dx, ey = py - t * dy;
        const c = clamp(radius + 0.5 - Math.sqrt(ex * ex + ey * ey), 0, 1);
        if (c > covered[i * side + j]) covered[i * side + j] = c;
      }
    }
  }

  /** Step 5: Uint8Array of side × side, ink high. */
  picture() {
    return Uint8Array.from(this.covered, (c) => Math.floor(255 * c + 0.5));
  }
}

/** The picture of a whole drawing {width, height, pen, strokes: [{x, y, pressure}]}. */
export function rasterize(drawing, side = SIDE) {
  const ink = new Ink(side);
  for (const stroke of drawing.strokes) for (const segment of segments(drawing, stroke, side)) ink.add(segment);
  return ink.picture();
}
