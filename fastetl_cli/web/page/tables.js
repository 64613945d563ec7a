// The tables of kana with the box and the right answers of each. Also the grid of the picker.

import { newButton } from "./dom.js";
import { sum } from "./numbers.js";
import { t } from "./text.js";

const MAX_LABELS = 400; // labels that are all shown

/** Two tables of buttons; `onChoice(character)` is called for one that the network knows. */
export function showTables(root, kana, known, cards, onChoice) {
  root.replaceChildren();
  for (const script of ["hiragana", "katakana"]) {
    const members = kana.filter((entry) => entry.script === script);
    if (!members.some((entry) => known.has(entry.character))) continue;
    const table = document.createElement("table");
    table.createCaption().textContent = t(script);
    const body = table.createTBody();
    const last = Math.max(...members.map((entry) => entry.row));
    for (let row = 0; row <= last; row++) {
      const line = body.insertRow();
      for (let column = 0; column < 5; column++) {
        const entry = members.find((k) => k.row === row && k.column === column);
        const cell = line.insertCell();
        if (entry) cell.append(cellOf(entry, known, cards, onChoice));
      }
    }
    root.append(table);
  }
}

function cellOf(entry, known, cards, onChoice) {
  const button = newButton("", () => onChoice(entry.character));
  button.disabled = !known.has(entry.character);
  const card = cards.get(entry.character);
  const glyph = document.createElement("span");
  glyph.className = "glyph";
  glyph.lang = "ja";
  glyph.textContent = entry.character;
  const counts = document.createElement("small");
  counts.textContent = card.asked ? `${card.right}/${card.asked}` : entry.sound;
  const dots = document.createElement("span");
  dots.className = "dots";
  for (let k = 0; k < 5; k++) {
    const dot = document.createElement("i");
    dot.classList.toggle("full", Boolean(card.asked) && k <= card.box);
    dots.append(dot);
  }
  button.append(glyph, counts, dots);
  button.classList.toggle("practised", Boolean(card.asked));
  const box = t("box", card.box + 1);
  const label = card.asked
    ? t("tableCell", entry.character, entry.sound, card.right, card.asked, box)
    : t(button.disabled ? "tableUnknown" : "tableNew", entry.character, entry.sound);
  button.setAttribute("aria-label", label);
  button.title = label;
  return button;
}

/** The sum below the tables, of these cards. */
export function sumOf(cards) {
  const total = (key) => sum(cards.map((card) => card[key]));
  return t("tableSum", cards.filter((card) => card.asked).length, cards.length, total("right"), total("asked"));
}

/** Labels of the network as buttons, "no character" first; of many, the kana and what is typed into `find`. */
export function showPicker(root, find, labels, kana, onChoice) {
  const none = labels.labels[labels.no_character];
  const order = new Map(kana.map((entry, k) => [entry.character, k]));
  const listed = labels.labels.filter((label) => label !== none);
  listed.sort((a, b) => (order.get(a) ?? 1e4) - (order.get(b) ?? 1e4));
  const many = listed.length > MAX_LABELS;
  const show = () => {
    const text = find.value.trim().normalize("NFC"), code = /^u\+?([0-9a-f]{4,6})$/i.exec(text);
    const asked = code ? String.fromCodePoint(Math.min(parseInt(code[1], 16), 0x10ffff)) : text;
    const first = listed.slice(0, many ? order.size : undefined);
    const shown = asked ? listed.filter((label) => asked.includes(label)) : first;
    root.replaceChildren(...[none, ...shown].map((label) => choice(label === none ? "" : label, onChoice)));
  };
  find.hidden = !many;
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
