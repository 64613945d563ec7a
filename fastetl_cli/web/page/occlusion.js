// Which parts of a drawing decide between two answers: each is covered in turn, and the network is asked again.

import { askAll } from "./engine.js";

const PATCH = 20, STEP = 8;

/**
 * Float32Array of side × side: the change in the log odds of the first against the second class, positive where ink
 * supports the first. null if `isCurrent` became false.
 */
export async function occlusion(engine, picture, side, [first, second], isCurrent = () => true) {
  const places = [];
  for (let top = 0; top + STEP <= side; top += STEP) {
    for (let left = 0; left + STEP <= side; left += STEP) {
      const box = [top, left, Math.min(top + PATCH, side), Math.min(left + PATCH, side)];
      if (covers(picture, side, box)) places.push(box);
    }
  }
  const pictures = new Uint8Array((places.length + 1) * side * side);
  pictures.set(picture);
  places.forEach((box, n) => {
    const copy = picture.slice();
    for (let i = box[0]; i < box[2]; i++) copy.fill(0, i * side + box[1], i * side + box[3]);
    pictures.set(copy, (n + 1) * side * side);
  });
  const probabilities = await askAll(engine, pictures, isCurrent);
  if (!isCurrent()) return null;
  const labelCount = probabilities.length / (places.length + 1);
  const odds = (n) => {
    const logProbability = (k) => Math.log(Math.max(probabilities[n * labelCount + k], 1e-7));
    return logProbability(first) - logProbability(second);
  };
  const map = new Float32Array(side * side), weights = new Float32Array(side * side);
  // A patch counts most in its middle, so that the map has no edges of its own.
  const tent = (k, from, to) => 1 - Math.abs((k + 0.5 - from) / (to - from) - 0.5) * 1.9;
  places.forEach(([top, left, bottom, right], n) => {
    const change = odds(0) - odds(n + 1);
    for (let i = top; i < bottom; i++) {
      for (let j = left; j < right; j++) {
        const weight = tent(i, top, bottom) * tent(j, left, right);
        map[i * side + j] += weight * change;
        weights[i * side + j] += weight;
      }
    }
  });
  return map.map((value, k) => (weights[k] ? value / weights[k] : 0));
}

function covers(picture, side, [top, left, bottom, right]) {
  for (let i = top; i < bottom; i++) for (let j = left; j < right; j++) if (picture[i * side + j] > 64) return true;
  return false;
}

/** The ninth of the picture whose ink supports the first (sign 1) or second (−1) class most: [row, column], or null. */
export function strongest(map, picture, side, sign) {
  const sums = new Float64Array(9), counts = new Float64Array(9);
  map.forEach((value, k) => {
    if (picture[k] <= 64) return;
    const cell = Math.floor((Math.floor(k / side) * 3) / side) * 3 + Math.floor(((k % side) * 3) / side);
    sums[cell] += sign * value;
    counts[cell]++;
  });
  const means = sums.map((value, k) => (counts[k] > 20 ? value / counts[k] : 0));
  const index = means.indexOf(means.reduce((a, b) => Math.max(a, b), 0));
  return means[index] > 0.05 ? [Math.floor(index / 3), index % 3] : null;
}
