// Strokes with undo and redo. The canvas is the unit square, so that a drawing does not depend on the screen.

import { MAX_POINTS, MAX_STROKES, PEN } from "./ink.js";
import { minOf, maxOf, sum } from "./numbers.js";

const MAX_ACTIONS = 200; // actions that can be undone

export class Drawing {
  /** `width`: of the canvas, whose height is 1. `pen`: as a fraction of the longer side. */
  constructor(width = 1, pen = PEN) {
    this.width = width;
    this.height = 1;
    this.pen = pen;
    this.done = [];
    this.undone = [];
    this.strokes = [];
    this.pointCount = 0;
  }

  get isEmpty() {
    return this.strokes.length === 0;
  }

  /** A new stroke, to which `extend` adds points; null if the drawing is full. */
  begin(hasPressure) {
    if (this.strokes.length >= MAX_STROKES || this.pointCount >= MAX_POINTS) return null;
    const stroke = { x: [], y: [], time: [] };
    if (hasPressure) stroke.pressure = [];
    this.done.push({ stroke });
    this.undone = [];
    this.strokes.push(stroke);
    return stroke;
  }

  /** Whether the point was added: not if it stands where the last one does, or the drawing is full. */
  extend(stroke, x, y, pressure, time) {
    const rounded = (value) => Math.round(Math.min(Math.max(value, -8), 9) * 1e5) / 1e5;
    const [newX, newY] = [rounded(x), rounded(y)];
    if (this.pointCount >= MAX_POINTS) return false;
    if (stroke.x.at(-1) === newX && stroke.y.at(-1) === newY && !stroke.pressure) return false;
    stroke.x.push(newX);
    stroke.y.push(newY);
    stroke.time.push(Math.round(time));
    if (stroke.pressure) stroke.pressure.push(Math.round(Math.min(Math.max(pressure, 0), 1) * 1e3) / 1e3);
    this.pointCount++;
    return true;
  }

  /** Take back a stroke that the system broke off. */
  abandon(stroke) {
    this.done = this.done.filter((action) => action.stroke !== stroke);
    this.replay();
  }

  clear() {
    if (this.isEmpty) return false;
    this.done.push({ clear: true });
    this.undone = [];
    if (this.done.length > MAX_ACTIONS) {
      const index = this.done.findIndex((action, k) => action.clear && this.done.length - k - 1 <= MAX_ACTIONS / 2);
      this.done = this.done.slice(index + 1);
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
    this.pointCount = sum(this.strokes.map((stroke) => stroke.x.length));
  }

  /** The longer side of the box around all points. */
  extent() {
    const coordinates = (axis) => this.strokes.flatMap((stroke) => stroke[axis]);
    const range = (values) => maxOf(values) - minOf(values);
    return this.pointCount ? Math.max(range(coordinates("x")), range(coordinates("y"))) : 0;
  }

  /** As fastetl.Drawing reads it. */
  values() {
    const { width, height, pen, strokes } = this;
    return { width, height, pen, strokes };
  }
}
