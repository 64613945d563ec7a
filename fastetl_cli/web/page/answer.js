// The view of an answer: the character, a sentence, and five candidates with bars.

import { element, newButton } from "./dom.js";
import { percent, t } from "./text.js";
import { confidence, otherSize, twins } from "./verdict.js";

const MAX_ANSWERS = 5, MIN_SHARE = 0.005;

export const shownLabel = (answer) => (answer.none ? t("noCharacter") : answer.label);

/** The sentence for a list of answers. */
export function sentence(list, threshold) {
  const kind = confidence(list, threshold);
  if (kind === "none") return t("saidNone");
  const key = { unsure: "saidUnsure", probably: "saidProbably", likely: "saidLikely", sure: "saidSure" }[kind];
  // Where nothing is sure, the likeliest character is named, even if "no character" comes second.
  return t(key, shownLabel(list[0]));
}

/** A sentence on characters that a picture cannot tell apart, or "". `known`: the labels of the network. */
export function hint(list, knownLabels) {
  const [first, second] = list;
  if (first.none) return "";
  const alikeLabels = twins(first.label).filter((label) => knownLabels.has(label));
  if (alikeLabels.length) return t("alike", first.label, alikeLabels.join(", "));
  const variant = otherSize(first.label);
  if (variant && second?.label === variant && second.probability > 0.1) return t("size", first.label, variant);
  return "";
}

/** The list of five candidates. Its rows are made once, so that a new answer moves no button under a finger. */
export class Answer {
  constructor(onChoice) {
    this.rows = Array.from({ length: MAX_ANSWERS }, (_, k) => {
      const item = document.createElement("li");
      const button = newButton("", () => this.list && onChoice(this.list[k]));
      const [glyph, bar, share] = ["glyph", "bar", "share"].map((name) => {
        const part = document.createElement("span");
        part.className = name;
        button.append(part, " ");
        return part;
      });
      const fill = document.createElement("span");
      bar.append(fill);
      item.append(button);
      element("candidates").append(item);
      return { item, button, glyph, fill, share };
    });
    this.list = null;
  }

  /** Show a list of answers, or with null none. `keeping`: whether a candidate can be chosen as what was meant. */
  show(list, threshold, knownLabels, isChoosable) {
    this.list = list;
    element("answer").classList.toggle("blank", !list);
    element("hero").textContent = list ? (list[0].none ? "–" : list[0].label) : "";
    const isFaint = Boolean(list) && ["none", "unsure"].includes(confidence(list, threshold));
    element("hero").classList.toggle("faint", isFaint);
    element("hero").classList.toggle("name", Boolean(list) && [...list[0].label].length > 3);
    element("said").textContent = list ? sentence(list, threshold) : "";
    element("hint").textContent = list ? hint(list, knownLabels) : "";
    this.rows.forEach((row, k) => {
      const answer = list?.[k];
      row.item.hidden = Boolean(list) && !answer;
      // A very unlikely candidate can be chosen, but no row says 0 %.
      const isLikelyEnough = answer?.probability >= MIN_SHARE;
      row.item.classList.toggle("least", Boolean(answer) && !isLikelyEnough);
      row.glyph.textContent = answer ? shownLabel(answer) : "";
      row.glyph.classList.toggle("words", Boolean(answer?.none));
      row.fill.style.width = answer ? `${Math.max(answer.probability * 100, 0.5)}%` : "0";
      row.share.textContent = isLikelyEnough ? percent(answer.probability) : "";
      row.button.disabled = !answer || !isChoosable;
      const label = answer ? `${shownLabel(answer)} ${percent(answer.probability)}` : "–";
      row.button.setAttribute("aria-label", answer && isChoosable ? `${label} – ${t("meantThis")}` : label);
    });
  }

  /** For a screen reader: the sentence and the next two candidates. */
  spoken(threshold) {
    if (!this.list) return "";
    const rivals = this.list.slice(1, 3).map((a) => `${shownLabel(a)} ${percent(a.probability)}`);
    return `${sentence(this.list, threshold)} ${rivals.join(", ")}`;
  }
}
