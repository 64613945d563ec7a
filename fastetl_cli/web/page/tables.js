// The tables of kana with the box and the right answers of each. Also the grid of the picker.

import { newButton } from "./dom.js";
import { sum } from "./numbers.js";
import { t } from "./text.js";

const MAX_LABELS = 400; // labels that are all shown

/** Two tables of buttons; `onChoice(character)` is called for one that the network knows. */
export function showTables(root, kana, knownLabels, cards, onChoice) {
  root.replaceChildren();
  for (const script of ["hiragana", "katakana"]) {
    const kanaOfScript = kana.filter((entry) => entry.script === script);
    if (!kanaOfScript.some((entry) => knownLabels.has(entry.character))) continue;
    const table = document.createElement("table");
    table.createCaption().textContent = t(script);
    const body = table.createTBody();
    const lastRow = Math.max(...kanaOfScript.map((entry) => entry.row));
    for (let row = 0; row <= lastRow; row++) {
      const line = body.insertRow();
      for (let column = 0; column < 5; column++) {
        const entry = kanaOfScript.find((k) => k.row === row && k.column === column);
        const cell = line.insertCell();
        if (entry) cell.append(cellOf(entry, knownLabels, cards, onChoice));
      }
    }
    root.append(table);
  }
}

function cellOf(entry, knownLabels, cards, onChoice) {
  const button = newButton("", () => onChoice(entry.character));
  button.disabled = !knownLabels.has(entry.character);
  const card = cards.get(entry.character);
  const glyph = document.createElement("span");
  glyph.className = "glyph";
  glyph.lang = "ja";
  glyph.textContent = entry.character;
  const counts = document.createElement("small");
  counts.textContent = card.askedCount ? `${card.rightCount}/${card.askedCount}` : entry.sound;
  const dots = document.createElement("span");
  dots.className = "dots";
  for (let k = 0; k < 5; k++) {
    const dot = document.createElement("i");
    dot.classList.toggle("full", Boolean(card.askedCount) && k <= card.box);
    dots.append(dot);
  }
  button.append(glyph, counts, dots);
  button.classList.toggle("practised", Boolean(card.askedCount));
  const box = t("box", card.box + 1);
  const label = card.askedCount
    ? t("tableCell", entry.character, entry.sound, card.rightCount, card.askedCount, box)
    : t(button.disabled ? "tableUnknown" : "tableNew", entry.character, entry.sound);
  button.setAttribute("aria-label", label);
  button.title = label;
  return button;
}

/** The sum below the tables, of these cards. */
export function sumOf(cards) {
  const total = (key) => sum(cards.map((card) => card[key]));
  const practised = cards.filter((card) => card.askedCount);
  return t("tableSum", practised.length, cards.length, total("rightCount"), total("askedCount"));
}

/** Labels of the network as buttons, "no character" first; of many, the kana and what is typed into `find`. */
export function showPicker(root, find, facts, kana, onChoice) {
  const noCharacter = facts.labels[facts.no_character];
  const positions = new Map(kana.map((entry, k) => [entry.character, k]));
  const listed = facts.labels.filter((label) => label !== noCharacter);
  listed.sort((a, b) => (positions.get(a) ?? 1e4) - (positions.get(b) ?? 1e4));
  const isLong = listed.length > MAX_LABELS;
  const show = () => {
    const text = find.value.trim().normalize("NFC"), code = /^u\+?([0-9a-f]{4,6})$/i.exec(text);
    const wantedText = code ? String.fromCodePoint(Math.min(parseInt(code[1], 16), 0x10ffff)) : text;
    const firstLabels = listed.slice(0, isLong ? positions.size : undefined);
    const shownLabels = wantedText ? listed.filter((label) => wantedText.includes(label)) : firstLabels;
    root.replaceChildren(...["", ...shownLabels].map((label) => choice(label, onChoice)));
  };
  find.hidden = !isLong;
  find.placeholder = t("find");
  find.value = "";
  find.oninput = show;
  show();
}

function choice(label, onChoice) {
  const button = newButton(label || t("noCharacter"), () => onChoice(label));
  button.classList.toggle("words", !label);
  button.lang = label ? "ja" : document.documentElement.lang;
  return button;
}
