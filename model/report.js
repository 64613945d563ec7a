// Draws the figures, which are in the page as JSON.

const share = (value, digits = 2) => `${(100 * value).toFixed(digits)}%`;
const count = (value) => value.toLocaleString("en");

/** Attributes and children are text, whatever they hold; a child may be null. */
function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}
const tag = (name, attributes, ...children) => filled(document.createElement(name), attributes, children);
const shape = (name, attributes, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
const dim = (...children) => tag("p", { class: "dim" }, ...children);
const row = (name, cells) => tag("tr", {}, cells.map((cell) => tag(name, {}, String(cell))));
const table = (head, rows) =>
  tag("div", { class: "wide" }, tag("table", {}, row("th", head), rows.map((cells) => row("td", cells))));

const WIDTH = 440, HEIGHT = 230, LEFT = 44, RIGHT = 14, TOP = 10, BOTTOM = 34;

/** Round numbers from `low` to `high`, whole ones if asked to. */
function ticks(low, high, maxCount, whole = false) {
  const span = (high - low) / maxCount;
  const power = 10 ** Math.floor(Math.log10(span));
  const step = Math.max([1, 2, 5, 10].find((factor) => factor * power >= span) * power, whole ? 1 : 0);
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(6)));
}

/**
 * A chart of curves, each a name and its points. ranges: least and greatest x, least and greatest y; without, those of
 * the points, with y from 0. mark: an x to mark with a dotted line. diagonal: a line from corner to corner.
 */
function chart(curves, x, y, { ranges, mark, diagonal } = {}) {
  const points = curves.flatMap(([, curve]) => curve);
  const xs = points.map((point) => point[0]), ys = points.map((point) => point[1]);
  let [left, right, low, high] = ranges ?? [Math.min(...xs), Math.max(...xs), 0, Math.max(...ys)];
  if (right <= left) right = left + 1;
  if (high <= low) high = low + 1;
  const xOf = (value) => (LEFT + ((value - left) / (right - left)) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const yOf = (value) => (HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - BOTTOM - TOP)).toFixed(1);
  const text = (attributes, value) => shape("text", attributes, String(value));
  const dotted = (path) => shape("path", { class: "mark", d: path });
  const curveShapes = curves.map(([name, curve], k) =>
    shape("g", { class: `c${k}` },
      shape("title", {}, name),
      shape("path", { class: "line", d: `M${curve.map(([a, b]) => `${xOf(a)} ${yOf(b)}`).join("L")}` }),
      curve.length > 60 ? null : curve.map(([a, b]) => shape("circle", { cx: xOf(a), cy: yOf(b), r: 2.5 }))));
  const picture = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${y} by ${x}` },
    ticks(low, high, 6).map((value) => [
      shape("path", { class: "grid", d: `M${LEFT} ${yOf(value)}H${WIDTH - RIGHT}` }),
      text({ x: LEFT - 6, y: yOf(value), dy: ".35em", "text-anchor": "end" }, value),
    ]).flat(),
    ticks(left, right, 8, xs.every(Number.isInteger)).map((value) =>
      text({ x: xOf(value), y: HEIGHT - 18, "text-anchor": "middle" }, value)),
    text({ x: WIDTH - RIGHT, y: HEIGHT - 4, "text-anchor": "end" }, x),
    text({ x: 2, y: HEIGHT - 4 }, y),
    mark === undefined ? null : dotted(`M${xOf(mark)} ${TOP}V${HEIGHT - BOTTOM}`),
    diagonal ? dotted(`M${xOf(left)} ${yOf(low)}L${xOf(right)} ${yOf(high)}`) : null,
    curveShapes);
  const legend = curves.filter(([name]) => name).map(([name], k) => tag("span", { class: `c${k}` }, `● ${name} `));
  return tag("div", { class: "chart" }, picture, tag("p", { class: "legend" }, legend));
}

const titled = (title, ...children) => tag("div", {}, tag("h3", {}, title), ...children);
const charts = (...children) => tag("div", { class: "charts" }, ...children);

function overview({ sets, threshold, scribbles_rejected }) {
  const rows = sets.map((set) => [
    set.name + (set.part === "all" ? "" : `, ${set.part} ${set.writers ? "writers" : "part"}`), count(set.samples), share(set.accuracy),
    set.interval.map((value) => share(value)).join(" – "), share(set.top5), share(set.rejected),
  ]);
  const head = ["set", "samples", "accuracy", "95 % interval", "top 5", "rejected"];
  return [
    rows.length > 1 ? table(head, rows) : null,
    dim(`An answer of less than ${share(threshold, 1)} confidence is rejected as no character: `
      + `${share(scribbles_rejected, 1)} of random scribbles are.`),
  ];
}

function cards(set) {
  const { writers } = set;
  const figures = [
    [share(set.accuracy), `accuracy, 95 % within ${set.interval.map((value) => share(value, 1)).join(" – ")}`],
    [count(set.samples), set.part === "all" ? "samples"
      : `samples ${writers ? `by ${set.part} writers` : `of the ${set.part} part`}`],
    set.excluded && [count(set.excluded), "left out: trained or validated on"],
    set.unknown && [count(set.unknown), "of which nothing tells whether they were trained on"],
    set.enlarged_from && [`${set.enlarged_from} × ${set.enlarged_from}`, "pixels: enlarged for the network"],
    [share(set.top5), "among the five likeliest"],
    writers && [share(writers.worst, 1), `the worst of ${count(writers.writers)} writers`],
    set.shape_accuracy !== null && [share(set.shape_accuracy), "へ and ヘ, カ and 力 as one"],
    set.shape_and_size_accuracy !== null && [share(set.shape_and_size_accuracy), "っ and つ as one, too"],
    [share(set.calibration.error), "calibration error"],
    [share(set.rejected), "rejected as no character"],
  ].filter(Boolean);
  return tag("div", { class: "cards" },
    figures.map(([figure, what]) => tag("div", {}, tag("b", {}, figure), tag("span", {}, what))));
}

/** Hiragana by row and vowel: plain ones, then the others. Katakana have code points that are greater by 0x60. */
const SOUNDS = [
  "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもや ゆ よらりるれろわ   をん    ",
  "がぎぐげござじずぜぞだぢづでどばびぶべぼぱぴぷぺぽぁぃぅぇぉゃ ゅ ょ  っ  ",
];
const WORST = 0.3; // errors of a character that are shown in full red

/** Tables of the fifty sounds, coloured by accuracy, of each script of which the set has at least half. */
function sounds(characters) {
  const valuesOf = new Map(characters.map((values) => [values[0], values]));
  const cell = (values) => {
    if (!values) return tag("i", {});
    const [character, samples, accuracy] = values;
    const style = `--e:${Math.min((1 - accuracy) / WORST, 1).toFixed(2)}`;
    const title = `${character}: ${share(accuracy, 1)} of ${count(samples)}`;
    return tag("span", { style, title }, character, tag("small", {}, (100 * accuracy).toFixed(0)));
  };
  const tables = [0, 0x60].map((shift) => {
    const blocks = SOUNDS.map((block) =>
      [...block].map((sound) => valuesOf.get(String.fromCodePoint(sound.codePointAt(0) + shift))));
    if (blocks[0].filter(Boolean).length < 23) return null;
    const divisions = blocks.filter((block) => block.some(Boolean)).map((block) => tag("div", {}, block.map(cell)));
    return tag("div", { class: "sounds", lang: "ja" }, divisions);
  }).filter(Boolean);
  return tables.length ? titled("By sound, % right", tables) : null;
}

const AT_ONCE = 33; // pictures of mistakes; the others open on request

/** The pictures of the mistakes, the most confident first. */
function mistakes({ mistakes, pictures }) {
  if (!mistakes.length) return null;
  const items = mistakes.map(({ truth, answer, confidence }, k) =>
    tag("figure", {}, tag("img", { alt: truth, src: pictures[k] }),
      tag("figcaption", {}, `${truth} → `, tag("b", {}, answer), ` ${share(confidence, 0)}`)));
  const grid = (part) => tag("div", { class: "mistakes", lang: "ja" }, part);
  const others = items.slice(AT_ONCE);
  return titled("The most confident mistakes", dim("Character → answer, and its confidence."), grid(items.slice(0, AT_ONCE)),
    others.length ? tag("details", {}, tag("summary", {}, `${others.length} more`), grid(others)) : null);
}

/** A table by character that can be sorted and searched; it begins with the 20 worst. */
function byCharacter(characters) {
  const buttons = ["character", "samples", "accuracy", "read as"].map((name) => tag("button", {}, name));
  const heads = buttons.map((button) => tag("th", {}, button));
  const body = tag("tbody", {}), more = tag("button", { class: "more" });
  const finder = tag("input", { type: "search", placeholder: "Characters to show", "aria-label": "Characters to show" });
  let column = 2, isAscending = true, maxRows = 20;
  function draw() {
    const text = finder.value.trim();
    const matches = characters.filter((values) => !text || text.includes(values[0]));
    matches.sort((a, b) => (a[column] > b[column] ? 1 : a[column] < b[column] ? -1 : 0) * (isAscending ? 1 : -1));
    body.replaceChildren(...matches.slice(0, maxRows).map(([character, samples, accuracy, answer]) =>
      row("td", [character, count(samples), share(accuracy), answer])));
    more.hidden = matches.length <= maxRows;
    more.textContent = `All ${count(matches.length)}`;
    heads.forEach((head, k) => { head.ariaSort = k !== column ? "none" : isAscending ? "ascending" : "descending"; });
  }
  buttons.forEach((button, k) => {
    button.onclick = () => { isAscending = k === column ? !isAscending : true; column = k; draw(); };
  });
  more.onclick = () => { maxRows = characters.length; draw(); };
  finder.oninput = draw;
  draw();
  const head = tag("thead", {}, tag("tr", {}, heads));
  return titled("By character", finder, tag("div", { class: "wide" }, tag("table", { lang: "ja" }, head, body)), more);
}

function byWriter({ worst, deciles, accuracies }) {
  const points = [worst, ...deciles].map((value, k) => [10 * k, 100 * value]);
  const low = Math.min(90, 10 * Math.floor(Math.min(...points.map((point) => point[1])) / 10));
  const axes = ["percentile of the writers", "accuracy, %"];
  const worstTen = accuracies.slice(0, 10).map(([name, samples, accuracy]) => [name, count(samples), share(accuracy)]);
  return titled("By writer", chart([["", points]], ...axes, { ranges: [0, 100, low, 100] }),
    table(["writer", "samples", "accuracy"], worstTen));
}

function confidence({ confidence, accuracy }) {
  const points = confidence.map((value, k) => [value, accuracy[k]]);
  const options = { ranges: [0, 1, 0, 1], diagonal: true };
  return titled("Confidence", chart([["", points]], "confidence", "share of right answers", options));
}

function setSection(set) {
  const rows = set.confusions.slice(0, 20).map(({ truth, answer, count: times, kind }) =>
    [`${truth} → ${answer}`, times, kind === "other" ? "" : kind]);
  const confusions = titled("Most frequent mistakes",
    rows.length ? table(["read as", "times", "differs in"], rows) : tag("p", {}, "No mistakes."),
    set.voicing_mistakes + set.size_mistakes === 0 ? null
      : dim(`Of all mistakes, ${count(set.voicing_mistakes)} differ in voicing alone (は, ば, ぱ) and `
        + `${count(set.size_mistakes)} in size alone (つ, っ).`));
  return [
    cards(set), sounds(set.characters), mistakes(set), charts(confusions, byCharacter(set.characters)),
    charts(set.writers && byWriter(set.writers), confidence(set.calibration)),
  ];
}

function trainingSection({ diagnosis, history, best, data, facts, command, versions }, run) {
  const curves = (title, validated, trained) => chart([
    ["validation", history.map((epoch) => [epoch.epoch, validated(epoch)])],
    ["training, augmented", history.map((epoch) => [epoch.epoch, trained(epoch)])],
  ], "epoch", title, { mark: best });
  const rows = data.map((d) => [d.name, count(d.samples), d.weight, d.train, d.valid, d.test]);
  return [
    diagnosis.map((sentence) => tag("p", {}, sentence)),
    charts(curves("loss", (e) => e.valid_loss, (e) => e.loss),
      curves("errors, %", (e) => 100 - 100 * e.valid_accuracy, (e) => 100 - 100 * e.accuracy)),
    dim(`The dotted line is epoch ${best}, whose weights are used. More curves: `,
      tag("code", {}, `tensorboard --logdir ${run}/tensorboard`)),
    table(["dataset", "samples", "weight", "trained on", "validation", "test"], rows),
    tag("p", {}, `${facts} `, tag("code", {}, command)),
    dim(Object.entries(versions).map((entry) => entry.join(" ")).join(" · ")),
  ].flat();
}

function report({ origin, banner, evaluation, training }) {
  const sections = evaluation.sets.map((set) => [set.name, setSection(set)]);
  if (training) sections.push(["Training", trainingSection(training, evaluation.run)]);
  return [
    dim(origin),
    tag("nav", {}, sections.map(([name], k) => tag("a", { href: `#s${k}` }, name))),
    banner ? tag("p", { class: "banner" }, tag("strong", {}, "Not for publication."), ` ${banner}`) : null,
    ...overview(evaluation),
    ...sections.flatMap(([name, parts], k) => [tag("h2", { id: `s${k}` }, name), ...parts]),
  ];
}

document.body.append(...report(JSON.parse(document.getElementById("figures").textContent)).filter((part) => part !== null));
