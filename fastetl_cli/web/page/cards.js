// What is practised: Leitner's boxes. A card that was right moves up one box and comes back later; one that was missed
// twice starts again.

export const DAYS = [0, 1, 3, 7, 21];
const DAY = 24 * 60 * 60 * 1000;

/** Number of the local day. */
export const today = (now = new Date()) => {
  return Math.floor((now.getTime() - now.getTimezoneOffset() * 60 * 1000) / DAY);
};

export class Cards {
  /** `kana`: characters in the order in which they are introduced. `stored`: what `values` gave, or anything. */
  constructor(kana, stored = {}) {
    this.kana = kana;
    this.turn = 0;
    this.cards = new Map();
    for (const character of kana) {
      const values = stored?.[character];
      const isCount = (value, most) => Number.isInteger(value) && value >= 0 && value <= most;
      if (Array.isArray(values) && isCount(values[0], 4) && values.slice(1, 4).every((value) => isCount(value, 1e7))) {
        const [box, due, asked, right] = values;
        this.cards.set(character, { box, due, asked, right: Math.min(right, asked), last: 0 });
      }
    }
  }

  get(character) {
    return this.cards.get(character) ?? { box: 0, due: 0, asked: 0, right: 0, last: 0 };
  }

  /** The next character of `kana`: what is due, then what is new, then what is due soonest; never twice in a row. */
  next(kana, day = today()) {
    const choices = kana.filter((c) => this.cards.get(c)?.last !== this.turn || kana.length === 1 || !this.turn);
    const known = choices.filter((c) => this.cards.has(c));
    const order = (a, b) => this.get(a).due - this.get(b).due || this.get(a).last - this.get(b).last;
    const due = known.filter((c) => this.get(c).due <= day).sort(order);
    const fresh = choices.filter((c) => !this.cards.has(c));
    // What was just missed comes back after a few others.
    const rested = due.filter((c) => !this.get(c).last || this.turn - this.get(c).last >= 3);
    return rested[0] ?? fresh[0] ?? due[0] ?? known.sort(order)[0] ?? null;
  }

  /** `misses`: how often it was written wrong before it was right, 2 if it never was. */
  answered(character, misses, day = today()) {
    const card = { ...this.get(character) };
    card.asked++;
    if (misses === 0) {
      card.right++;
      card.box = Math.min(card.box + 1, DAYS.length - 1);
    } else if (misses >= 2) {
      card.box = 0;
    }
    card.due = day + DAYS[card.box];
    card.last = ++this.turn;
    this.cards.set(character, card);
    return card;
  }

  /** For JSON. */
  values() {
    return Object.fromEntries([...this.cards].map(([c, { box, due, asked, right }]) => [c, [box, due, asked, right]]));
  }
}
