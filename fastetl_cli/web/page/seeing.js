// Preprocessing steps 1–4 of fastetl/data/preprocessing.py: what the network's first convolution gets of a picture.

import { most, sum } from "./numbers.js";

const BORDER = 2, MIN_SCALE = 0.25, WINDOW_MOVES = 4, VARIANCE_BOUNDS = [0.01, 0.6];

const positions = (count) => Array.from({ length: count }, (_, k) => ((k + 0.5) * 2) / count - 1);

function triangleWeights(from, to) {
  const scale = from / to, support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const weights = Array.from({ length: from }, (_, k) => {
      return Math.max(1 - Math.abs(k + 0.5 - (i + 0.5) * scale) / support, 0);
    });
    const total = sum(weights);
    return weights.map((w) => w / total);
  });
}

/** rows · x · columnsᵀ for a square x of side n; zero weights are skipped. */
function resample(x, n, rows, columns) {
  const width = columns.length, height = rows.length;
  const half = new Float64Array(n * width);
  for (let j = 0; j < width; j++) {
    columns[j].forEach((w, k) => {
      if (w) for (let i = 0; i < n; i++) half[i * width + j] += w * x[i * n + k];
    });
  }
  const out = new Float64Array(height * width);
  for (let i = 0; i < height; i++) {
    rows[i].forEach((w, k) => {
      if (w) for (let j = 0; j < width; j++) out[i * width + j] += w * half[k * width + j];
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
  const momentsOf = (profile) => {
    const centre = sum(profile.map((value, k) => (value / ink) * position[k])) / n;
    return [centre, sum(profile.map((value, k) => (value / ink) * (position[k] - centre) ** 2)) / n];
  };
  const [cy, vy] = momentsOf(byRow), [cx, vx] = momentsOf(byColumn);
  return [cy, cx, vy + vx];
}

function adaptiveMoments(x, n, { start, window }) {
  const position = positions(n);
  let [cy, cx, variance] = [0, 0, start];
  for (let turn = 0; turn < WINDOW_MOVES; turn++) {
    const weigh = (centre) => position.map((p) => Math.exp(-((p - centre) ** 2) / (2 * window * variance)));
    const rowWeights = weigh(cy), columnWeights = weigh(cx);
    [cy, cx, variance] = moments(x.map((value, k) => value * rowWeights[Math.floor(k / n)] * columnWeights[k % n]), n);
    variance = Math.min(Math.max(variance, VARIANCE_BOUNDS[0]), VARIANCE_BOUNDS[1]);
  }
  return [cy, cx, (variance * 2 * window) / (2 * window - 1)];
}

function frameWeights(centre, scale, spec) {
  const support = Math.max(2 / spec.size, (scale * 2) / spec.frame);
  return positions(spec.frame).map((p) => {
    const weights = positions(spec.size).map((q) => Math.max(1 - Math.abs(q - centre - scale * p) / support, 0));
    return weights.map((w) => (w * 2) / spec.size / support);
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
  const isBorder = (k) => Math.min(k, size - 1 - k) < BORDER;
  const border = x.filter((_, k) => isBorder(k % size) || isBorder(Math.floor(k / size)));
  if (sum(border) > Math.floor(spec.invert_above * 255 * border.length)) x = x.map((value) => 255 - value);
  x = x.map((value) => value / 255);
  const top = Math.max(most(x), 1 / 255);
  x = x.map((value) => Math.max(value / top - spec.floor, 0) / (1 - spec.floor));
  const [cy, cx, variance] = adaptiveMoments(x, size, spec);
  const scale = Math.max(Math.sqrt(variance) / (2 * spec.scale), MIN_SCALE);
  const pixels = resample(x, size, frameWeights(cy, scale, spec), frameWeights(cx, scale, spec));
  return { side: spec.frame, pixels };
}
