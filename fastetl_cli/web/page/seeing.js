// Preprocessing steps 1–4 of fastetl/data/preprocessing.py: what the network's first convolution gets of a picture.

import { most, sum } from "./numbers.js";

const BORDER = 2, MIN_SCALE = 0.25, WINDOW_MOVES = 4, VARIANCE_BOUNDS = [0.01, 0.6];

const positions = (count) => Array.from({ length: count }, (_, k) => ((k + 0.5) * 2) / count - 1);

function triangleWeights(from, to) {
  const scale = from / to, support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const raw = Array.from({ length: from }, (_, k) => {
      return Math.max(1 - Math.abs(k + 0.5 - (i + 0.5) * scale) / support, 0);
    });
    const total = sum(raw);
    return raw.map((w) => w / total);
  });
}

/** rows · x · columnsᵀ for a square x of side n; zero weights are skipped. */
function resample(x, n, rows, columns) {
  const across = columns.length, down = rows.length;
  const half = new Float64Array(n * across);
  for (let j = 0; j < across; j++) {
    columns[j].forEach((w, k) => {
      if (w) for (let i = 0; i < n; i++) half[i * across + j] += w * x[i * n + k];
    });
  }
  const out = new Float64Array(down * across);
  for (let i = 0; i < down; i++) {
    rows[i].forEach((w, k) => {
      if (w) for (let j = 0; j < across; j++) out[i * across + j] += w * half[k * across + j];
    });
  }
  return out;
}

function moments(x, n) {
  const position = positions(n);
  const byRow = new Float64Array(n), byColumn = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      byRow[i] += x[i * n + j] / n;
      byColumn[j] += x[i * n + j] / n;
    }
  }
  const ink = Math.max(sum(byRow) / n, 1e-4);
  const along = (profile) => {
    const centre = sum(profile.map((value, k) => (value / ink) * position[k])) / n;
    return [centre, sum(profile.map((value, k) => (value / ink) * (position[k] - centre) ** 2)) / n];
  };
  const [cy, vy] = along(byRow), [cx, vx] = along(byColumn);
  return [cy, cx, vy + vx];
}

function adaptiveMoments(x, n, { start, window }) {
  const position = positions(n);
  let [cy, cx, summed] = [0, 0, start];
  for (let turn = 0; turn < WINDOW_MOVES; turn++) {
    const weigh = (centre) => position.map((p) => Math.exp(-((p - centre) ** 2) / (2 * window * summed)));
    const down = weigh(cy), across = weigh(cx);
    [cy, cx, summed] = moments(x.map((value, k) => value * down[Math.floor(k / n)] * across[k % n]), n);
    summed = Math.min(Math.max(summed, VARIANCE_BOUNDS[0]), VARIANCE_BOUNDS[1]);
  }
  return [cy, cx, (summed * 2 * window) / (2 * window - 1)];
}

function frameWeights(centre, scale, spec) {
  const support = Math.max(2 / spec.size, (scale * 2) / spec.frame);
  return positions(spec.frame).map((p) => {
    const raw = positions(spec.size).map((q) => Math.max(1 - Math.abs(q - centre - scale * p) / support, 0));
    return raw.map((w) => (w * 2) / spec.size / support);
  });
}

/** {side, pixels}: Float64Array in 0–1 of a picture (Uint8Array of n × n), as `spec` (about.json) says. */
export function framed(picture, n, spec) {
  const size = spec.size;
  let x = Float64Array.from(picture);
  if (n !== size) {
    const weights = triangleWeights(n, size);
    x = resample(x, n, weights, weights).map((value) => Math.floor(value + 0.5));
  }
  const outer = (k) => Math.min(k, size - 1 - k) < BORDER;
  const counted = x.filter((_, k) => outer(k % size) || outer(Math.floor(k / size)));
  if (sum(counted) > Math.floor(spec.invert_above * 255 * counted.length)) x = x.map((value) => 255 - value);
  x = x.map((value) => value / 255);
  const top = Math.max(most(x), 1 / 255);
  x = x.map((value) => Math.max(value / top - spec.floor, 0) / (1 - spec.floor));
  const [cy, cx, summed] = adaptiveMoments(x, size, spec);
  const scale = Math.max(Math.sqrt(summed) / (2 * spec.scale), MIN_SCALE);
  const pixels = resample(x, size, frameWeights(cy, scale, spec), frameWeights(cx, scale, spec));
  return { side: spec.frame, pixels };
}
