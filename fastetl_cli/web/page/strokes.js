// The stroke order of a character, drawn over the canvas with numbers.

import { sum } from "./numbers.js";

export class StrokeOrder {
  constructor(board, box) {
    this.board = board;
    this.box = box;
    this.strokes = null;
    this.turn = 0;
    board.onfit = () => this.show(this.strokes, false);
  }

  hide() {
    this.strokes = null;
    this.turn++;
    const canvas = this.board.overlay;
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  }

  /** Draw `strokes` (of kana.json) as a pen would, or at once where the user prefers less motion. */
  show(strokes, moving = !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    this.strokes = strokes;
    const turn = ++this.turn;
    if (!strokes) return;
    const lengths = strokes.map((s) => lengthsOf(s).at(-1));
    const total = sum(lengths) + 150 * strokes.length;
    const begin = performance.now();
    const speed = 1.2; // box units a millisecond
    const draw = (now) => {
      if (turn !== this.turn) return;
      const reached = moving ? (now - begin) * speed : Infinity;
      this.paint(strokes, lengths, reached);
      if (reached < total) requestAnimationFrame(draw);
    };
    draw(begin);
  }

  paint(strokes, lengths, reached) {
    const canvas = this.board.overlay, context = canvas.getContext("2d");
    const n = canvas.width, scale = n / this.box;
    context.clearRect(0, 0, n, n);
    context.lineCap = context.lineJoin = "round";
    let left = reached;
    strokes.forEach((stroke, number) => {
      context.lineWidth = n * 0.035;
      context.strokeStyle = this.board.colour("--model");
      trace(context, stroke, Math.min(left, lengths[number]), scale);
      if (left > 0) {
        const [x, y] = stroke;
        context.fillStyle = this.board.colour("--accent");
        context.font = `600 ${Math.round(n * 0.042)}px system-ui, sans-serif`;
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.fillText(String(number + 1), x * scale - n * 0.03, y * scale - n * 0.03);
      }
      left -= lengths[number] + 150;
    });
  }
}

function lengthsOf(stroke) {
  const along = [0];
  for (let k = 2; k < stroke.length; k += 2) {
    along.push(along.at(-1) + Math.hypot(stroke[k] - stroke[k - 2], stroke[k + 1] - stroke[k - 1]));
  }
  return along;
}

function trace(context, stroke, reached, scale) {
  if (reached <= 0) return;
  const along = lengthsOf(stroke);
  context.beginPath();
  context.moveTo(stroke[0] * scale, stroke[1] * scale);
  for (let k = 1; k < along.length; k++) {
    const part = Math.min(1, (reached - along[k - 1]) / Math.max(along[k] - along[k - 1], 1e-9));
    const at = (axis) => stroke[2 * k - 2 + axis] + part * (stroke[2 * k + axis] - stroke[2 * k - 2 + axis]);
    context.lineTo(at(0) * scale, at(1) * scale);
    if (part < 1) break;
  }
  context.stroke();
}
