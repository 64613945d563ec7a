// Practice: the user writes a given sound, the network reads it, and after two misses the strokes are shown.

import { DAYS } from "./cards.js";
import { element } from "./dom.js";
import { sumOf } from "./tables.js";
import { t } from "./text.js";
import { answers, confidence, otherSize, twins } from "./verdict.js";

const SMALL = /^small /;
const HALF = 0.58; // of the square's side: what a small kana stays below

export class Lesson {
  /** `read()`: a promise of the drawing's probabilities. `strokeOrder`: shows strokes. `onRender()` is called when
   *  another card is shown. */
  constructor({ kana, facts, cards, board, strokeOrder, read, saveCards, onRender }) {
    Object.assign(this, { facts, cards, board, strokeOrder, read, saveCards, onRender, repeatVerdict: () => {} });
    this.knownLabels = new Set(facts.labels);
    this.kana = new Map(kana.map((entry) => [entry.character, entry]));
    this.script = "hiragana";
    this.row = null; // of the table, or null for all
    this.current = null;
    this.state = "idle"; // asked, checking, done
    element("check").addEventListener("click", () => this.check());
    element("unknown").addEventListener("click", () => this.giveUp());
    element("next").addEventListener("click", () => this.ask());
    element("strokes").addEventListener("click", () => this.strokeOrder.show(this.current.strokes));
    element("practice-row").addEventListener("change", ({ target }) => {
      this.row = target.value === "" ? null : Number(target.value);
      this.ask();
    });
    for (const button of document.querySelectorAll("[data-set]")) {
      button.addEventListener("click", () => this.choose(button.dataset.set));
    }
  }

  kanaOfScript() {
    const kana = [...this.kana.values()].filter(({ script }) => script === this.script);
    return kana.filter(({ character }) => this.knownLabels.has(character));
  }

  selectedCharacters() {
    const kana = this.kanaOfScript().filter(({ row }) => this.row === null || row === this.row);
    return kana.map(({ character }) => character);
  }

  choose(script) {
    this.script = script;
    if (!this.selectedCharacters().length) this.row = null;
    this.markChoices();
    this.ask();
  }

  markChoices() {
    for (const button of document.querySelectorAll("[data-set]")) {
      button.setAttribute("aria-pressed", String(button.dataset.set === this.script));
    }
    const rows = new Map(this.kanaOfScript().map((kana) => [kana.row, kana.character]).reverse()); // each by its first
    const options = [...rows].sort(([a], [b]) => a - b).map(([row, first]) => new Option(t("rowOf", first), row));
    element("practice-row").replaceChildren(new Option(t("allRows"), ""), ...options);
    element("practice-row").value = this.row ?? "";
  }

  open() {
    if (!this.selectedCharacters().length) this.script = this.script === "hiragana" ? "katakana" : "hiragana";
    this.markChoices();
    if (!this.current) this.ask();
    else this.render();
  }

  /** The next card, or the one that the user chose in the table. */
  ask(character = this.cards.next(this.selectedCharacters())) {
    this.current = character ? this.kana.get(character) : null;
    if (this.current) this.script = this.current.script;
    if (this.current && this.row !== null) this.row = this.current.row;
    this.markChoices();
    this.misses = 0;
    this.state = this.current ? "asked" : "idle";
    this.strokeOrder.hide();
    this.board.renew();
    this.say();
    this.render();
    if (this.current) this.board.canvas.focus({ preventScroll: true });
  }

  /** `verdict` and `advice` return texts; they are called again when the language changes. */
  say(verdict = () => "", advice = () => "", kind = "") {
    this.repeatVerdict = () => {
      element("verdict").textContent = verdict();
      element("advice").textContent = advice();
    };
    element("verdict").dataset.kind = kind;
    this.repeatVerdict();
  }

  render() {
    const kana = this.current;
    this.repeatVerdict();
    element("prompt-script").textContent = kana ? t("prompt", t(kana.script).toLowerCase()) : t("nothingToPractise");
    element("prompt-sound").textContent = kana ? kana.sound : "";
    const blank = kana?.word && kana.word.replace(kana.character, "◯");
    element("prompt-word").textContent = blank ? t("promptWord", blank, kana.meaning) : "";
    const isAsked = this.state === "asked";
    element("check").hidden = element("unknown").hidden = !isAsked;
    element("next").hidden = element("strokes").hidden = this.state !== "done";
    this.onRender();
    element("check").disabled = this.board.isEmpty;
    const cards = this.selectedCharacters().map((c) => this.cards.get(c));
    const counts = DAYS.map((_, k) => cards.filter((card) => card.askedCount && card.box === k).length);
    const maxCount = Math.max(...counts, 1);
    element("boxes").replaceChildren(
      ...counts.map((count, k) => {
        const box = document.createElement("span");
        const card = kana && this.cards.get(kana.character);
        box.classList.toggle("here", Boolean(card) && card.askedCount > 0 && card.box === k);
        const fill = document.createElement("i");
        fill.style.height = `${(count / maxCount) * 100}%`;
        const number = document.createElement("small");
        number.textContent = String(count);
        const name = document.createElement("em");
        name.textContent = t("boxNames")[k];
        box.append(fill, number, name);
        return box;
      }),
    );
    element("progress").textContent = sumOf(cards);
  }

  drawingChanged() {
    element("check").disabled = this.board.isEmpty;
  }

  async check() {
    if (this.state !== "asked" || this.board.isEmpty) return;
    this.state = "checking";
    const kana = this.current;
    try {
      const probabilities = await this.read();
      if (this.current !== kana) return;
      this.state = "asked";
      this.judge(answers(probabilities, this.facts, new Set(this.selectedCharacters())));
    } catch (error) {
      this.state = "asked";
      this.say(() => t("failed", error.message), undefined, "missed");
    }
  }

  judge(list) {
    const kana = this.current, strokeCount = this.board.drawing.strokes.length;
    const kind = confidence(list, this.facts.threshold);
    const isOtherSize = otherSize(kana.character) === list[0].label;
    // Alone on a canvas, a small and a large kana look alike, so that the size of the drawing decides.
    const isOfSize = isOtherSize && this.board.drawing.extent() < HALF === SMALL.test(kana.sound);
    // Among the kana of a row, what is none of them is like one of them.
    const isAlike = isOfSize || list[0].label === kana.character || twins(list[0].label).includes(kana.character);
    const isRight = isAlike && !list[0].foreign;
    if (kind === "none" || (kind === "unsure" && !isRight)) {
      this.say(() => t("unread"), undefined, "unread");
      return;
    }
    if (isRight) {
      const targetCount = kana.strokes.length;
      const countKey = targetCount === 1 ? "strokesOne" : "strokes";
      const counts = () => (targetCount === strokeCount ? "" : t(countKey, targetCount, strokeCount));
      const key = this.misses ? "rightAgain" : "right";
      this.finish(() => t(key, kana.character), counts, "right");
      return;
    }
    this.misses++;
    const label = list[0].label;
    // A difference in size alone is explained: another attempt would look the same.
    const sizeKey = SMALL.test(kana.sound) ? "wroteLarge" : "wroteSmall";
    const reason = () => (isOtherSize ? t(sizeKey, label, kana.character) : "");
    if (this.misses < 2) {
      this.say(() => reason() || t("missed", label), undefined, "missed");
      this.board.clear();
      return;
    }
    this.board.renew();
    this.strokeOrder.show(kana.strokes);
    this.finish(() => t("missedTwice", label, kana.character), reason, "missed");
  }

  /** "I do not know": the answer at once. */
  giveUp() {
    if (this.state !== "asked") return;
    this.misses = 2;
    this.board.renew();
    const { character, strokes } = this.current;
    this.strokeOrder.show(strokes);
    this.finish(() => t("shown", character), () => "", "missed");
  }

  finish(verdict, advice, kind) {
    const card = this.cards.recordAnswer(this.current.character, this.misses);
    this.saveCards();
    this.state = "done";
    const days = DAYS[card.box];
    const comeback = () => t("comesBack")[Math.min(days, 2)].replace("{0}", days);
    this.say(verdict, () => [advice(), comeback()].filter(Boolean).join(" "), kind);
    this.render();
  }
}
