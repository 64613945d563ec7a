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
      const isCount = (value, max) => Number.isInteger(value) && value >= 0 && value <= max;
      if (Array.isArray(values) && isCount(values[0], 4) && values.slice(1, 4).every((value) => isCount(value, 1e7))) {
        const [box, dueDay, askedCount, right] = values;
        this.cards.set(character, { box, dueDay, askedCount, rightCount: Math.min(right, askedCount), lastTurn: 0 });
      }
    }
  }

  get(character) {
    return this.cards.get(character) ?? { box: 0, dueDay: 0, askedCount: 0, rightCount: 0, lastTurn: 0 };
  }

  /** The next character of `kana`: what is due, then what is new, then what is due soonest; never twice in a row. */
  next(kana, day = today()) {
    const choices = kana.filter((c) => this.cards.get(c)?.lastTurn !== this.turn || kana.length === 1 || !this.turn);
    const practised = choices.filter((c) => this.cards.has(c));
    const byDueDay = (a, b) => this.get(a).dueDay - this.get(b).dueDay || this.get(a).lastTurn - this.get(b).lastTurn;
    const dueCharacters = practised.filter((c) => this.get(c).dueDay <= day).sort(byDueDay);
    const newCharacters = choices.filter((c) => !this.cards.has(c));
    // What was just missed comes back after a few others.
    const notRecent = dueCharacters.filter((c) => !this.get(c).lastTurn || this.turn - this.get(c).lastTurn >= 3);
    return notRecent[0] ?? newCharacters[0] ?? dueCharacters[0] ?? practised.sort(byDueDay)[0] ?? null;
  }

  /** `misses`: how often it was written wrong before it was right, 2 if it never was. */
  recordAnswer(character, misses, day = today()) {
    const card = { ...this.get(character) };
    card.askedCount++;
    if (misses === 0) {
      card.rightCount++;
      card.box = Math.min(card.box + 1, DAYS.length - 1);
    } else if (misses >= 2) {
      card.box = 0;
    }
    card.dueDay = day + DAYS[card.box];
    card.lastTurn = ++this.turn;
    this.cards.set(character, card);
    return card;
  }

  /** For JSON. */
  values() {
    const valuesOf = ({ box, dueDay, askedCount, rightCount }) => [box, dueDay, askedCount, rightCount];
    return Object.fromEntries([...this.cards].map(([character, card]) => [character, valuesOf(card)]));
  }
}
