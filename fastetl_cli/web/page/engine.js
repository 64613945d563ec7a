// The two engines that compute the network: the server of `fastetl pad`, and a worker in this browser.

import { sum } from "./numbers.js";
import { authorized } from "./server.js";

/** The server: takes pictures as bytes, returns probabilities as float32. */
export class ServerEngine {
  constructor(side) {
    this.most = 64;
    this.side = side;
  }

  /** Uint8Array of count × side × side → Float32Array of count × labels. */
  async probabilities(pictures) {
    const headers = { "content-type": "application/octet-stream" };
    const response = await authorized("read", { method: "POST", headers, body: pictures });
    return new Float32Array(await response.arrayBuffer());
  }
}

/** onnxruntime-web in a worker, so that drawing never waits for it. */
export class BrowserEngine {
  constructor(side) {
    this.most = 16;
    this.side = side;
    this.waiting = new Map();
    this.number = 0;
    this.failure = null; // of the worker itself: nobody will answer
    this.worker = new Worker(new URL("engine-worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.settle(data.number, data);
    this.worker.onerror = (event) => this.fail(event.message || "its worker does not start");
    this.ready = this.probabilities(new Uint8Array(side ** 2));
  }

  fail(error) {
    this.failure = { error, fatal: true };
    for (const number of [...this.waiting.keys()]) this.settle(number, this.failure);
  }

  /** Free the memory. What is asked then, or waits, fails. */
  close() {
    this.worker.terminate();
    this.fail("the network is closed");
  }

  settle(number, { probabilities, error, fatal }) {
    const [resolve, reject] = this.waiting.get(number) ?? [];
    this.waiting.delete(number);
    if (error) reject?.(Object.assign(new Error(error), { fatal }));
    else resolve?.(probabilities);
  }

  probabilities(pictures) {
    const number = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(number, [resolve, reject]);
      if (this.failure) return this.settle(number, this.failure);
      this.worker.postMessage({ number, pictures, side: this.side });
    });
  }
}

/** The engine that about.json names. */
export const engineOf = ({ engine, side }) => (engine === "browser" ? new BrowserEngine(side) : new ServerEngine(side));

/** Probabilities of any number of pictures, asked for in batches. Stops between batches when `isCurrent()` is false. */
export async function askAll(engine, pictures, isCurrent = () => true) {
  const size = engine.side ** 2;
  const parts = [];
  for (let start = 0; start < pictures.length && isCurrent(); start += engine.most * size) {
    parts.push(await engine.probabilities(pictures.slice(start, start + engine.most * size)));
  }
  const result = new Float32Array(sum(parts.map((part) => part.length)));
  let start = 0;
  for (const part of parts) {
    result.set(part, start);
    start += part.length;
  }
  return result;
}
