// Preprocessing steps 1–4 of fastetl/data/preprocessing.py: what the network's first convolution gets of a picture.

import { maxOf, sum } from "./numbers.js";

const BORDER = 2, MIN_SCALE = 0.25, WINDOW_MOVES = 4, VARIANCE_BOUNDS = [0.01, 0.6];

const positions = (count) => Array.from({ length: count }, (_, k) => ((k + 0.5) * 2) / count - 1);

function triangleWeights(from, to) {
  const scale = from / to, support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const weights = Array.from({ length: from }, (_, k) => {
      return Math.max(1 - Math.abs(k + 0.5 - (i + 0.5) * scale) / support, 0);
    });
    const total = sum(weights);
    return weights.map((weight) => weight / total);
  });
}

/** rows · x · columnsᵀ for a square x of side n; zero weights are skipped. */
function resample(x, side, rows, columns) {
  const width = columns.length, height = rows.length;
  const halfway = new Float64Array(side * width);
  for (let j = 0; j < width; j++) {
    columns[j].forEach((weight, k) => {
      if (weight) for (let i = 0; i < side; i++) halfway[i * width + j] += weight * x[i * side + k];
    });
  }
  const resampled = new Float64Array(height * width);
  for (let i = 0; i < height; i++) {
    rows[i].forEach((weight, k) => {
      if (weight) for (let j = 0; j < width; j++) resampled[i * width + j] += weight * halfway[k * width + j];
    });
  }
  return resampled;
}

function moments(x, side) {
  const position = positions(side);
  const byRow = new Float64Array(side), byColumn = new Float64Array(side);
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < side; j++) {
      byRow[i] += x[i * side + j] / side;
      byColumn[j] += x[i * side + j] / side;
    }
  }
  const ink = Math.max(sum(byRow) / side, 1e-4);
  const momentsOf = (profile) => {
    const centre = sum(profile.map((value, k) => (value / ink) * position[k])) / side;
    return [centre, sum(profile.map((value, k) => (value / ink) * (position[k] - centre) ** 2)) / side];
  };
  const [centreY, varianceY] = momentsOf(byRow), [centreX, varianceX] = momentsOf(byColumn);
  return [centreY, centreX, varianceY + varianceX];
}

function adaptiveMoments(x, side, { start, window }) {
  const position = positions(side);
  let [centreY, centreX, variance] = [0, 0, start];
  for (let turn = 0; turn < WINDOW_MOVES; turn++) {
    const weigh = (centre) => position.map((p) => Math.exp(-((p - centre) ** 2) / (2 * window * variance)));
    const rowWeights = weigh(centreY), columnWeights = weigh(centreX);
    const weighed = x.map((value, k) => value * rowWeights[Math.floor(k / side)] * columnWeights[k % side]);
    [centreY, centreX, variance] = moments(weighed, side);
    variance = Math.min(Math.max(variance, VARIANCE_BOUNDS[0]), VARIANCE_BOUNDS[1]);
  }
  return [centreY, centreX, (variance * 2 * window) / (2 * window - 1)];
}

function frameWeights(centre, scale, { size, frame }) {
  const support = Math.max(2 / size, (scale * 2) / frame);
  return positions(frame).map((p) => {
    const weights = positions(size).map((q) => Math.max(1 - Math.abs(q - centre - scale * p) / support, 0));
    return weights.map((weight) => (weight * 2) / size / support);
  });
}

/** {side, pixels}: Float64Array in 0–1 of a picture, Uint8Array of side × side. `preprocessing`: of about.json. */
export function framed(picture, side, preprocessing) {
  const size = preprocessing.size;
  let x = Float64Array.from(picture);
  if (side !== size) {
    const weights = triangleWeights(side, size);
    x = resample(x, side, weights, weights).map((value) => Math.floor(value + 0.5));
  }
  const isBorder = (k) => Math.min(k, size - 1 - k) < BORDER;
  const border = x.filter((_, k) => isBorder(k % size) || isBorder(Math.floor(k / size)));
  if (sum(border) > Math.floor(preprocessing.invert_above * 255 * border.length)) x = x.map((value) => 255 - value);
  x = x.map((value) => value / 255);
  const brightest = Math.max(maxOf(x), 1 / 255);
  x = x.map((value) => Math.max(value / brightest - preprocessing.floor, 0) / (1 - preprocessing.floor));
  const [centreY, centreX, variance] = adaptiveMoments(x, size, preprocessing);
  const scale = Math.max(Math.sqrt(variance) / (2 * preprocessing.scale), MIN_SCALE);
  const [rows, columns] = [centreY, centreX].map((centre) => frameWeights(centre, scale, preprocessing));
  const pixels = resample(x, size, rows, columns);
  return { side: preprocessing.frame, pixels };
}
