// From probabilities to what is said: likeliest labels, and how sure.

const SAME_SHAPE = { "ヘ": "へ", "ベ": "べ", "ペ": "ぺ" };
const SMALL = [..."ぁぃぅぇぉっゃゅょァィゥェォッャュョ"];
const LARGE = [..."あいうえおつやゆよアイウエオツヤユヨ"];

/** The katakana that looks the same as this hiragana, or the other way round, or "". */
export function twin(label) {
  const pair = Object.entries(SAME_SHAPE).find((both) => both.includes(label));
  return pair ? pair.find((one) => one !== label) : "";
}

/** The small kana of a large one, or the other way round, or "". */
export function otherSize(label) {
  return LARGE[SMALL.indexOf(label)] ?? SMALL[LARGE.indexOf(label)] ?? "";
}

/**
 * Answers, likeliest first: [{label, probability, none}]. `labels` is labels.json; with `allowed` (a Set) only those
 * characters compete, and no character. へ and ヘ are written alike: they are one answer.
 */
export function answers(probabilities, labels, allowed = null) {
  const found = new Map();
  let total = 0;
  labels.labels.forEach((label, k) => {
    const none = k === labels.no_character;
    if (allowed && !none && !allowed.has(label)) return;
    total += probabilities[k];
    const same = !none && twin(label) && found.get(twin(label));
    if (!same) {
      found.set(label, { label, probability: probabilities[k], none });
      return;
    }
    found.delete(same.label);
    const named = same.probability >= probabilities[k] ? same.label : label;
    found.set(named, { label: named, probability: same.probability + probabilities[k], none });
  });
  const listed = [...found.values()].map((a) => ({ ...a, probability: a.probability / Math.max(total, 1e-12) }));
  return listed.sort((a, b) => b.probability - a.probability);
}

/** none, unsure, probably, likely or sure: which sentence tells the first answer. */
export function confidence([first], threshold) {
  if (first.none) return "none";
  if (first.probability < threshold) return "unsure";
  if (first.probability < 0.8) return "probably";
  return first.probability < 0.97 ? "likely" : "sure";
}
