// Corrections: kept by the server in the folder that the user named, or with his leave in this browser.

import { rasterize } from "./ink.js";
import { authorized, fetchJson } from "./server.js";

const KEY = "fastetl-pad-samples";
const MAX_CHARACTERS = 4_000_000; // characters; browsers give about five million

/** The folder of `fastetl pad --samples DIR`. */
export class ServerSamples {
  async keep(sample) {
    const headers = { "content-type": "application/json" };
    await authorized("samples", { method: "POST", headers, body: JSON.stringify(sample) });
  }

  async files() {
    return (await fetchJson("samples")).files;
  }

  load(name) {
    return fetchJson(`samples/${encodeURIComponent(name)}`);
  }

  async remove(name, id) {
    await authorized(`samples/${encodeURIComponent(name)}/${encodeURIComponent(id)}`, { method: "DELETE" });
  }
}

/** This browser's storage, as lines of the same format; they leave it only as a file that the user saves. */
export class BrowserSamples {
  constructor(app) {
    this.app = app;
  }

  lines() {
    return (localStorage.getItem(KEY) ?? "").split("\n").filter(Boolean);
  }

  async keep(sample) {
    const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");
    const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const lines = [...this.lines(), JSON.stringify({ format: 1, id, ...sample, time, app: this.app })].join("\n");
    if (lines.length > MAX_CHARACTERS) throw new Error("this browser's storage is full");
    localStorage.setItem(KEY, lines);
  }

  async files() {
    const { count } = await this.load();
    return count ? [{ name: "kana.jsonl", bytes: this.lines().join("\n").length }] : [];
  }

  async load(name) {
    const samples = this.lines().map((line) => JSON.parse(line)).filter((sample) => !sample.removed).reverse();
    return { name, count: samples.length, damaged: 0, samples };
  }

  /** What is left of the line keeps the other samples in their groups. */
  async remove(_, id) {
    const removed = JSON.stringify({ format: 1, id, removed: true });
    const lines = this.lines().map((line) => (JSON.parse(line).id === id ? removed : line));
    localStorage.setItem(KEY, lines.join("\n"));
  }

  save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.lines().join("\n") + "\n"], { type: "application/jsonl" }));
    link.download = `kana-${new Date().toISOString().slice(0, 10)}.jsonl`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}

/** A canvas that shows a sample. */
export function pictureOf(sample) {
  const canvas = document.createElement("canvas");
  paintPicture(canvas, rasterize(sample), 128);
  return canvas;
}

/** Grey pixels, ink high, as they are. `values`: 0–255. */
export function paintPicture(canvas, values, side) {
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  values.forEach((value, k) => image.data.set([value, value, value, 255], 4 * k));
  context.putImageData(image, 0, 0);
}
