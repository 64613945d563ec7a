// The canvas: pointer and keyboard in, strokes out, the same ink on the screen as in the picture.

import { Drawing } from "./drawing.js";
import { Ink, PEN, segments } from "./ink.js";

const STEP = 0.025; // of the height, for the arrow keys
const TOGETHER = 300; // milliseconds within which two fingers touch the canvas to move it
const PEN_OF_WIDE = 0.035; // of the height of a wide canvas

export class Board {
  /**
   * `changed(kind, time)`: kind is points, stroke (one ended) or edit (undo, redo, clear); time of the last point.
   * `side`: of the picture of a square canvas. A wide one has none, and `width` times its height.
   */
  constructor(side, changed, { frame = "sheet-frame", canvas = "sheet", width = 1 } = {}) {
    this.side = side;
    this.changed = changed;
    this.width = width;
    this.drawing = this.blank();
    this.ink = side ? new Ink(side) : null;
    this.device = "unknown";
    this.active = null;
    this.panning = null;
    this.cursor = null;
    this.beginTime = 0;
    this.frame = document.getElementById(frame);
    this.canvas = document.getElementById(canvas);
    this.guide = side ? document.getElementById("guide") : null;
    this.overlay = side ? document.getElementById("overlay") : null;
    this.listen();
    new ResizeObserver(() => this.fit()).observe(this.frame);
    this.fit();
  }

  listen() {
    const on = (name, handle) => this.canvas.addEventListener(name, handle, { passive: false });
    on("pointerdown", (event) => this.pointerDown(event));
    // Coalesced points come with pointermove; a browser that sends them raw need not wait for its next frame.
    on("pointermove", (event) => this.pointerMove(event));
    on("pointerup", (event) => this.pointerUp(event));
    on("pointercancel", (event) => this.pointerCancel(event));
    on("lostpointercapture", (event) => this.pointerUp(event));
    on("contextmenu", (event) => event.preventDefault());
    on("touchstart", (event) => event.preventDefault());
    on("keydown", (event) => this.keyDown(event));
    on("blur", () => this.lift());
  }

  get isEmpty() {
    return this.drawing.isEmpty;
  }

  blank() {
    return new Drawing(this.width, this.side ? PEN : PEN_OF_WIDE / this.width);
  }

  /** Another width of a wide canvas, in heights. */
  widen(width) {
    this.width = width;
    Object.assign(this.drawing, { width, pen: PEN_OF_WIDE / width });
    if (this.cursor) this.cursor.x = Math.min(this.cursor.x, width);
    this.pixels = null;
    this.fit();
  }

  fit() {
    const { clientWidth, clientHeight } = this.frame;
    const ratio = Math.max(1, Math.min(devicePixelRatio || 1, 4));
    const pixels = Math.round((this.side ? clientWidth : clientHeight) * ratio);
    if (!clientWidth || pixels === this.pixels) return;
    this.pixels = pixels;
    for (const canvas of [this.canvas, this.guide, this.overlay].filter(Boolean)) {
      canvas.width = Math.round(pixels * this.width);
      canvas.height = pixels;
    }
    if (!this.side) this.canvas.style.width = `${clientHeight * this.width}px`;
    this.paintGuide();
    this.paint();
    this.onfit?.();
  }

  colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  paintGuide() {
    if (!this.guide) return;
    const context = this.guide.getContext("2d");
    const side = this.pixels, line = Math.max(1, Math.round(side / 480));
    context.clearRect(0, 0, side, side);
    context.strokeStyle = this.colour("--guide");
    context.lineWidth = line;
    context.setLineDash([side / 60, side / 60]);
    context.beginPath();
    context.moveTo(side / 2, side * 0.04);
    context.lineTo(side / 2, side * 0.96);
    context.moveTo(side * 0.04, side / 2);
    context.lineTo(side * 0.96, side / 2);
    context.stroke();
  }

  /** Everything anew: after undo, redo, clear, another size or another theme. */
  paint() {
    this.ink?.clear();
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    for (const stroke of this.drawing.strokes) this.add(stroke, 0);
    this.paintCursor();
  }

  repaint() {
    this.paintGuide();
    this.paint();
    this.onfit?.();
  }

  /** The segments of a stroke from point `first` on, into the picture and onto the screen. */
  add(stroke, first) {
    if (this.ink) for (const segment of segments(this.drawing, stroke, this.side, first)) this.ink.add(segment);
    const { width, height } = this.canvas, longer = Math.max(width, height);
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, (width - longer) / 2, (height - longer) / 2);
    context.strokeStyle = this.colour("--ink-drawn");
    context.lineCap = context.lineJoin = "round";
    for (const [ax, ay, bx, by, ra, rb] of segments(this.drawing, stroke, longer, first)) {
      context.lineWidth = ra + rb;
      context.beginPath();
      context.moveTo(ax, ay);
      context.lineTo(bx, by);
      context.stroke();
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  positionOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.width, (event.clientY - box.top) / box.height];
  }

  pointerDown(event) {
    // The hand that holds a pen touches the screen before the pen does.
    if (event.pointerType === "pen" && this.active && this.device === "touch") this.abandon();
    if (this.isSecondFinger(event)) {
      this.abandon();
      this.panning = { id: event.pointerId, from: event.clientX + this.frame.scrollLeft };
    }
    if (this.active || this.panning || event.button !== 0) return;
    event.preventDefault();
    this.lift();
    this.canvas.focus({ preventScroll: true });
    const stroke = this.drawing.begin(event.pointerType === "pen");
    if (!stroke) return;
    try {
      this.canvas.setPointerCapture(event.pointerId);
    } catch {
      // A pointer that is gone already: its stroke ends with the next event.
    }
    this.device = ["mouse", "touch", "pen"].includes(event.pointerType) ? event.pointerType : "unknown";
    if (this.drawing.strokes.length === 1) this.beginTime = event.timeStamp;
    this.active = { stroke, id: event.pointerId, time: event.timeStamp };
    this.addPoints([event]);
  }

  /** Two fingers move a wide canvas, as the browser does not: what touches it draws. */
  isSecondFinger(event) {
    const areFingers = this.device === "touch" && event.pointerType === "touch";
    return !this.side && this.active && areFingers && event.timeStamp - this.active.time < TOGETHER;
  }

  pointerMove(event) {
    if (event.pointerId === this.panning?.id) this.frame.scrollLeft = this.panning.from - event.clientX;
    if (!this.active || event.pointerId !== this.active.id) return;
    event.preventDefault();
    const coalesced = event.getCoalescedEvents?.() ?? [];
    this.addPoints(coalesced.length ? coalesced : [event]);
  }

  addPoints(events) {
    const { stroke } = this.active;
    const first = Math.max(stroke.x.length - 1, 0);
    let hasGrown = false;
    for (const event of events) {
      const [x, y] = this.positionOf(event);
      hasGrown = this.drawing.extend(stroke, x, y, event.pressure, event.timeStamp - this.beginTime) || hasGrown;
    }
    if (!hasGrown) return;
    this.add(stroke, first);
    this.changed("points", events.at(-1).timeStamp);
  }

  pointerUp(event) {
    if (event.pointerId === this.panning?.id) this.panning = null;
    if (!this.active || event.pointerId !== this.active.id) return;
    this.active = null;
    this.changed("stroke", event.timeStamp);
  }

  pointerCancel(event) {
    if (event.pointerId === this.panning?.id) this.panning = null;
    if (this.active && event.pointerId === this.active.id) this.abandon();
  }

  abandon() {
    this.drawing.abandon(this.active.stroke);
    this.edited();
  }

  edited() {
    this.active = null;
    this.paint();
    this.changed("edit", performance.now());
  }

  undo() {
    if (!this.active && this.drawing.undo()) this.edited();
  }

  redo() {
    if (!this.active && this.drawing.redo()) this.edited();
  }

  clear() {
    this.lift();
    if (!this.active && this.drawing.clear()) this.edited();
  }

  /** A new sheet: nothing to undo. */
  renew() {
    this.restore(this.blank(), "unknown");
  }

  restore(drawing, device) {
    this.drawing = drawing;
    this.device = device;
    this.active = null;
    this.edited();
  }

  // The pen of the keyboard: a mark that the arrow keys move, in heights, and that draws while it is down.

  keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === " ") {
      event.preventDefault();
      this.cursor ??= { x: 0.5, y: 0.5, stroke: null };
      if (this.cursor.stroke) this.lift();
      else this.startStroke(event.timeStamp);
    } else if (event.key in moves) {
      event.preventDefault();
      const [dx, dy] = moves[event.key];
      this.cursor ??= { x: 0.5, y: 0.5, stroke: null };
      const clamped = (value, limit) => Math.min(Math.max(value, 0), limit);
      this.cursor.x = clamped(this.cursor.x + dx * STEP, this.width);
      this.cursor.y = clamped(this.cursor.y + dy * STEP, 1);
      if (this.cursor.stroke) this.trace(event.timeStamp);
      this.paintCursor();
    }
  }

  startStroke(time) {
    const stroke = this.drawing.begin(false);
    if (!stroke) return;
    if (this.drawing.strokes.length === 1) this.beginTime = time;
    this.device = "unknown";
    this.cursor.stroke = stroke;
    this.trace(time);
    this.paintCursor();
  }

  trace(time) {
    const { x, y, stroke } = this.cursor;
    const first = Math.max(stroke.x.length - 1, 0);
    if (!this.drawing.extend(stroke, x, y, 0.5, time - this.beginTime)) return;
    this.add(stroke, first);
    this.changed("points", time);
  }

  lift() {
    if (!this.cursor?.stroke) return;
    this.cursor.stroke = null;
    this.paintCursor();
    this.changed("stroke", performance.now());
  }

  paintCursor() {
    const cursor = this.cursor;
    this.frame.classList.toggle("keyed", Boolean(cursor));
    if (!cursor) return;
    let dot = this.frame.querySelector(".pen");
    if (!dot) {
      dot = document.createElement("span");
      dot.className = "pen";
      this.frame.append(dot);
    }
    dot.style.left = `${cursor.x * this.canvas.clientHeight}px`;
    dot.style.top = `${cursor.y * 100}%`;
    dot.classList.toggle("down", Boolean(cursor.stroke));
  }
}
