// What the network sees, and which ink decided between its two likeliest answers.

import { paintPicture } from "./corrections.js";
import { element } from "./dom.js";
import { occlusion, strongest } from "./occlusion.js";
import { framed } from "./seeing.js";
import { t } from "./text.js";

export class Sight {
  constructor(board, engine, preprocessing, facts) {
    Object.assign(this, { board, engine, preprocessing, facts });
    this.turn = 0;
    this.pair = null;
  }

  /** The framed picture, and the question that the two likeliest answers raise. */
  show(picture, list) {
    const emptyFrame = { side: 40, pixels: new Float64Array(1600) };
    const { side, pixels } = picture ? framed(picture, this.board.side, this.preprocessing) : emptyFrame;
    paintPicture(element("seen"), pixels.map((value) => 255 * value), side);
    this.forget();
    // "No character" has no shape of its own to compare with.
    const likeliest = (list ?? []).filter((answer) => !answer.none).slice(0, 2);
    this.pair = likeliest.length === 2 ? likeliest.map((answer) => answer.label) : null;
    const button = element("why");
    button.disabled = !this.pair;
    button.textContent = this.pair ? t("why", ...this.pair) : t("whyNone");
  }

  forget() {
    this.turn++;
    element("why-said").replaceChildren();
    if (!this.isShown) return;
    this.isShown = false;
    const canvas = this.board.overlay;
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    this.board.frame.classList.remove("explained");
  }

  async explain() {
    if (!this.pair || this.board.isEmpty) return;
    this.forget();
    const turn = this.turn, pair = this.pair;
    element("why-said").textContent = t("whyBusy");
    const picture = this.board.ink.picture();
    const classes = pair.map((label) => this.facts.labels.indexOf(label));
    const map = await occlusion(this.engine, picture, this.board.side, classes, () => turn === this.turn);
    if (!map || turn !== this.turn) return;
    this.paint(map, picture);
    const colours = pair.map((label, k) => {
      const mark = document.createElement("b");
      mark.className = k ? "second" : "first";
      mark.textContent = label;
      return mark;
    });
    const parts = t("whySaid", "\u0000", "\u0000").split("\u0000");
    element("why-said").replaceChildren(parts[0], colours[0], parts[1], colours[1], parts[2]);
    const place = strongest(map, picture, this.board.side, 1);
    if (place) element("why-said").append(" ", t("whyMost", pair[0], t("places")[place[0] * 3 + place[1]]));
  }

  paint(map, picture) {
    const { side, overlay, frame } = this.board;
    const maxChange = map.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-6);
    const colours = ["--speaks-first", "--speaks-second"].map((name) => rgb(this.board.colour(name)));
    const small = new OffscreenCanvas(side, side);
    const context = small.getContext("2d");
    const image = context.createImageData(side, side);
    map.forEach((value, k) => {
      const strength = Math.min(1, (Math.abs(value) / maxChange) ** 0.7);
      image.data.set([...colours[value > 0 ? 0 : 1], picture[k] * strength], 4 * k);
    });
    context.putImageData(image, 0, 0);
    const target = overlay.getContext("2d");
    target.clearRect(0, 0, overlay.width, overlay.height);
    target.imageSmoothingQuality = "high";
    target.drawImage(small, 0, 0, overlay.width, overlay.height);
    frame.classList.add("explained");
    this.isShown = true;
  }
}

function rgb(colour) {
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
}
