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
  show(strokes, isMoving = !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    this.strokes = strokes;
    const turn = ++this.turn;
    if (!strokes) return;
    const lengths = strokes.map((s) => lengthsOf(s).at(-1));
    const total = sum(lengths) + 150 * strokes.length;
    const begin = performance.now();
    const speed = 1.2; // box units a millisecond
    const draw = (now) => {
      if (turn !== this.turn) return;
      const drawnLength = isMoving ? (now - begin) * speed : Infinity;
      this.paint(strokes, lengths, drawnLength);
      if (drawnLength < total) requestAnimationFrame(draw);
    };
    draw(begin);
  }

  paint(strokes, lengths, drawnLength) {
    const canvas = this.board.overlay, context = canvas.getContext("2d");
    const side = canvas.width, scale = side / this.box;
    context.clearRect(0, 0, side, side);
    context.lineCap = context.lineJoin = "round";
    let lengthLeft = drawnLength;
    strokes.forEach((stroke, number) => {
      context.lineWidth = side * 0.035;
      context.strokeStyle = this.board.colour("--model");
      trace(context, stroke, Math.min(lengthLeft, lengths[number]), scale);
      if (lengthLeft > 0) {
        const [x, y] = stroke;
        context.fillStyle = this.board.colour("--accent");
        context.font = `600 ${Math.round(side * 0.042)}px system-ui, sans-serif`;
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.fillText(String(number + 1), x * scale - side * 0.03, y * scale - side * 0.03);
      }
      lengthLeft -= lengths[number] + 150;
    });
  }
}

function lengthsOf(stroke) {
  const distances = [0];
  for (let k = 2; k < stroke.length; k += 2) {
    distances.push(distances.at(-1) + Math.hypot(stroke[k] - stroke[k - 2], stroke[k + 1] - stroke[k - 1]));
  }
  return distances;
}

function trace(context, stroke, drawnLength, scale) {
  if (drawnLength <= 0) return;
  const distances = lengthsOf(stroke);
  context.beginPath();
  context.moveTo(stroke[0] * scale, stroke[1] * scale);
  for (let k = 1; k < distances.length; k++) {
    const part = Math.min(1, (drawnLength - distances[k - 1]) / Math.max(distances[k] - distances[k - 1], 1e-9));
    const coordinate = (axis) => stroke[2 * k - 2 + axis] + part * (stroke[2 * k + axis] - stroke[2 * k - 2 + axis]);
    context.lineTo(coordinate(0) * scale, coordinate(1) * scale);
    if (part < 1) break;
  }
  context.stroke();
}
