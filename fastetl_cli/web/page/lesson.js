// Practice: a sound to write, the network's reading of it, the strokes after two misses.

import { DAYS } from "./cards.js";
import { t } from "./text.js";
import { answers, confidence, otherSize, twin } from "./verdict.js";

const element = (id) => document.getElementById(id);
const SMALL = /^small /;
const HALF = 0.58; // of the square's side: what a small kana stays below

export class Lesson {
  /** `read()`: probabilities of what is drawn. `order`: shows strokes. `kept()`: called when a card has changed. */
  constructor({ kana, labels, cards, board, order, read, kept }) {
    Object.assign(this, { labels, cards, board, order, read, kept });
    this.known = new Set(labels.labels);
    this.kana = new Map(kana.map((one) => [one.character, one]));
    this.script = "hiragana";
    this.current = null;
    this.state = "idle"; // asked, checking, done
    element("check").addEventListener("click", () => this.check());
    element("unknown").addEventListener("click", () => this.give());
    element("next").addEventListener("click", () => this.ask());
    for (const button of document.querySelectorAll("[data-set]")) {
      button.addEventListener("click", () => this.choose(button.dataset.set));
    }
  }

  chosen() {
    return [...this.kana.values()].filter((k) => k.script === this.script && this.known.has(k.character)).map((k) => k.character);
  }

  choose(script) {
    this.script = script;
    this.mark();
    this.ask();
  }

  mark() {
    for (const button of document.querySelectorAll("[data-set]")) {
      button.setAttribute("aria-pressed", String(button.dataset.set === this.script));
    }
  }

  open() {
    if (!this.chosen().length) this.script = this.script === "hiragana" ? "katakana" : "hiragana";
    this.mark();
    if (!this.current) this.ask();
    else this.render();
  }

  /** The next card, or the one that the user chose in the table. */
  ask(character = this.cards.next(this.chosen())) {
    this.current = character ? this.kana.get(character) : null;
    if (this.current) this.script = this.current.script;
    this.mark();
    this.misses = 0;
    this.given = false;
    this.state = this.current ? "asked" : "idle";
    this.order.hide();
    this.board.renew();
    this.say("", "");
    this.render();
    if (this.current) this.board.canvas.focus({ preventScroll: true });
  }

  say(verdict, advice, kind = "") {
    element("verdict").textContent = verdict;
    element("verdict").dataset.kind = kind;
    element("advice").textContent = advice;
  }

  render() {
    const one = this.current;
    element("prompt-script").textContent = one ? t("prompt", t(one.script)) : t("nothingToPractise");
    element("prompt-sound").textContent = one ? one.sound : "";
    const blank = one?.word && one.word.replace(one.character, "◯");
    element("prompt-word").textContent = blank ? t("promptWord", blank) : "";
    const asked = this.state === "asked";
    element("check").hidden = element("unknown").hidden = !asked;
    element("next").hidden = this.state !== "done";
    element("check").disabled = this.board.empty;
    const all = this.chosen();
    const sums = all.map((c) => this.cards.get(c));
    const practised = sums.filter((card) => card.asked).length;
    const total = (key) => sums.reduce((a, card) => a + card[key], 0);
    const counts = DAYS.map((_, k) => sums.filter((card) => card.asked && card.box === k).length);
    const most = Math.max(...counts, 1);
    element("boxes").replaceChildren(
      ...counts.map((count, k) => {
        const box = document.createElement("span");
        box.classList.toggle("here", Boolean(one) && this.cards.get(one.character).asked > 0 && this.cards.get(one.character).box === k);
        const fill = document.createElement("i");
        fill.style.height = `${(count / most) * 100}%`;
        const number = document.createElement("small");
        number.textContent = String(count);
        box.append(fill, number);
        return box;
      }),
    );
    element("progress").textContent = t("tableSum", practised, all.length, total("right"), total("asked"));
  }

  changed() {
    element("check").disabled = this.board.empty;
  }

  async check() {
    if (this.state !== "asked" || this.board.empty) return;
    this.state = "checking";
    const one = this.current;
    try {
      const found = await this.read();
      if (this.current !== one) return;
      this.state = "asked";
      this.judge(answers(found, this.labels, new Set(this.chosen())));
    } catch (error) {
      this.state = "asked";
      this.say(t("failed", error.message), "", "missed");
    }
  }

  judge(list) {
    const one = this.current, drawn = this.board.drawing.strokes.length;
    const kind = confidence(list, this.labels.threshold);
    const size = otherSize(one.character) === list[0].label;
    // Alone on a canvas, a small kana is a large one but for its size: there the size itself decides.
    const fits = size && this.board.drawing.extent() < HALF === SMALL.test(one.sound);
    const same = fits || list[0].label === one.character || twin(list[0].label) === one.character;
    if (kind === "none" || (kind === "unsure" && !same)) {
      this.say(t("unread"), "", "unread");
      return;
    }
    if (same) {
      const needed = one.strokes.length;
      const counts = needed === drawn ? "" : needed === 1 ? t("strokesOne", 1, drawn) : t("strokes", needed, drawn);
      this.finish(t(this.misses ? "rightAgain" : "right", one.character), counts, "right");
      return;
    }
    this.misses++;
    const read = list[0].label;
    // What differs only in size is said in words: another try would look the same.
    const told = size ? t(SMALL.test(one.sound) ? "wroteLarge" : "wroteSmall", read, one.character) : "";
    if (this.misses < 2) {
      this.say(told || t("missed", read), "", "missed");
      this.board.clear();
      return;
    }
    this.board.renew();
    this.order.show(one.strokes);
    this.finish(t("missedTwice", read, one.character), told, "missed");
  }

  /** "I do not know": the answer at once. */
  give() {
    if (this.state !== "asked") return;
    this.misses = 2;
    this.board.renew();
    this.order.show(this.current.strokes);
    this.finish(t("shown", this.current.character), "", "missed");
  }

  finish(verdict, advice, kind) {
    const card = this.cards.answered(this.current.character, this.misses);
    this.kept();
    this.state = "done";
    const days = DAYS[card.box];
    const [soon, tomorrow, later] = t("comesBack");
    const back = days === 0 ? soon : days === 1 ? tomorrow : later.replace("{0}", days);
    this.say(verdict, [advice, back].filter(Boolean).join(" "), kind);
    this.render();
  }
}
