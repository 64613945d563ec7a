// For pages of your own: the character or the text of a drawing, with the answers of Python's Recognizer.
//
//   import { openRecognizer } from "./pad/recognizer.js";
//   const recognizer = await openRecognizer();
//   const { text } = await recognizer.readLine({ width: 600, height: 200, strokes: [{ x: [20, 80], y: [50, 48] }] });
//
// A drawing has width and height of its canvas, strokes with lists x and y from its top left corner, perhaps of
// pressure (0–1), and perhaps the pen's width as a share of the longer side. The unit is yours, such as CSS pixels.

import { engineOf } from "./engine.js";
import { MAX_POINTS, MAX_STROKES, PEN, rasterize } from "./ink.js";
import { loadTables, readDrawing } from "./lines.js";
import { sum } from "./numbers.js";
import { fetchJson } from "./server.js";
import { answers, startTables } from "./verdict.js";

const REACH = 16; // longer sides of the canvas that a point may be outside of it

/** The drawing with the pen that it does not name. Throws a TypeError that says what is wrong with it. */
function check(drawing) {
  const fail = (what, expected, found) => {
    throw new TypeError(`${what}: expected ${expected}; found ${JSON.stringify(found)?.slice(0, 60)}`);
  };
  const isNumber = (value, low, high) => Number.isFinite(value) && value >= low && value <= high;
  const { width, height, pen = PEN, strokes } = drawing ?? {};
  for (const [name, side] of Object.entries({ width, height })) {
    if (!isNumber(side, 1e-3, 1e6)) fail(name, "0.001 to 1,000,000", side);
  }
  if (!isNumber(pen, 1e-5, 0.5)) fail("pen", "0.00001 to 0.5, a share of the canvas' longer side", pen);
  if (!Array.isArray(strokes)) fail("strokes", "a list of strokes, each with lists x and y", strokes);
  if (strokes.length > MAX_STROKES) fail("strokes", `at most ${MAX_STROKES}`, strokes.length);
  const limit = REACH * Math.max(width, height);
  const isColumn = (values, low, high) => Array.isArray(values) && values.every((value) => isNumber(value, low, high));
  for (const stroke of strokes) {
    const { x, y, pressure } = stroke ?? {};
    const isWhole = isColumn(x, -limit, limit) && isColumn(y, -limit, limit) && x.length === y.length;
    if (!isWhole) fail("a stroke", "lists x and y of as many numbers, near the canvas", stroke);
    if (pressure && !(isColumn(pressure, 0, 1) && pressure.length === x.length)) {
      fail("pressure", "a number from 0 to 1 for each point", pressure);
    }
  }
  const points = sum(strokes.map(({ x }) => x.length));
  if (points > MAX_POINTS) fail("strokes", `at most ${MAX_POINTS} points`, points);
  return { ...drawing, pen };
}

/** An open network; `openRecognizer` makes one. `labels`: what an answer may be, "no character" last. */
export class Recognizer {
  constructor(engine, facts, tables, charsets) {
    Object.assign(this, { engine, facts, tables, charsets, labels: facts.labels, threshold: facts.threshold });
  }

  /**
   * The character of a drawing: {label, probability, uncertain, answers}, and `answers` the `top` likeliest
   * [{label, probability, none, foreign}]. The label may be "no character", `none` is then true. What is written alike
   * (へ and ヘ) is one answer. `charset`: which characters compete, a text or a list of them, or a charset's name, as in
   * Python (hiragana); all if it is null.
   */
  async read(drawing, { charset = null, top = 5 } = {}) {
    const picture = rasterize(check(drawing)), competing = this.competing(charset);
    const all = answers(await this.engine.probabilities(picture.slice()), this.facts, competing, picture);
    const { label, probability, foreign } = all[0];
    return { label, probability, uncertain: probability < this.threshold || foreign, answers: all.slice(0, top) };
  }

  /**
   * The text of a drawing: {text, lines}, of each line {text, characters, down}, of each character {label, box,
   * confidence, uncertain, alternatives, strokes}. `charset`: as of `read`. `down`: whether the lines run down; null
   * finds it out. `plain`: without the table of which characters follow one another. `signal`, of an AbortController,
   * ends the reading: it gives null.
   */
  async readLine(drawing, { charset = null, down = null, plain = false, signal = null } = {}) {
    const isCurrent = () => !signal?.aborted, options = { rivals: this.competing(charset), down, plain };
    const lines = await readDrawing(check(drawing), this.engine, this.facts, this.tables, isCurrent, options);
    return lines && { text: lines.map(({ text }) => text).join("\n"), lines };
  }

  /** Free the memory; nothing can be read any more. */
  close() {
    this.engine.close?.();
  }

  /** A Set of the characters of a charset, or null. Throws a TypeError for one that the network does not know. */
  competing(charset) {
    if (charset === null || charset === "all") return null;
    const characters = new Set(this.charsets[charset] ?? charset);
    const knownCharacters = new Set(this.labels.slice(0, this.facts.no_character));
    const unknowns = [...characters].filter((value) => !knownCharacters.has(value));
    if (unknowns.length || !characters.size) {
      throw new TypeError(`charset: expected characters of the network; found ${JSON.stringify(unknowns)}`);
    }
    return characters;
  }
}

/** Load the network and the tables that stand beside this file. Throws an Error if one of them cannot be loaded. */
export async function openRecognizer() {
  const documents = ["about.json", "labels.json", "charsets.json"].map(fetchJson);
  const [tables, about, facts, charsets] = await Promise.all([loadTables(), ...documents]);
  startTables(about);
  const engine = engineOf(about);
  await engine.ready;
  return new Recognizer(engine, facts, tables, charsets);
}
