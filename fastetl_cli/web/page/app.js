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
import { areAlike, answers, startTables } from "./verdict.js";
import { Writing } from "./writing.js";

const PRACTISED = "fastetl-pad-practice";
const KEEP_HERE = "fastetl-pad-keep";
/** For measurements and tests: milliseconds from each point to its painted answer; whether no request is running. */
const measured = (globalThis.fastetlPad = { latencies: [], idle: () => true });

function readStored(key) {
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
  await engine.ready.catch(showError);
  clearTimeout(waiting);
  if (element("toast").textContent === t("loading")) element("toast").hidden = true;
}

function showError(error) {
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

/** Asks the network, one picture at a time: after an answer, for the newest drawing. `onLoss()`: it has no answer. */
class LiveReader {
  constructor(board, engine, onAnswer, onLoss) {
    Object.assign(this, { board, engine, onAnswer, onLoss });
    this.isWanted = false;
    this.isBusy = false;
    this.revision = 0; // changes with every edit, so that an answer to what is gone is dropped
  }

  edited() {
    this.revision++;
  }

  async request(time) {
    this.isWanted = true;
    this.time = time;
    if (this.isBusy) return;
    this.isBusy = true;
    while (this.isWanted) {
      this.isWanted = false;
      const { revision } = this, pointTime = this.time;
      if (this.board.isEmpty) continue;
      const picture = this.board.ink.picture();
      try {
        const probabilities = await this.engine.probabilities(picture);
        if (revision === this.revision) this.onAnswer(probabilities, picture, pointTime, !this.isWanted);
      } catch (error) {
        if (revision === this.revision) this.onLoss();
        showError(error);
      }
    }
    this.isBusy = false;
  }
}

function measureLatency(time) {
  // After the next frame is drawn: what the user waits for.
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => measured.latencies.push(performance.now() - time);
    port2.postMessage(null);
  });
}

async function start() {
  startToken();
  const [about, facts, { kana, box }] = await Promise.all(["about.json", "labels.json", "kana.json"].map(fetchJson));
  startTables(about);
  const knownLabels = new Set(facts.labels);
  const kanaOfScript = (script) => kana.filter((entry) => entry.script === script && knownLabels.has(entry.character));
  const scripts = Object.fromEntries(
    ["hiragana", "katakana"].map((script) => [script, new Set(kanaOfScript(script).map((entry) => entry.character))]),
  );
  const kanaCount = scripts.hiragana.size + scripts.katakana.size;
  scripts.kanji = new Set(facts.labels.filter((label) => /^\p{Script=Han}$/u.test(label)));
  const strokesOf = new Map(kana.map((entry) => [entry.character, entry.strokes]));
  const engine = engineOf(about);
  const samples = about.engine === "browser" ? new BrowserSamples(`pad ${about.version}`) : new ServerSamples();
  const cards = new Cards(kana.map((entry) => entry.character), readStored(PRACTISED));
  let view = "draw", competingScript = null, lastReading = null;

  const board = new Board(about.side, (kind, time) => handleChange(kind, time));
  const strokeOrder = new StrokeOrder(board, box);
  const sight = new Sight(board, engine, about.preprocessing, facts);
  const isKeeping = () => about.samples || (about.engine === "browser" && readStored(KEEP_HERE) === true);
  const answer = new Answer((entry) => keep(entry.none ? "" : entry.label));
  const live = new LiveReader(board, engine, showAnswer, () => {
    lastReading = null; // an answer to fewer strokes is none to these
    show(null, null);
  });
  measured.idle = () => !live.isBusy && !writing.reading;
  const isRead = () => lastReading?.picture && !live.isBusy;
  const read = async () => (isRead() ? lastReading.probabilities : engine.probabilities(board.ink.picture()));
  const saveCards = () => localStorage.setItem(PRACTISED, JSON.stringify(cards.values()));
  const onRender = () => updateSpeech();
  const lesson = new Lesson({ kana, facts, cards, board, strokeOrder, read, saveCards, onRender });
  let likeliestLabel = null; // the likeliest character of the newest answer
  const promptText = () => lesson.current?.word || lesson.current?.character;
  const updateSpeech = startSpeech({ prompt: promptText, first: () => likeliestLabel });
  const words = kana.filter(({ word }) => word && [...word].every((character) => knownLabels.has(character)));
  const writing = new Writing({ engine, facts, words, areAlike, showError, toast });
  const gallery = new Gallery(samples, facts, ask, showError);

  function handleChange(kind, time) {
    const { drawing } = board;
    element("undo").disabled = !drawing.done.length;
    element("redo").disabled = !drawing.undone.length;
    element("clear").disabled = board.isEmpty;
    if (view === "draw") strokeOrder.hide();
    board.frame.classList.toggle("drawn", !board.isEmpty);
    if (kind === "edit") {
      live.edited();
      lastReading = null;
    }
    if (view === "practice") lesson.drawingChanged();
    if (board.isEmpty) {
      show(null, null);
      if (kind === "edit" && view === "draw") speak("");
      return;
    }
    handleChange.isEnded = kind !== "points";
    live.request(time);
  }

  function showAnswer(probabilities, picture, time, isNewest) {
    lastReading = { probabilities, picture };
    if (view !== "draw") return;
    show(probabilities, picture);
    measureLatency(time);
    if (isNewest && handleChange.isEnded) speak(answer.spoken(facts.threshold));
  }

  function show(probabilities, picture) {
    const list = probabilities && answers(probabilities, facts, competingScript && scripts[competingScript], picture);
    answer.show(list, facts.threshold, knownLabels, isKeeping());
    likeliestLabel = list && !list[0].none ? list[0].label : null;
    element("order-first").hidden = !strokesOf.has(likeliestLabel);
    updateSpeech();
    // What the network sees may come a moment after what it says.
    sight.forget();
    clearTimeout(show.timer);
    show.timer = setTimeout(() => sight.show(picture, list), picture ? 30 : 0);
  }

  function speak(text) {
    element("spoken").textContent = text;
  }

  async function keep(label) {
    if (board.isEmpty || !isKeeping() || !lastReading) return;
    const { drawing, device } = board;
    const picture = board.ink.picture();
    board.renew(); // the next character need not wait for this one
    try {
      // The answer to the whole picture, not that to an earlier point.
      const probabilities = await engine.probabilities(picture);
      const [first] = answers(probabilities, facts, competingScript && scripts[competingScript], picture);
      await samples.keep({ ...drawing.values(), label, answer: first.label, device });
      toast(t("kept", shownLabel({ none: label === "", label })));
    } catch (error) {
      if (board.isEmpty) board.restore(drawing, device);
      showError(error);
    }
  }

  function explainKeeping() {
    element("meant-help").textContent = isKeeping() ? t("meantHelp") : about.engine === "browser" ? "" : t("meantOff");
    element("another").hidden = !isKeeping();
    element("keep-here").hidden = about.engine !== "browser";
    element("keep-here-box").checked = isKeeping();
    document.querySelector("[data-go=samples]").hidden = !about.samples && about.engine !== "browser";
    for (const name of ["practice", "table"]) document.querySelector(`[data-go=${name}]`).hidden = !kanaCount;
  }

  function go(name) {
    const isSame = name === view;
    view = name;
    document.body.dataset.view = name;
    for (const button of document.querySelectorAll("[data-go]")) {
      if (button.dataset.go === name) button.setAttribute("aria-current", "page");
      else button.removeAttribute("aria-current");
    }
    const isDrawing = name === "draw" || name === "practice";
    document.querySelector(".board").hidden = !isDrawing;
    element("answer").hidden = name !== "draw";
    for (const id of ["write", "practice", "table", "samples"]) element(id).hidden = name !== id;
    element("prompt").hidden = name !== "practice";
    strokeOrder.hide();
    sight.forget();
    if (isDrawing && !isSame) board.renew();
    if (name === "write") writing.open();
    if (name === "practice") lesson.open();
    if (name === "table") openTables();
    if (name === "samples") gallery.open();
  }

  function openTables() {
    showTables(element("tables"), kana, knownLabels, cards, (character) => {
      go("practice");
      lesson.ask(character);
    });
    const knownKana = kana.filter((entry) => knownLabels.has(entry.character));
    element("table-sum").textContent = sumOf(knownKana.map((entry) => cards.get(entry.character)));
  }

  for (const button of document.querySelectorAll("[data-go]")) {
    button.addEventListener("click", () => go(button.dataset.go));
  }
  for (const name of ["undo", "redo", "clear"]) element(name).addEventListener("click", () => board[name]());
  const explain = () => {
    strokeOrder.hide();
    sight.explain().catch(showError);
  };
  element("why").addEventListener("click", explain);
  element("order-first").addEventListener("click", () => {
    sight.forget();
    strokeOrder.show(strokesOf.get(likeliestLabel));
  });
  element("another").addEventListener("click", () => !board.isEmpty && element("picker").showModal());
  element("keep-here-box").addEventListener("change", ({ target }) => {
    localStorage.setItem(KEEP_HERE, JSON.stringify(target.checked));
    explainKeeping();
    show(lastReading?.probabilities ?? null, lastReading?.picture ?? null);
  });
  element("forget").addEventListener("click", async () => {
    if (!(await ask(t("forgetAsk")))) return;
    cards.cards.clear();
    saveCards();
    openTables();
  });
  element("compete").hidden = Object.values(scripts).filter((set) => set.size).length < 2;
  for (const button of document.querySelectorAll("[data-compete]")) {
    button.hidden = button.dataset.compete !== "" && !scripts[button.dataset.compete].size;
    button.addEventListener("click", () => {
      competingScript = button.dataset.compete || null;
      for (const control of document.querySelectorAll("[data-compete]")) {
        control.setAttribute("aria-pressed", String(control === button));
      }
      show(lastReading?.probabilities ?? null, lastReading?.picture ?? null);
    });
  }

  const activeBoard = () => (view === "write" ? writing.board : board);
  const commands = {
    u: () => activeBoard().undo(),
    r: () => activeBoard().redo(),
    c: () => activeBoard().clear(),
    Delete: () => activeBoard().clear(),
    Backspace: () => activeBoard().clear(),
    w: () => view === "draw" && explain(),
    "?": () => element("keys").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input:not([type=checkbox]), select, dialog");
    if (isTyping || event.altKey || document.querySelector("dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) activeBoard().redo();
      else activeBoard().undo();
      return;
    }
    const isOnButton = event.target.closest?.("button, a");
    if (key === "Enter" && !isOnButton && view === "practice") {
      event.preventDefault();
      if (lesson.state === "done") lesson.ask();
      else lesson.check();
    } else if (view === "draw" && isKeeping() && answer.list && /^[1-5]$/.test(key)) {
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
    showPicker(element("picker-grid"), element("picker-find"), facts, kana, (label) => {
      element("picker").close();
      keep(label);
    });
    board.repaint();
    writing.board.repaint();
    show(lastReading?.probabilities ?? null, lastReading?.picture ?? null);
    if (view === "write") writing.open();
    if (view === "practice") lesson.open();
    if (view === "table") openTables();
    if (view === "samples") gallery.open();
  });
  document.body.dataset.ready = "true";
  if (engine.ready) load(engine);
  if (about.engine === "browser" && "serviceWorker" in navigator) {
    const hadController = Boolean(navigator.serviceWorker.controller);
    await navigator.serviceWorker.register("service-worker.js");
    await navigator.serviceWorker.ready;
    document.body.dataset.offline = "true";
    if (!hadController) toast(t("offline"));
  }
}

start().catch((error) => {
  element("said").textContent = error.message;
  showError(error);
});
