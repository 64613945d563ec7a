// Words and lines of strokes: fastetl/lines and export/line_reading.py, step by step the same; their heads say what
// each does.

import { askAll } from "./engine.js";
import { rasterize, SIDE } from "./ink.js";
import { minOf, maxOf, sum } from "./numbers.js";
import { authorized, fetchJson } from "./server.js";

// Named as in Python, where comments say what each is.
const LINE_HEIGHT = 92, WRITING_SIZE = 1.15, MIN_WINDOW = 1.1, MAX_PEN = 0.15;
const MAX_ATOMS = 9, MAX_GAP = 0.7, MAX_WIDTH_OF_STROKES = 2.2, MIN_BAND = 0.5, ONE_LINE = 1.5, MAX_HEIGHT = 1.75,
  BAND_HEIGHT = 0.15, OVERLAP_OF_BANDS = 0.2, THIN_AND_NEXT = 1.8, HALVES_GAP = 0.25, HALVES_WIDTH = 3, LINE_GAP = 0.75;
const UNDERLINE_LENGTH = 3.5, UNDERLINE_THICKNESS = 0.12, UNDERLINED = 2, VOWEL_LENGTH = 8, HOLLOW = 0.33;
const THIN_OF_STROKES = 2.6, COLUMN_HEIGHT = 1.3, NEXT_OF_STROKES = 1, NEXT_OF_PEN = 0.85, PEN_WEIGHT = 1.5;
const USUAL_SHARE = 0.7, LARGE_EXTENT = 0.4, STRETCH_OF_LINE = 3, MAX_SLOPE = 0.35;
const MIN_BIGRAM = -9, NEIGHBOURS = 16, MIN_LENGTH = 0.02, MIN_SEEN = 0.01, GAPS = [-0.4, 0.6];
const USUAL_UNEVEN = 0.12, USUAL_WANDER = 0.06, PRIOR_COUNT = 4, UNEVEN_GAP = 0.06;
const MAX_CANDIDATES = 16, SIZE_RANK = 0.001, CHARACTER_RANK = 0.000001, MIN_SHAPE = 0.000001, MIN_LOG_SHARE = -3,
  MIN_PUNCTUATION = 0.05;
const FIRST_STRETCHES = [1, 0.7], MIN_ALONE = 0.5, FOREIGN_BONUS = 0.5, MIN_SURE = 0.5, MIN_SHOWN = 0.003,
  MAX_ALTERNATIVES = 5, MAX_LOG_ODDS = 50, SPACE_GAP = 0.75;

const mean = (values) => sum(values) / values.length;
const clip = (value, low, high) => Math.min(Math.max(value, low), high);
const range = (count) => Array.from({ length: count }, (_, k) => k);

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1), low = Math.floor(place);
  return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

// Layout: boxes are [left, top, right, bottom].

const turned = (boxes) => boxes.map(([a, b, c, d]) => [b, -c, d, -a]);
const unturned = ([a, b, c, d]) => [-d, a, -b, c];
const extent = ([a, b, c, d]) => Math.max(c - a, d - b);
const middleX = (box) => (box[0] + box[2]) / 2;
const middleY = (box) => (box[1] + box[3]) / 2;
const boxAround = (boxes) => [0, 1, 2, 3].map((side) => (side < 2 ? minOf : maxOf)(boxes.map((box) => box[side])));

/** Whether each box is much longer than characters and marks them: an underline, a sideline of a column, a frame.
 * `strokes`: of the boxes. */
function underlines(boxes, strokes) {
  const extents = boxes.map(extent), order = [...extents].sort((a, b) => a - b);
  return boxes.map(([a, b, c, d], k) => {
    // What is shorter than two pens are dots, which say nothing of the size.
    const thickness = Math.min(c - a, d - b), isFlat = thickness < UNDERLINE_THICKNESS * extents[k];
    const sizes = isFlat ? order.filter((value) => value > 2 * thickness) : order;
    const usualExtent = sizes[Math.floor(USUAL_SHARE * (sizes.length - 1))];
    if (sizes.length <= 3 || extents[k] <= UNDERLINE_LENGTH * usualExtent) return false;
    const [marginX, marginY] = [c - a, d - b].map((length) => (length < extents[k] ? usualExtent : 0));
    const isNear = (x, y) => x >= a - marginX && x <= c + marginX && y >= b - marginY && y <= d + marginY;
    const hasWriting = boxes.filter((box) => isNear(middleX(box), middleY(box))).length > UNDERLINED;
    // A long ー has no writing over or under it.
    if (isFlat) return hasWriting || extents[k] > VOWEL_LENGTH * usualExtent;
    const distance = (x, y) => Math.max(Math.abs(x - (a + c) / 2) / (c - a), Math.abs(y - (b + d) / 2) / (d - b));
    return hasWriting && strokes[k].x.every((x, n) => distance(x, strokes[k].y[n]) > HOLLOW);
  });
}

function weightedMedianExtent(boxes) {
  const extents = boxes.map(extent).sort((a, b) => a - b);
  const halfSum = sum(extents) / 2;
  let total = 0;
  return extents.find((value) => (total += value) >= halfSum);
}

function skew(boxes, size) {
  if (boxes.length < 4) return 0;
  let bestSlope = 0, bestValue = -1;
  for (let step = -20; step <= 20; step++) {
    const slope = step / 100, counts = new Map();
    for (const box of boxes) {
      const band = Math.floor((middleY(box) - slope * middleX(box)) / (BAND_HEIGHT * size));
      for (const [offset, weight] of [[-1, 1], [0, 2], [1, 1]]) {
        counts.set(band + offset, (counts.get(band + offset) ?? 0) + weight * extent(box));
      }
    }
    const value = sum([...counts.values()].map((count) => count ** 2)) * (1 - Math.abs(slope));
    if (value > bestValue) [bestSlope, bestValue] = [slope, value];
  }
  return bestSlope;
}

/** The lines of strokes in the order of time. */
function lineMembers(boxes) {
  if (!boxes.length) return [];
  const size = weightedMedianExtent(boxes), slope = skew(boxes, size);
  // No higher does a box count, so that a joined stroke joins no lines.
  const excess = boxes.map((box) => Math.max(box[3] - box[1] - MAX_HEIGHT * size, 0) / 2);
  const top = boxes.map((box, k) => box[1] - slope * middleX(box) + excess[k]);
  const bottom = boxes.map((box, k) => box[3] - slope * middleX(box) - excess[k]);
  const shrinkage = top.map((value, k) => OVERLAP_OF_BANDS * (bottom[k] - value));
  let bands = [], maxBottom = -Infinity;
  for (const k of range(boxes.length).sort((a, b) => top[a] + shrinkage[a] - top[b] - shrinkage[b])) {
    if (top[k] + shrinkage[k] > maxBottom) bands.push([]);
    bands.at(-1).push(k);
    maxBottom = Math.max(maxBottom, bottom[k] - shrinkage[k]);
  }
  bands = joinByTime(bands);
  joinBands(bands, top, bottom, maxOf(boxes.map((box) => box[2])) - minOf(boxes.map((box) => box[0])), size);
  return bands.map((band) => band.sort((a, b) => middleX(boxes[a]) - middleX(boxes[b])));
}

function joinByTime(bands) {
  const result = bands.slice(0, 1);
  for (const band of bands.slice(1)) {
    const both = [...result.at(-1), ...band].sort((a, b) => a - b), isOfBand = both.map((k) => band.includes(k));
    if (isOfBand.filter((value, k) => k && value !== isOfBand[k - 1]).length > 2) result[result.length - 1] = both;
    else result.push(band);
  }
  return result;
}

function joinBands(bands, top, bottom, width, size) {
  while (bands.length > 1) {
    const tops = bands.map((band) => minOf(band.map((k) => top[k])));
    const ends = bands.map((band) => maxOf(band.map((k) => bottom[k])));
    const heights = tops.map((value, k) => ends[k] - value), maxHeight = maxOf(heights);
    const gaps = range(bands.length - 1).map((k) => {
      const gap = tops[k + 1] - ends[k], height = Math.min(heights[k], heights[k + 1]), span = ends[k + 1] - tops[k];
      const areHalves = bands.length === 2 && gap < HALVES_GAP * height && width < HALVES_WIDTH * span;
      const largest = Math.max(size, maxHeight), isThin = height < MIN_BAND * size && span < THIN_AND_NEXT * largest;
      // Where characters of one line stand high and low, their bands overlap.
      const isOverlapping = gap < 0 && span < ONE_LINE * Math.max(size, heights[k], heights[k + 1]);
      return isThin || areHalves || isOverlapping ? gap : Infinity;
    });
    const minGap = minOf(gaps), k = gaps.indexOf(minGap);
    if (minGap > LINE_GAP * size) break;
    bands.splice(k, 2, [...bands[k], ...bands[k + 1]]);
  }
}

/** Whether the lines of strokes run down. */
function runsDown(boxes) {
  if (boxes.length < 2) return false;
  const size = weightedMedianExtent(boxes), turnedBoxes = turned(boxes);
  const [rows, columns] = [boxes, turnedBoxes].map((view) => lineMembers(view).length);
  // The characters of one row follow each other to the right; columns do so to the left.
  const goesRight = sum(boxes.map((box, k) => (k - (boxes.length - 1) / 2) * middleX(box))) > 0;
  const isRow = rows === 1 && (columns === 1 || goesRight || thickness(boxes, size) < THIN_OF_STROKES * size);
  if (isRow || (columns === 1 && thickness(turnedBoxes, size) < THIN_OF_STROKES * size)) {
    const [left, top, right, bottom] = boxAround(boxes);
    return columns === 1 && bottom - top > COLUMN_HEIGHT * (right - left);
  }
  const largeBoxes = boxes.filter((box) => extent(box) > LARGE_EXTENT * size);
  const penSteps = range(boxes.length - 1).map((k) => stepTo(boxes[k], boxes[k + 1]));
  const characterSteps = penSteps.filter((step) => Math.hypot(...step) > NEXT_OF_PEN * size);
  const nearestSteps = stepsToNearest(largeBoxes, NEXT_OF_STROKES * size);
  return excessOfSteep(nearestSteps) + PEN_WEIGHT * excessOfSteep(characterSteps) > 0;
}

/** Height of all boxes together, measured across the slope of their lines. */
function thickness(boxes, size) {
  const slope = skew(boxes, size);
  const [top, bottom] = [1, 3].map((edge) => boxes.map((box) => box[edge] - slope * middleX(box)));
  return maxOf(bottom) - minOf(top);
}

function stepTo(box, next) {
  return [middleX(next) - middleX(box), middleY(next) - middleY(box)];
}

/** From each box to the nearest by the gap between edges; those whose middles are nearer are of the same character. */
function stepsToNearest(boxes, minDistance) {
  return boxes.flatMap((box) => {
    let nearestStep = null, minGap = Infinity;
    for (const other of boxes) {
      const step = stepTo(box, other);
      const [x, y] = [0, 1].map((k) => Math.max(0, box[k] - other[k + 2], other[k] - box[k + 2]));
      const gap = Math.hypot(...step) < minDistance ? Infinity : Math.hypot(x, y);
      if (gap < minGap) [nearestStep, minGap] = [step, gap];
    }
    return nearestStep ? [nearestStep] : [];
  });
}

/** The share of steps that go more down or up than sideways, less a half; 0 if there are none. */
function excessOfSteep(steps) {
  return steps.length ? mean(steps.map(([x, y]) => Number(Math.abs(y) > Math.abs(x)))) - 0.5 : 0;
}

function fittedLine(x, y) {
  const [meanX, meanY] = [mean(x), mean(y)];
  const variance = sum(x.map((value) => (value - meanX) ** 2));
  return [meanX, meanY, sum(x.map((value, k) => (value - meanX) * (y[k] - meanY))) / Math.max(variance, 1e-6)];
}

function slopeOf(boxes, size) {
  const largeBoxes = boxes.filter((box) => extent(box) > LARGE_EXTENT * size);
  const boxesUsed = largeBoxes.length ? largeBoxes : boxes;
  const x = boxesUsed.map(middleX), y = boxesUsed.map(middleY);
  if (boxesUsed.length < 4 || maxOf(x) - minOf(x) < 3 * size) return [mean(y), 0];
  const [meanX, meanY, fit] = fittedLine(x, y);
  const slope = clip(fit, -MAX_SLOPE, MAX_SLOPE);
  return [meanY - slope * meanX, slope];
}

function lineSize(boxes) {
  const size = weightedMedianExtent(boxes), [, slope] = slopeOf(boxes, size);
  const x = boxes.map(middleX), begin = minOf(x), stretches = new Map();
  boxes.forEach((box, k) => {
    const stretch = Math.floor((x[k] - begin) / Math.max(STRETCH_OF_LINE * size, 1e-6));
    stretches.set(stretch, [...(stretches.get(stretch) ?? []), [box[1] - slope * x[k], box[3] - slope * x[k]]]);
  });
  const heightOf = (ends) => maxOf(ends.map((end) => end[1])) - minOf(ends.map((end) => end[0]));
  const heights = [...stretches.values()].map(heightOf);
  return Math.max(quantile(heights, USUAL_SHARE), boxes.length < 4 ? 0.9 * size : 0.5 * size, 1e-6);
}

function atomsOf(boxes, order, overlap = 0.5) {
  const groups = [];
  for (const k of order) {
    let [left, , right] = boxes[k], members = [k];
    while (groups.length) {
      const lengths = groups.map(
        ([a, b]) => Math.min(b, right) - Math.max(a, left) - overlap * Math.min(b - a, right - left),
      );
      const maxLength = maxOf(lengths);
      if (maxLength <= 0) break;
      const [[a, b, neighbours]] = groups.splice(lengths.indexOf(maxLength), 1);
      [left, right, members] = [Math.min(a, left), Math.max(b, right), [...neighbours, ...members]];
    }
    groups.push([left, right, members]);
  }
  return groups.sort((p, q) => p[0] + p[1] - q[0] - q[1]).map(([, , members]) => members);
}

function spansOf(atoms, size) {
  const spans = [];
  for (let i = 0; i < atoms.length; i++) {
    let left = atoms[i][0], right = left;
    for (let j = i; j < Math.min(atoms.length, i + MAX_ATOMS); j++) {
      if (j > i && atoms[j][0] - right > MAX_GAP * size) break;
      [left, right] = [Math.min(left, atoms[j][0]), Math.max(right, atoms[j][2])];
      if (j > i && right - left > MAX_WIDTH_OF_STROKES * size) break;
      spans.push([i, j]);
    }
  }
  return spans;
}

// Tables

// Where the file's rows have four measures, in lines that run across and in those that run down.
const ACROSS = [0, 1, 3, 4], DOWN = [1, 0, 2, 5];

export class Tables {
  /** `about`: lines.json. `bigrams`, `shapes`: ArrayBuffers of the files of fastetl/lines. */
  constructor(about, bigrams, shapes) {
    Object.assign(this, about);
    const n = about.characters, bytes = new Uint8Array(bigrams), view = new DataView(bigrams);
    const column = (start, count) => Float64Array.from({ length: count }, (_, k) => -bytes[start + k] / 16);
    const counts = Array.from({ length: n }, (_, k) => view.getUint16(2 * n + 2 * k, true));
    this.starts = [0];
    for (const count of counts) this.starts.push(this.starts.at(-1) + count);
    const total = this.starts[n];
    this.second = Uint16Array.from({ length: total }, (_, k) => view.getUint16(4 * n + 2 * k, true));
    [this.shares, this.factors, this.values] = [column(0, n), column(n, n), column(4 * n + 2 * total, total)];
    this.beginnings = column(4 * n + 3 * total, n);
    const table = new Int8Array(shapes);
    this.forms = [false, true].map((isDown) => this.formsOf(table, isDown));
    this.strokes = [...range(n).map((k) => table[13 * k + 12]), 4];
  }

  formsOf(table, isDown) {
    const rows = range(this.characters).map((k) => {
      const isUpright = isDown && !this.turned.includes(k), places = isUpright ? DOWN : ACROSS;
      const [means, deviations] = [0, 6].map((start) => places.map((place) => table[13 * k + start + place] / 100));
      if (isUpright) {
        const cornerShift = this.corner[k] ?? 0;
        means[2] = -(means[2] + cornerShift);
        deviations[2] = Math.hypot(deviations[2], cornerShift);
      }
      const logs = means.slice(0, 2).map((length) => Math.log(Math.max(length, MIN_LENGTH)));
      return [...logs, ...means.slice(2), ...deviations];
    });
    return [...rows, [-0.25, -0.2, 0, 0, 0.3, 0.3, 0.15, 0.1]];
  }

  form(character, isDown) {
    return this.forms[Number(isDown)].at(character);
  }

  /** Logarithm of the probability of the second character after the first, −1 at the beginning. */
  follows(first, second, isPlain) {
    if (isPlain) return this.scripts.follows[this.scripts.of.at(first)][this.scripts.of.at(second)];
    if (first >= 0 && second >= 0) {
      let low = this.starts[first], high = this.starts[first + 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.second[middle] < second) low = middle + 1;
        else high = middle;
      }
      if (low < this.starts[first + 1] && this.second[low] === second) return Math.max(this.values[low], MIN_BIGRAM);
    }
    const shares = first < 0 ? this.beginnings : this.shares;
    return Math.max((this.factors[first] ?? 0) + (shares[second] ?? minOf([...shares])), MIN_BIGRAM);
  }
}

// The best path

/** For each span and character: how much longer it is than a part of it that the network takes for the same one. */
function beyondParts({ spans, boxes, geometry }, candidates) {
  const spanOf = new Map(spans.map(([i, j], r) => [`${i} ${j}`, r]));
  const length = (r) => (boxes[r][2] - boxes[r][0]) / geometry.size;
  const partProbabilities = candidates.map((columns) =>
    columns.map(({ label, logShape }) => [label, Math.exp(logShape)]).filter(([, p]) => p > MIN_SEEN),
  );
  return spans.map(([i, j], r) => {
    const excess = new Map(candidates[r].map(({ label }) => [label, 0]));
    for (let first = i; first <= j; first++) for (let last = first; last < j + (first > i); last++) {
      const part = spanOf.get(`${first} ${last}`);
      for (const [label, p] of partProbabilities[part] ?? []) {
        if (excess.has(label)) excess.set(label, Math.max(excess.get(label), p * (length(r) - length(part))));
      }
    }
    return candidates[r].map(({ label }) => excess.get(label));
  });
}

function features(line, geometry, candidates, beyond, tables) {
  const { spans, boxes, atoms, isDown } = line;
  const gaps = [];
  let maxRight = -Infinity;
  for (let k = 0; k <= atoms.length; k++) {
    gaps.push((k < atoms.length ? atoms[k][0] : Infinity) - maxRight);
    if (k < atoms.length) maxRight = Math.max(maxRight, atoms[k][2]);
  }
  const gap = (k) => clip(gaps[k] / geometry.size, ...GAPS);
  return spans.map(([i, j], r) => {
    const [a, b, c, d] = boxes[r], innerGap = Math.max(0, maxOf(gaps.slice(i + 1, j + 1)));
    const offset = (b + d) / 2 - geometry.middle - (geometry.slope * (a + c)) / 2;
    const measures = [(c - a) / geometry.stretch, d - b, offset, innerGap / geometry.stretch];
    const inSizes = measures.map((value) => value / geometry.size);
    const logs = inSizes.slice(0, 2).map((value) => Math.log(Math.max(value, MIN_LENGTH)));
    const values = [...logs, ...inSizes.slice(2)];
    // The last counts cuts through ink, of which strokes have none.
    const spanFeatures = [Math.max(inSizes[0] - 1, 0), gap(i) + gap(j + 1), 0], strokes = line.strokesOf(r).length;
    return candidates[r].map(({ logShape, logShare, character }, candidate) => {
      const fit = likelihood(values, tables.form(character, isDown), geometry);
      const usualCount = tables.strokes.at(character);
      const absence = Math.max(usualCount - strokes, 0) / usualCount;
      const moreStrokes = Math.log1p(Math.max(strokes - usualCount, 0));
      return [1, logShape, logShare, fit, ...spanFeatures, beyond[r][candidate], absence, moreStrokes];
    });
  });
}

function likelihood(spanMeasures, row, { uneven, wander }) {
  const [length, height, offset, gap] = spanMeasures.map((value, k) => value - row[k]);
  const [lengthDeviation, heightDeviation, offsetDeviation, gapDeviation] = row.slice(4);
  const sizeDeviation = Math.hypot(lengthDeviation, heightDeviation);
  const residuals = [
    [(length + height) / 2, Math.hypot(sizeDeviation / 2, uneven)],
    [length - height, sizeDeviation],
    [offset, Math.hypot(offsetDeviation, wander)],
    [gap, Math.hypot(gapDeviation, UNEVEN_GAP)],
  ];
  return -sum(residuals.map(([residual, d]) => 2.5 * Math.log1p((residual / d) ** 2 / 4) + Math.log(d / 0.2)));
}

/** [{span, candidate, scores, rival}] of the best path. `scores`: of each candidate of each span. */
function bestPath(scores, candidates, spans, count, tables, isPlain) {
  // States are [span, candidate].
  const forwardScores = scores.map((row) => [...row]), predecessors = scores.map(() => []), steps = [];
  const follows = (first, second) => tables.weights.bigram * tables.follows(first, second, isPlain);
  const characterOf = ([span, candidate]) => candidates[span][candidate].character;
  const states = (isMeant) => spans.flatMap((span, r) => (isMeant(span) ? scores[r].map((_, c) => [r, c]) : []));
  for (const state of states(([first]) => !first)) forwardScores[state[0]][state[1]] += follows(-1, characterOf(state));
  for (let boundary = 1; boundary < count; boundary++) {
    const origins = states(([, last]) => last === boundary - 1), targets = states(([first]) => first === boundary);
    const originScores = origins.map((state) => scoreAt(forwardScores, state));
    const order = range(origins.length).sort((p, q) => originScores[q] - originScores[p] || p - q);
    const bestStates = order.slice(0, NEIGHBOURS).map((k) => origins[k]);
    const gains = bestStates.map((state) => targets.map((next) => follows(characterOf(state), characterOf(next))));
    steps.push([bestStates, targets, gains]);
    targets.forEach(([span, candidate], k) => {
      const totals = bestStates.map((state, n) => scoreAt(forwardScores, state) + gains[n][k]);
      const bestIndex = totals.reduce((index, total, n) => (total > totals[index] ? n : index), 0);
      forwardScores[span][candidate] += totals[bestIndex];
      predecessors[span][candidate] = bestStates[bestIndex];
    });
  }
  const backwardScores = backwardOf(scores, spans, count, steps);
  const pathScores = forwardScores.map((row, r) => row.map((score, c) => score + backwardScores[r][c]));
  const ends = states(([, last]) => last === count - 1);
  let state = ends.reduce((best, next) => (scoreAt(forwardScores, next) > scoreAt(forwardScores, best) ? next : best));
  const path = [];
  while (state) {
    const [span, candidate] = state, [first, last] = spans[span];
    const rivals = pathScores.filter((_, r) => r !== span && spans[r][0] <= last && spans[r][1] >= first);
    path.push({ span, candidate, scores: pathScores[span], rival: maxOf(rivals.flat()) });
    state = predecessors[span][candidate];
  }
  return path.reverse();
}

/** The best score of a path from each state to the line's end, without its own. */
function backwardOf(scores, spans, count, steps) {
  const backwardScores = scores.map((row, r) => row.map(() => (spans[r][1] === count - 1 ? 0 : -Infinity)));
  for (const [origins, targets, gains] of steps.reverse()) {
    origins.forEach(([span, candidate], n) => {
      const totals = targets.map((next, k) => gains[n][k] + scoreAt(scores, next) + scoreAt(backwardScores, next));
      backwardScores[span][candidate] = maxOf(totals);
    });
  }
  return backwardScores;
}

const scoreAt = (table, [span, candidate]) => table[span][candidate];

function fittedGeometry(boxes, characters, geometry, isDown, tables) {
  const forms = characters.map((character) => tables.form(character, isDown));
  const isTelling = (length) => length > Math.log(0.3);
  const residuals = boxes.map(([a, b, c, d], k) =>
    [c - a, d - b].map((length, side) => Math.log(Math.max(length, 1e-3)) - forms[k][side]),
  );
  const [length, height] = [0, 1].map((side) => {
    const values = residuals.map((residual) => residual[side]).filter((_, k) => isTelling(forms[k][side]));
    return values.length ? quantile(values, 0.5) : Math.log(geometry.size);
  });
  const stretch = ((length - height) * boxes.length) / (boxes.length + PRIOR_COUNT);
  const size = Math.exp((length + height - stretch) / 2);
  const x = boxes.map(middleX), centres = boxes.map((box, k) => middleY(box) - forms[k][2] * size);
  let { slope } = geometry;
  if (boxes.length >= 4) slope = clip(fittedLine(x, centres)[2], -MAX_SLOPE, MAX_SLOPE);
  const middle = mean(centres.map((y, k) => y - slope * x[k]));
  const addedDeviation = (usualDeviation, residuals) => {
    const excess = sum(residuals.map(([residual, deviation]) => Math.max(residual ** 2 - deviation ** 2, 0)));
    return Math.sqrt((PRIOR_COUNT * usualDeviation ** 2 + excess) / (PRIOR_COUNT + residuals.length));
  };
  const indices = range(boxes.length).filter((k) => isTelling(forms[k][0]) && isTelling(forms[k][1]));
  const sizeResidual = (k) => [mean(residuals[k]) - (length + height) / 2, Math.hypot(forms[k][4], forms[k][5]) / 2];
  const uneven = addedDeviation(USUAL_UNEVEN, indices.map(sizeResidual));
  const wander = addedDeviation(USUAL_WANDER, centres.map((y, k) => [(y - middle - slope * x[k]) / size, forms[k][6]]));
  return { middle, slope, size, stretch: Math.exp(stretch), uneven, wander };
}

/** The tables, from beside this file. */
export async function loadTables() {
  const bytes = async (name) => (await authorized(name)).arrayBuffer();
  return new Tables(...(await Promise.all([fetchJson("lines.json"), bytes("bigrams.bin"), bytes("shapes.bin")])));
}

// Reading

/** A line of strokes in the order of time, in coordinates in which it runs across. */
function lineOf(strokes, rowBoxes, pen, isDown) {
  const zoom = LINE_HEIGHT / lineSize(rowBoxes);
  const boxes = rowBoxes.map((box) => box.map((number) => number * zoom));
  const members = atomsOf(boxes, range(strokes.length));
  const atoms = members.map((atom) => boxAround(atom.map((k) => boxes[k])));
  const spans = spansOf(atoms, LINE_HEIGHT), spanBoxes = spans.map(([i, j]) => boxAround(atoms.slice(i, j + 1)));
  const [middle, slope] = slopeOf(boxes, LINE_HEIGHT);
  const pictures = spans.map(([i, j], r) => {
    const x = middleX(spanBoxes[r]), y = middle + slope * x;
    const side = Math.max(SIDE, MIN_WINDOW * (spanBoxes[r][2] - spanBoxes[r][0])) / zoom;
    const [centreX, centreY] = isDown ? [-y / zoom, x / zoom] : [x / zoom, y / zoom];
    const shownStrokes = members.slice(i, j + 1).flat().map((k) => ({
      ...strokes[k],
      x: strokes[k].x.map((number) => number - centreX + side / 2),
      y: strokes[k].y.map((number) => number - centreY + side / 2),
    }));
    return rasterize({ width: side, height: side, pen: Math.min(pen / side, 0.5), strokes: shownStrokes });
  });
  // Of lines that run down, single atoms are shown turned, too: ー lies on its side there.
  const turnedSpans = isDown ? spans.flatMap(([i, j], r) => (i === j ? [r] : [])) : [];
  const toOriginal = (box) => (isDown ? unturned(box) : box).map((number) => number / zoom);
  const strokesOf = (r) => members.slice(spans[r][0], spans[r][1] + 1).flat().map((k) => strokes[k]);
  const geometry = { middle, slope, size: WRITING_SIZE * LINE_HEIGHT, uneven: 0.2, wander: 0.1 };
  pictures.push(...turnedSpans.map((r) => rotated(pictures[r])));
  return { atoms, spans, boxes: spanBoxes, geometry, isDown, pictures, turnedSpans, toOriginal, strokesOf };
}

/** numpy.rot90 of a square picture. */
function rotated(picture) {
  const out = new Uint8Array(picture.length);
  for (let i = 0; i < SIDE; i++) for (let j = 0; j < SIDE; j++) out[i * SIDE + j] = picture[j * SIDE + SIDE - 1 - i];
  return out;
}

/** For each span the characters that compete: label, class, and what the network says of them. */
function candidatesOf(line, probabilities, labelCount, tables, isExcluded) {
  const lyingLabels = new Set(tables.lying), count = labelCount - 1;
  const sumsOf = (shares, groups) => {
    const sums = new Float64Array(maxOf(groups) + 1);
    groups.forEach((group, k) => (sums[group] += shares[k]));
    return sums;
  };
  // The bigrams already say how often a script occurs, so the network's prior is taken off.
  const answer = (r) => {
    const row = probabilities.subarray(r * labelCount, (r + 1) * labelCount);
    const shares = Float64Array.from(row, (share, k) => share / tables.prior[k]);
    const total = sum(shares);
    return shares.map((share) => share / total);
  };
  return line.spans.map((_, r) => {
    const shares = answer(r);
    if (line.isDown) {
      const k = line.turnedSpans.indexOf(r), turnedAnswer = k < 0 ? null : answer(line.spans.length + k);
      for (const label of lyingLabels) shares[label] = turnedAnswer ? turnedAnswer[label] : 0;
      const total = Math.max(sum(shares), 1e-9);
      shares.forEach((share, k) => (shares[k] = share / total));
    }
    const shapes = sumsOf(shares, tables.groups), sizes = sumsOf(shares, tables.sizes), candidates = [];
    const withMark = (value, k) => (tables.marks.includes(k) ? Math.max(value, shares[count], MIN_PUNCTUATION) : value);
    const shapeOf = (k) => withMark(shapes[tables.groups[k]], k), sizeOf = (k) => withMark(sizes[tables.sizes[k]], k);
    for (let k = 0; k < count; k++) {
      if (isExcluded(k)) continue;
      const score = shapeOf(k) + SIZE_RANK * sizeOf(k) + CHARACTER_RANK * shares[k];
      if (candidates.length === MAX_CANDIDATES && score <= candidates[MAX_CANDIDATES - 1].score) continue;
      let rank = candidates.length;
      while (rank && candidates[rank - 1].score < score) rank--;
      candidates.splice(rank, 0, { k, score });
      if (candidates.length > MAX_CANDIDATES) candidates.pop();
    }
    return candidates.map(({ k }) => {
      const shape = shapeOf(k);
      const logShare = clip(Math.log(Math.max(sizeOf(k), 1e-9) / Math.max(shape, 1e-9)), MIN_LOG_SHARE, 0);
      return { label: k, character: tables.classes[k], logShape: Math.log(Math.max(shape, MIN_SHAPE)), logShare };
    });
  });
}

function textOf(line, candidates, path, geometry, names) {
  const boxes = path.map(({ span }) => line.boxes[span]);
  const characters = path.map(({ span, candidate, scores, rival }) => {
    const bestScore = scores[candidate];
    const odds = scores.map((score) => Math.exp(Math.min(score - bestScore, 0)));
    const total = sum(odds) + Math.exp(Math.min(rival - bestScore, MAX_LOG_ODDS));
    const shares = odds.map((odd) => odd / total), name = (k) => names[candidates[span][k].label];
    const order = range(shares.length).sort((p, q) => shares[q] - shares[p] || p - q).slice(0, MAX_ALTERNATIVES);
    const alternatives = order.map((k) => ({ label: name(k), probability: shares[k] }));
    const confidence = shares[candidate];
    const isUnseen = candidates[span][candidate].logShape < Math.log(MIN_SHOWN);
    const uncertain = confidence < MIN_SURE || isUnseen, box = line.toOriginal(line.boxes[span]);
    return { label: name(candidate), box, confidence, uncertain, alternatives, strokes: line.strokesOf(span) };
  });
  const gaps = range(Math.max(boxes.length - 1, 0)).map((k) => boxes[k + 1][0] - boxes[k][2]);
  const usualGap = gaps.length ? Math.max(quantile(gaps, 0.5), 0) : 0;
  characters.forEach((character, k) => (character.space = k > 0 && gaps[k - 1] > SPACE_GAP * geometry.size + usualGap));
  const text = characters.map(({ label, space }) => (space ? ` ${label}` : label)).join("");
  return { text, characters, down: line.isDown };
}

/** The best path and the geometry of its line. `plain`: without bigrams. */
function bestReading(line, candidates, tables, plain) {
  const beyond = beyondParts(line, candidates), scoreOf = ([[first]]) => first.scores[first.candidate];
  const readWith = (geometry, isPlain = plain) => {
    const { features: weights } = tables.weights;
    const score = (values) => sum(values.map((value, k) => value * weights[k]));
    const scores = features(line, geometry, candidates, beyond, tables).map((columns) => columns.map(score));
    return [bestPath(scores, candidates, line.spans, line.atoms.length, tables, isPlain), geometry];
  };
  const outcomes = FIRST_STRETCHES.map((stretch) => {
    const geometry = { ...line.geometry, stretch }, [path] = readWith(geometry);
    const characters = path.map(({ span, candidate }) => candidates[span][candidate].character);
    const boxes = path.map(({ span }) => line.boxes[span]);
    return readWith(fittedGeometry(boxes, characters, geometry, line.isDown, tables));
  });
  // い alone is as high as its line, and so are its two strokes: fit the line to what the network takes all ink for.
  const wholeSpan = line.spans.findIndex(([first, last]) => !first && last === line.atoms.length - 1);
  if (wholeSpan >= 0 && candidates[wholeSpan][0].logShape > Math.log(MIN_ALONE)) {
    const [{ character }] = candidates[wholeSpan];
    outcomes.push(readWith(fittedGeometry([line.boxes[wholeSpan]], [character], line.geometry, line.isDown, tables)));
  }
  const likelier = (first, second) => (scoreOf(second) > scoreOf(first) ? second : first);
  const bestOutcome = outcomes.reduce(likelier), rival = readWith(bestOutcome[1], true);
  return scoreOf(rival) + FOREIGN_BONUS * rival[0].length > scoreOf(bestOutcome) ? rival : bestOutcome;
}

/**
 * [{text, characters, down}] of a drawing {width, height, pen, strokes}: its lines in reading order. `rivals`: a
 * Set of the characters that may be meant; all if it is null. `down`, `plain`: as of Python's `read_line`.
 */
export async function readDrawing(drawing, engine, facts, tables, isCurrent = () => true, options = {}) {
  const { rivals = null, down = null, plain = false } = options;
  const drawnStrokes = drawing.strokes.filter((stroke) => stroke.x.length);
  const bareBoxes = drawnStrokes.map(({ x, y }) => [minOf(x), minOf(y), maxOf(x), maxOf(y)]);
  // The default pen is that of one character on the whole canvas.
  const side = Math.max(drawing.width, drawing.height);
  const maxPen = bareBoxes.length ? (MAX_PEN * weightedMedianExtent(bareBoxes)) / side : 1;
  const pen = Math.min(drawing.pen, Math.max(maxPen, 1e-5)) * side;
  const boxOf = ({ x, y }) => [minOf(x) - pen / 2, minOf(y) - pen / 2, maxOf(x) + pen / 2, maxOf(y) + pen / 2];
  const isUnderline = underlines(drawnStrokes.map(boxOf), drawnStrokes);
  const strokes = drawnStrokes.filter((_, k) => !isUnderline[k]), boxes = strokes.map(boxOf);
  if (!strokes.length) return [];
  const isDown = down ?? runsDown(boxes), rowBoxes = isDown ? turned(boxes) : boxes;
  const sortByTime = (band) => [...band].sort((a, b) => a - b);
  const lines = lineMembers(rowBoxes).map((band) => {
    const members = sortByTime(band);
    return lineOf(members.map((k) => strokes[k]), members.map((k) => rowBoxes[k]), pen, isDown);
  });
  const pictures = lines.flatMap((line) => line.pictures);
  const pixels = new Uint8Array(pictures.length * SIDE * SIDE);
  pictures.forEach((picture, k) => pixels.set(picture, k * SIDE * SIDE));
  const answers = await askAll(engine, pixels, isCurrent);
  if (!isCurrent()) return null;
  const count = facts.labels.length;
  let begin = 0;
  const texts = lines.map((line) => {
    const end = begin + line.pictures.length * count;
    const isExcluded = (k) => rivals !== null && !rivals.has(facts.labels[k]);
    const candidates = candidatesOf(line, answers.subarray(begin, end), count, tables, isExcluded);
    begin = end;
    const [path, geometry] = bestReading(line, candidates, tables, plain);
    return textOf(line, candidates, path, geometry, facts.labels);
  });
  return texts.filter(({ characters }) => characters.length);
}
