// From probabilities to a verdict: the likeliest labels, and how sure the network is.

// Least probability that the competing characters have together among all: with less, another one was written.
const MIN_COMPETING = 0.01;
const groups = new Map(), otherSizes = new Map(), largeForms = new Map();
let pairs = [], lownessWeight = 0, lownessMargin = 0;

/**
 * `shapes`: texts of characters that are written alike. `small`: the large form of each small kana, `letters` of each
 * letter. `lowness`: by how much the log odds of small kana rise for each height that ink stands lower, and how many
 * heights above the middle they stay.
 */
export function startTables(about) {
  for (const group of about.shapes) for (const label of group) groups.set(label, group);
  pairs = Object.entries(about.small);
  for (const [small, large] of [...pairs, ...Object.entries(about.letters)]) largeForms.set(small, large);
  [lownessWeight, lownessMargin] = about.lowness;
  for (const [small, large] of pairs) otherSizes.set(small, large).set(large, small);
}

/** The other labels that are written like this one. */
export const twins = (label) => [...(groups.get(label) ?? "")].filter((other) => other !== label);

/** The label that stands for all that are written like this one. */
const shapeOf = (label) => groups.get(label)?.[0] ?? label;
/** The same for all sizes: つ for っ, X for x. */
const shapeOfAnySize = (label) => shapeOf(largeForms.get(shapeOf(label)) ?? label);

/** Whether two texts are written alike, character by character. */
export const areAlike = (text, other) => [...text].map(shapeOf).join() === [...other].map(shapeOf).join();

/** The small kana of a large one, or the other way round, or "". */
export const otherSize = (label) => otherSizes.get(label) ?? "";

/** By how many heights the middle of the ink is lower than that of the canvas. */
function lowness(picture) {
  const side = Math.sqrt(picture.length), maxLevel = picture.reduce((a, b) => Math.max(a, b), 0);
  const isInk = (value) => value > Math.floor(maxLevel / 2);
  const [top, bottom] = [picture.findIndex(isInk), picture.findLastIndex(isInk)].map((k) => Math.floor(k / side));
  return top < 0 ? 0 : (top + bottom + 1) / (2 * side) - 0.5;
}

/** Of the probability of a small and a large kana that both compete, the lower the ink, the more is the small one's. */
function weighedByLowness(probabilities, labels, allowed, picture) {
  const shares = probabilities.slice();
  const odds = Math.exp(lownessWeight * (lowness(picture) + lownessMargin));
  for (const pair of pairs) {
    const [small, large] = pair.map((label) => labels.indexOf(label));
    if (small < 0 || large < 0 || (allowed && !pair.every((label) => allowed.has(label)))) continue;
    const smallShare = shares[small] * odds, total = Math.max(smallShare + shares[large], 1e-30);
    const scale = (shares[small] + shares[large]) / total;
    [shares[small], shares[large]] = [smallShare * scale, shares[large] * scale];
  }
  return shares;
}

/**
 * Answers, likeliest first: [{label, probability, none, foreign}]. `facts` is labels.json; with `allowed` (a Set) only
 * those characters compete, and no character; `foreign` says that the network takes the ink for another one. What is
 * written alike (へ and ヘ) is one answer, named by its likeliest label.
 * `picture`: of the whole canvas, where place is to tell small kana from large ones.
 */
export function answers(probabilities, facts, allowed = null, picture = null) {
  if (picture) probabilities = weighedByLowness(probabilities, facts.labels, allowed, picture);
  const sums = new Map();
  const shapes = new Set([...(allowed ?? [])].map(shapeOfAnySize));
  let total = 0, competingShare = 0;
  facts.labels.forEach((label, k) => {
    const none = k === facts.no_character;
    const isCompeting = !allowed || none || allowed.has(label), share = probabilities[k];
    if (isCompeting || shapes.has(shapeOfAnySize(label))) competingShare += share;
    if (!isCompeting) return;
    const key = none ? null : shapeOf(label);
    total += share;
    const sum = sums.get(key);
    if (!sum) sums.set(key, { label, none, share, maxShare: share });
    else {
      sum.share += share;
      if (share > sum.maxShare) [sum.label, sum.maxShare] = [label, share];
    }
  });
  const listed = [...sums.values()].map(({ label, none, share }) => {
    return { label, none, probability: share / (total || 1), foreign: competingShare < MIN_COMPETING };
  });
  return listed.sort((a, b) => b.probability - a.probability);
}

/** Which sentence presents the first answer: none, unsure, probably, likely or sure. */
export function confidence([first], threshold) {
  if (first.none) return "none";
  if (first.probability < threshold || first.foreign) return "unsure";
  if (first.probability < 0.8) return "probably";
  return first.probability < 0.97 ? "likely" : "sure";
}
