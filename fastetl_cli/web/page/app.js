// The page and its views: draw, write, practise, chart and samples.

import { Answer, shownLabel } from "./answer.js";
import { Board } from "./board.js";
import { Cards } from "./cards.js";
import { BrowserSamples, ServerSamples } from "./corrections.js";
import { element } from "./dom.js";
import { engineOf } from "./engine.js";
import { Gallery } from "./gallery.js";
import { Lesson } from "./lesson.js";
import { fetchJson, startToken } from "./server.js";
import { startSettings } from "./settings.js";
import { Sight } from "./sight.js";
import { startSpeech } from "./speech.js";
import { StrokeOrder } from "./strokes.js";
import { showPicker, showTables, sumOf } from "./tables.js";
import { t } from "./text.js";
import { alike, answers, startTables } from "./verdict.js";
import { Writing } from "./writing.js";

const PRACTISED = "fastetl-pad-practice";
const KEEP_HERE = "fastetl-pad-keep";
/** For measurements and tests: milliseconds from each point to its painted answer; whether no request is running. */
const measured = (globalThis.fastetlPad = { latencies: [], idle: () => true });

function stored(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

function toast(text) {
  element("toast").textContent = text;
  element("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => (element("toast").hidden = true), 5000);
}

/** What takes long to load is told, in any view. */
async function load(engine) {
  const waiting = setTimeout(() => {
    toast(t("loading"));
    clearTimeout(toast.timer);
  }, 500);
  await engine.ready.catch(failed);
  clearTimeout(waiting);
  if (element("toast").textContent === t("loading")) element("toast").hidden = true;
}

function failed(error) {
  toast(error.gone ? t("gone") : t(error.fatal ? "noEngine" : "failed", error.message));
}

function ask(text) {
  const dialog = element("ask");
  element("ask-text").textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Asks the network, one picture at a time: after an answer, for the newest drawing. `lost()`: it has no answer. */
class Live {
  constructor(board, engine, answered, lost) {
    Object.assign(this, { board, engine, answered, lost });
    this.isWanted = false;
    this.busy = false;
    this.sheet = 0; // changes with every edit, so that an answer to what is gone is dropped
  }

  edited() {
    this.sheet++;
  }

  async request(time) {
    this.isWanted = true;
    this.time = time;
    if (this.busy) return;
    this.busy = true;
    while (this.isWanted) {
      this.isWanted = false;
      const { sheet } = this, pointTime = this.time;
      if (this.board.empty) continue;
      const picture = this.board.ink.picture();
      try {
        const probabilities = await this.engine.probabilities(picture);
        if (sheet === this.sheet) this.answered(probabilities, picture, pointTime, !this.isWanted);
      } catch (error) {
        if (sheet === this.sheet) this.lost();
        failed(error);
      }
    }
    this.busy = false;
  }
}

function painted(time) {
  // After the next frame is drawn: what the user waits for.
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => measured.latencies.push(performance.now() - time);
    port2.postMessage(null);
  });
}

async function start() {
  startToken();
  const [about, labels, { kana, box }] = await Promise.all(["about.json", "labels.json", "kana.json"].map(fetchJson));
  startTables(about);
  const known = new Set(labels.labels);
  const ofScript = (script) => kana.filter((entry) => entry.script === script && known.has(entry.character));
  const scripts = Object.fromEntries(
    ["hiragana", "katakana"].map((script) => [script, new Set(ofScript(script).map((entry) => entry.character))]),
  );
  const ofKana = scripts.hiragana.size + scripts.katakana.size;
  scripts.kanji = new Set(labels.labels.filter((label) => /^\p{Script=Han}$/u.test(label)));
  const strokesOf = new Map(kana.map((entry) => [entry.character, entry.strokes]));
  const engine = engineOf(about);
  const samples = about.engine === "browser" ? new BrowserSamples(`pad ${about.version}`) : new ServerSamples();
  const cards = new Cards(kana.map((entry) => entry.character), stored(PRACTISED));
  let view = "draw", compete = null, last = null;

  const board = new Board(about.side, (kind, time) => changed(kind, time));
  const order = new StrokeOrder(board, box);
  const sight = new Sight(board, engine, about.preprocessing, labels);
  const keeping = () => about.samples || (about.engine === "browser" && stored(KEEP_HERE) === true);
  const answer = new Answer((entry) => keep(entry.none ? "" : entry.label));
  const live = new Live(board, engine, answered, () => {
    last = null; // an answer to fewer strokes is none to these
    show(null, null);
  });
  measured.idle = () => !live.busy && !writing.reading;
  const isRead = () => last?.picture && !live.busy;
  const read = async () => (isRead() ? last.probabilities : engine.probabilities(board.ink.picture()));
  const saveCards = () => localStorage.setItem(PRACTISED, JSON.stringify(cards.values()));
  const lesson = new Lesson({ kana, labels, cards, board, order, read, saveCards, rendered: () => audible() });
  let first = null; // the likeliest character of the newest answer
  const prompted = () => lesson.current?.word || lesson.current?.character;
  const audible = startSpeech({ prompt: prompted, first: () => first });
  const words = kana.filter(({ word }) => word && [...word].every((character) => known.has(character)));
  const writing = new Writing({ engine, labels, words, same: alike, failed, toast });
  const gallery = new Gallery(samples, labels, ask, failed);

  function changed(kind, time) {
    const { drawing } = board;
    element("undo").disabled = !drawing.done.length;
    element("redo").disabled = !drawing.undone.length;
    element("clear").disabled = board.empty;
    if (view === "draw") order.hide();
    board.frame.classList.toggle("drawn", !board.empty);
    if (kind === "edit") {
      live.edited();
      last = null;
    }
    if (view === "practice") lesson.changed();
    if (board.empty) {
      show(null, null);
      if (kind === "edit" && view === "draw") speak("");
      return;
    }
    changed.ended = kind !== "points";
    live.request(time);
  }

  function answered(probabilities, picture, time, newest) {
    last = { probabilities, picture };
    if (view !== "draw") return;
    show(probabilities, picture);
    painted(time);
    if (newest && changed.ended) speak(answer.spoken(labels.threshold));
  }

  function show(probabilities, picture) {
    const list = probabilities && answers(probabilities, labels, compete && scripts[compete], picture);
    answer.show(list, labels.threshold, known, keeping());
    first = list && !list[0].none ? list[0].label : null;
    element("order-first").hidden = !strokesOf.has(first);
    audible();
    // What the network sees may come a moment after what it says.
    sight.forget();
    clearTimeout(show.timer);
    show.timer = setTimeout(() => sight.show(picture, list), picture ? 30 : 0);
  }

  function speak(text) {
    element("spoken").textContent = text;
  }

  async function keep(label) {
    if (board.empty || !keeping() || !last) return;
    const { drawing, device } = board;
    const picture = board.ink.picture();
    board.renew(); // the next character need not wait for this one
    try {
      // The answer to the whole picture, not that to an earlier point.
      const [first] = answers(await engine.probabilities(picture), labels, compete && scripts[compete], picture);
      await samples.keep({ ...drawing.values(), label, answer: first.label, device });
      toast(t("kept", shownLabel({ none: label === "", label })));
    } catch (error) {
      if (board.empty) board.restore(drawing, device);
      failed(error);
    }
  }

  function explainKeeping() {
    element("meant-help").textContent = keeping() ? t("meantHelp") : about.engine === "browser" ? "" : t("meantOff");
    element("another").hidden = !keeping();
    element("keep-here").hidden = about.engine !== "browser";
    element("keep-here-box").checked = keeping();
    document.querySelector("[data-go=samples]").hidden = !about.samples && about.engine !== "browser";
    for (const name of ["practice", "table"]) document.querySelector(`[data-go=${name}]`).hidden = !ofKana;
  }

  function go(name) {
    view = name;
    document.body.dataset.view = name;
    for (const button of document.querySelectorAll("[data-go]")) {
      if (button.dataset.go === name) button.setAttribute("aria-current", "page");
      else button.removeAttribute("aria-current");
    }
    const drawing = name === "draw" || name === "practice";
    document.querySelector(".board").hidden = !drawing;
    element("answer").hidden = name !== "draw";
    for (const id of ["write", "practice", "table", "samples"]) element(id).hidden = name !== id;
    element("prompt").hidden = name !== "practice";
    order.hide();
    sight.forget();
    if (drawing) board.renew();
    if (name === "write") writing.open();
    if (name === "practice") lesson.open();
    if (name === "table") tables();
    if (name === "samples") gallery.open();
  }

  function tables() {
    showTables(element("tables"), kana, known, cards, (character) => {
      go("practice");
      lesson.ask(character);
    });
    const asked = kana.filter((entry) => known.has(entry.character));
    element("table-sum").textContent = sumOf(asked.map((entry) => cards.get(entry.character)));
  }

  for (const button of document.querySelectorAll("[data-go]")) {
    button.addEventListener("click", () => go(button.dataset.go));
  }
  for (const name of ["undo", "redo", "clear"]) element(name).addEventListener("click", () => board[name]());
  const explain = () => {
    order.hide();
    sight.explain().catch(failed);
  };
  element("why").addEventListener("click", explain);
  element("order-first").addEventListener("click", () => {
    sight.forget();
    order.show(strokesOf.get(first));
  });
  element("another").addEventListener("click", () => !board.empty && element("picker").showModal());
  element("keep-here-box").addEventListener("change", ({ target }) => {
    localStorage.setItem(KEEP_HERE, JSON.stringify(target.checked));
    explainKeeping();
    show(last?.probabilities ?? null, last?.picture ?? null);
  });
  element("forget").addEventListener("click", async () => {
    if (!(await ask(t("forgetAsk")))) return;
    cards.cards.clear();
    saveCards();
    tables();
  });
  element("compete").hidden = Object.values(scripts).filter((set) => set.size).length < 2;
  for (const button of document.querySelectorAll("[data-compete]")) {
    button.hidden = button.dataset.compete !== "" && !scripts[button.dataset.compete].size;
    button.addEventListener("click", () => {
      compete = button.dataset.compete || null;
      for (const control of document.querySelectorAll("[data-compete]")) {
        control.setAttribute("aria-pressed", String(control === button));
      }
      show(last?.probabilities ?? null, last?.picture ?? null);
    });
  }

  const sheet = () => (view === "write" ? writing.board : board);
  const commands = {
    u: () => sheet().undo(),
    r: () => sheet().redo(),
    c: () => sheet().clear(),
    Delete: () => sheet().clear(),
    Backspace: () => sheet().clear(),
    w: () => view === "draw" && explain(),
    "?": () => element("keys").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox]), select, dialog");
    if (typing || event.altKey || document.querySelector("dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) sheet().redo();
      else sheet().undo();
      return;
    }
    const onButton = event.target.closest?.("button, a");
    if (key === "Enter" && !onButton && view === "practice") {
      event.preventDefault();
      if (lesson.state === "done") lesson.ask();
      else lesson.check();
    } else if (view === "draw" && keeping() && answer.list && /^[1-5]$/.test(key)) {
      const entry = answer.list[Number(key) - 1];
      if (entry) keep(entry.none ? "" : entry.label);
    } else if (key in commands && (["draw", "write", "practice"].includes(view) || key === "?")) {
      event.preventDefault();
      commands[key]();
    }
  });

  // The ring around the canvas is for those who came by keyboard.
  document.addEventListener("keydown", () => (document.body.dataset.input = "keyboard"), true);
  document.addEventListener("pointerdown", () => (document.body.dataset.input = "pointer"), true);

  startSettings(() => {
    explainKeeping();
    showPicker(element("picker-grid"), element("picker-find"), labels, kana, (label) => {
      element("picker").close();
      keep(label);
    });
    board.repaint();
    writing.board.repaint();
    show(last?.probabilities ?? null, last?.picture ?? null);
    if (view === "write") writing.open();
    if (view === "practice") lesson.open();
    if (view === "table") tables();
    if (view === "samples") gallery.open();
  });
  document.body.dataset.ready = "true";
  if (engine.ready) load(engine);
  if (about.engine === "browser" && "serviceWorker" in navigator) {
    const had = Boolean(navigator.serviceWorker.controller);
    await navigator.serviceWorker.register("service-worker.js");
    await navigator.serviceWorker.ready;
    document.body.dataset.offline = "true";
    if (!had) toast(t("offline"));
  }
}

start().catch((error) => {
  element("said").textContent = error.message;
  failed(error);
});
