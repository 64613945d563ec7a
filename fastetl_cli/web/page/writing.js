// Words and lines on a wide canvas: the text grows while one writes; a character can be tapped for what else it may be.

import { Board } from "./board.js";
import { element, newButton } from "./dom.js";
import { loadTables, readDrawing } from "./lines.js";
import { t } from "./text.js";

const NARROW = 3, WIDE = 8, ROOM = 0.8, REST = 0.5; // widths of the canvas and room at its ends, in heights
const PAUSE = 700; // milliseconds

export class Writing {
  /** `words`: entries of kana.json that have one. `areAlike(a, b)`: whether two texts count as the same. */
  constructor({ engine, facts, words, areAlike, showError, toast }) {
    Object.assign(this, { engine, facts, words, areAlike, showError, toast });
    this.lines = [];
    this.takenText = "";
    this.choices = new WeakMap(); // first stroke of a character → its number of strokes, and what its writer says it is
    this.word = null;
    this.turn = 0;
    this.isWanted = false;
    this.reading = null; // of all that is written: a promise while it is under way
    const boardOptions = { frame: "strip-frame", canvas: "strip", width: NARROW };
    this.board = new Board(null, (kind) => this.changed(kind), boardOptions);
    new ResizeObserver(() => this.fit()).observe(element("strip-frame"));
    const handlers = {
      "strip-undo": () => this.board.undo(),
      "strip-redo": () => this.board.redo(),
      "strip-clear": () => this.board.clear(),
      take: () => this.take(),
      copy: () => this.copy(),
      "forget-text": () => this.restart(),
      words: () => this.ask(this.word ? null : this.next()),
      "word-check": () => this.check(),
      "word-next": () => this.ask(this.next()),
    };
    for (const [id, handle] of Object.entries(handlers)) element(id).addEventListener("click", handle);
    element("words").hidden = !words.length;
  }

  open() {
    this.load().catch(this.showError);
    this.fit();
    this.board.fit();
    this.render();
  }

  /** The tables of lines. Where a server was gone, the next call asks again. */
  load() {
    this.tables ??= loadTables().catch((error) => {
      this.tables = null;
      throw error;
    });
    return this.tables;
  }

  /** No part of the frame is without canvas, when a phone was turned either. */
  fit() {
    const minWidth = this.minWidth();
    if (this.board.isEmpty ? this.board.width !== minWidth : this.board.width < minWidth) this.board.widen(minWidth);
  }

  /** Width of an empty canvas: what is seen at least. */
  minWidth() {
    const { clientWidth, clientHeight } = element("strip-frame");
    return clientHeight ? Math.max(NARROW, clientWidth / clientHeight) : this.board.width;
  }

  changed(kind) {
    const { drawing, isEmpty } = this.board;
    element("strip-undo").disabled = !drawing.done.length;
    element("strip-redo").disabled = !drawing.undone.length;
    element("strip-clear").disabled = isEmpty;
    element("strip-frame").classList.toggle("drawn", !isEmpty);
    if (kind === "points") return;
    this.turn++;
    if (kind === "stroke") this.grow();
    this.read();
  }

  grow() {
    const right = this.board.drawing.strokes.reduce((maxX, { x }) => x.reduce((a, b) => Math.max(a, b), maxX), 0);
    const isAtEnd = right > this.board.width - ROOM;
    if (isAtEnd && this.board.width < WIDE) this.board.widen(this.board.width + 1);
    else element("take").classList.toggle("strong", isAtEnd); // there will be no more room on this canvas
    // Only when the pen rests: the canvas must not move under it.
    clearTimeout(this.scrollTimer);
    this.scrollTimer = setTimeout(() => {
      const frame = element("strip-frame"), end = right * frame.clientHeight;
      const isHidden = end > frame.scrollLeft + frame.clientWidth - REST * frame.clientHeight;
      if (isHidden && !this.board.active) frame.scrollTo({ left: end - 0.4 * frame.clientWidth });
    }, PAUSE);
  }

  /** One reading at a time; what is written meanwhile is read next. */
  read() {
    this.isWanted = true;
    this.reading ??= this.readAll().finally(() => {
      this.reading = null;
    });
  }

  async readAll() {
    while (this.isWanted) {
      this.isWanted = false;
      const { turn } = this;
      try {
        const isCurrent = () => turn === this.turn;
        const lines = await readDrawing(this.board.drawing, this.engine, this.facts, await this.load(), isCurrent);
        if (lines && isCurrent()) {
          this.isUnread = false;
          this.lines = lines;
          this.render();
        }
      } catch (error) {
        this.isUnread = true;
        this.showError(error);
      }
    }
  }

  /** What was chosen for a character, unless strokes have come or gone since. */
  choiceOf({ strokes }) {
    const choice = this.choices.get(strokes[0]);
    return choice?.count === strokes.length ? choice.label : null;
  }

  labelOf(character) {
    return this.choiceOf(character) ?? character.label;
  }

  text() {
    const words = ({ characters }) => characters.map((one) => (one.space ? " " : "") + this.labelOf(one)).join("");
    return this.lines.map(words).join("\n");
  }

  render() {
    const buttons = this.lines.flatMap(({ characters }, n) => [
      ...(n ? [document.createElement("br")] : []),
      ...characters.flatMap((character) => [...(character.space ? [" "] : []), this.button(character)]),
    ]);
    element("written").replaceChildren(this.takenText, ...buttons);
    element("instead").replaceChildren();
    element("take").disabled = !this.lines.length;
    if (this.board.isEmpty) element("take").classList.remove("strong");
    element("copy").disabled = element("forget-text").disabled = !this.takenText && !this.lines.length;
    element("words").textContent = t(this.word ? "wordsEnd" : "words");
    element("word").hidden = !this.word;
    if (!this.word) return;
    const { script, romaji, meaning } = this.word;
    element("word-ask").textContent = t("wordAsk", t(script).toLowerCase(), romaji, meaning);
    element("word-check").disabled = !this.lines.length;
  }

  button(character) {
    const button = newButton(this.labelOf(character), () => this.offer(character));
    button.classList.toggle("uncertain", character.uncertain && !this.choiceOf(character));
    button.setAttribute("aria-label", t("writtenAs", button.textContent));
    return button;
  }

  offer(character) {
    const choices = character.alternatives.map(({ label }) => {
      const choice = newButton(label, () => {
        this.choices.set(character.strokes[0], { count: character.strokes.length, label });
        this.render();
      });
      choice.lang = "ja";
      return choice;
    });
    element("instead").replaceChildren(t("instead"), " ", ...choices);
    choices[0].focus();
  }

  /** The text is done, with the last strokes; the canvas is empty again. */
  async take() {
    await this.reading;
    if (this.isUnread) return;
    this.takenText += this.text();
    this.renew();
  }

  restart() {
    this.takenText = "";
    this.renew();
  }

  renew() {
    this.isUnread = false;
    this.lines = [];
    this.board.widen(this.minWidth());
    this.board.renew();
    element("strip-frame").scrollTo({ left: 0 });
    this.render();
  }

  async copy() {
    try {
      await this.reading;
      await copyText(this.takenText + this.text());
      this.toast(t("copied"));
    } catch (error) {
      this.showError(error);
    }
  }

  next() {
    const otherWords = this.words.filter((word) => word !== this.word);
    return otherWords[Math.floor(Math.random() * otherWords.length)];
  }

  /** A word to practise, or null. */
  ask(word) {
    this.word = word;
    element("word-said").textContent = "";
    this.restart();
  }

  async check() {
    const askedWord = this.word;
    await this.reading;
    if (this.isUnread || askedWord !== this.word) return;
    const read = this.text(), { word } = askedWord;
    const isRight = this.areAlike(read.replace(/\s/g, ""), word); // wide gaps are no fault
    element("word-said").textContent = isRight ? t("right", word) : t("wordMissed", read, word);
    element("word-said").dataset.kind = isRight ? "right" : "missed";
  }
}

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // A phone gets this page without HTTPS, where browsers have the older way alone.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("this browser does not let pages copy");
}
