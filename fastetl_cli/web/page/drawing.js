// Strokes with undo and redo. The canvas is the unit square, so that a drawing does not depend on the screen.

import { MAX_POINTS, MAX_STROKES, PEN } from "./ink.js";
import { least, most, sum } from "./numbers.js";

const KEPT = 200; // actions that can be undone

export class Drawing {
  /** `width`: of the canvas, whose height is 1. `pen`: as a fraction of the longer side. */
  constructor(width = 1, pen = PEN) {
    this.width = width;
    this.height = 1;
    this.pen = pen;
    this.done = [];
    this.undone = [];
    this.strokes = [];
    this.points = 0;
  }

  get empty() {
    return this.strokes.length === 0;
  }

  /** A new stroke, to which `extend` adds points; null if the drawing is full. */
  begin(withPressure) {
    if (this.strokes.length >= MAX_STROKES || this.points >= MAX_POINTS) return null;
    const stroke = { x: [], y: [], time: [] };
    if (withPressure) stroke.pressure = [];
    this.done.push({ stroke });
    this.undone = [];
    this.strokes.push(stroke);
    return stroke;
  }

  /** Whether the point was added: not if it stands where the last one does, or the drawing is full. */
  extend(stroke, x, y, pressure, time) {
    const last = stroke.x.length - 1;
    const rounded = (value) => Math.round(Math.min(Math.max(value, -8), 9) * 1e5) / 1e5;
    const [px, py] = [rounded(x), rounded(y)];
    if (this.points >= MAX_POINTS) return false;
    if (last >= 0 && stroke.x[last] === px && stroke.y[last] === py && !stroke.pressure) return false;
    stroke.x.push(px);
    stroke.y.push(py);
    stroke.time.push(Math.round(time));
    if (stroke.pressure) stroke.pressure.push(Math.round(Math.min(Math.max(pressure, 0), 1) * 1e3) / 1e3);
    this.points++;
    return true;
  }

  /** Take back a stroke that the system broke off. */
  abandon(stroke) {
    this.done = this.done.filter((action) => action.stroke !== stroke);
    this.replay();
  }

  clear() {
    if (this.empty) return false;
    this.done.push({ clear: true });
    this.undone = [];
    if (this.done.length > KEPT) {
      const cut = this.done.findIndex((action, k) => action.clear && this.done.length - k - 1 <= KEPT / 2);
      this.done = this.done.slice(cut + 1);
    }
    this.replay();
    return true;
  }

  undo() {
    return this.move(this.done, this.undone);
  }

  redo() {
    return this.move(this.undone, this.done);
  }

  move(from, to) {
    if (!from.length) return false;
    to.push(from.pop());
    this.replay();
    return true;
  }

  replay() {
    this.strokes = [];
    for (const action of this.done) {
      if (action.clear) this.strokes = [];
      else this.strokes.push(action.stroke);
    }
    this.points = sum(this.strokes.map((stroke) => stroke.x.length));
  }

  /** The longer side of the box around all points. */
  extent() {
    const coordinates = (axis) => this.strokes.flatMap((stroke) => stroke[axis]);
    const range = (values) => most(values) - least(values);
    return this.points ? Math.max(range(coordinates("x")), range(coordinates("y"))) : 0;
  }

  /** As fastetl.Drawing reads it. */
  values() {
    const { width, height, pen, strokes } = this;
    return { width, height, pen, strokes };
  }
}
