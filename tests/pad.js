// What the tests of the pad's page run in the browser.
(() => {
  /** Draws strokes [x, y, x, y, …] in 0–1 of a canvas by pointer events. */
  const draw = ([id, strokes]) => {
    const sheet = document.getElementById(id);
    const box = sheet.getBoundingClientRect();
    const send = (name, x, y) => sheet.dispatchEvent(new PointerEvent(name, {
      pointerId: 1, pointerType: "pen", pressure: 0.5, button: 0, bubbles: true, cancelable: true,
      clientX: box.left + x * box.width, clientY: box.top + y * box.height,
    }));
    for (const stroke of strokes) {
      send("pointerdown", stroke[0], stroke[1]);
      for (let k = 2; k < stroke.length; k += 2) send("pointermove", stroke[k], stroke[k + 1]);
      send("pointerup", ...stroke.slice(-2));
    }
  };

  /** How far each drawing is from its golden runs; −1 if it has another size. */
  const rasterized = async (all) => {
    const { rasterize } = await import("/ink.js");
    return all.map((drawing) => {
      const drawn = rasterize(drawing);
      let at = 0, apart = 0;
      for (let k = 0; k < drawing.runs.length; k += 2) {
        for (let n = 0; n < drawing.runs[k]; n++) {
          apart = Math.max(apart, Math.abs(drawn[at++] - drawing.runs[k + 1]));
        }
      }
      return at === drawn.length ? apart : -1;
    });
  };

  /** What the page shows as the network's input. */
  const framedPixels = async ([text, spec]) => {
    const { framed } = await import("/seeing.js");
    return framed(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), 128, spec).pixels.join();
  };

  /** Cards asked and answered: what was asked, with its box and when it is due. */
  const askedCards = async () => {
    const { Cards } = await import("/cards.js");
    const cards = new Cards([..."あいうえお"], { う: [4, 900, 9, 8], え: [7, 0, 1, 1], お: "x" });
    const all = [..."あいうえお"];
    const asked = [];
    for (const misses of [0, 2, 1, 0, 0, 0]) {
      const one = cards.next(all, 100);
      const { box, dueDay } = cards.recordAnswer(one, misses, 100);
      asked.push([one, box, dueDay]);
    }
    const later = cards.next(all, 103);
    return [asked, later, new Cards(all, JSON.parse(JSON.stringify(cards.values()))).get("あ"), cards.get("う")];
  };

  /** What is read of a kana's strokes, drawn by pointer events. */
  const readKana = async (kana) => {
    const strokes = kana.strokes.map((stroke) => stroke.map((v) => v / 1000));
    draw(["sheet", strokes]);
    while (!fastetlPad.idle()) await new Promise((resolve) => setTimeout(resolve, 1));
    const read = document.getElementById("hero").textContent;
    document.getElementById("clear").click();
    return read;
  };

  /** Text and boxes of drawings, as the page reads lines. */
  const readLines = async (drawingsAndOptions) => {
    const { readDrawing, Tables } = await import("/lines.js");
    const { ServerEngine } = await import("/engine.js");
    const json = async (name) => (await fetch(name)).json();
    const bytes = async (name) => (await fetch(name)).arrayBuffer();
    const tables = new Tables(await json("lines.json"), await bytes("bigrams.bin"), await bytes("shapes.bin"));
    const labels = await json("labels.json");
    const read = [];
    for (const [drawing, options] of drawingsAndOptions) {
      const lines = await readDrawing(drawing, new ServerEngine(128), labels, tables, () => true, options);
      const characters = lines.flatMap((line) => line.characters);
      const text = lines.map((line) => line.text).join("\n");
      read.push([text, characters.map((one) => [...one.box, one.confidence])]);
    }
    return read;
  };

  /** Width of the overlay and the sum of its pixels. */
  const painted = () => {
    const { width, height } = document.getElementById("overlay");
    const { data } = document.getElementById("overlay").getContext("2d").getImageData(0, 0, width, height);
    return [width, data.reduce((sum, value) => sum + value, 0)];
  };

  /** How many samples are left when one was deleted, and which lines are removals. */
  const keptInBrowser = async () => {
    const { BrowserSamples } = await import("./corrections.js");
    const samples = new BrowserSamples("pad");
    for (const label of ["ぬ", "め"]) await samples.keep({ label });
    const [, { id }] = (await samples.load("")).samples;
    await samples.remove("", id);
    return [(await samples.load("")).count, ...samples.lines().map((line) => JSON.parse(line).removed ?? false)];
  };

  /** The answers of the engine in the browser. */
  const probabilities = async (text) => {
    const { BrowserEngine, askAll } = await import("./engine.js");
    return (await askAll(new BrowserEngine(128), Uint8Array.from(atob(text), (c) => c.charCodeAt(0)))).join();
  };

  /** What is answered when the worker had failed before the question. */
  const afterFailure = async () => {
    const { BrowserEngine } = await import("./engine.js");
    const engine = new BrowserEngine(128);
    engine.worker.onerror({});
    await engine.ready.catch(() => {});
    return engine.probabilities(new Uint8Array(128 ** 2)).catch((error) => [error.message, error.fatal]);
  };

  /** Whether there is ink of a pen, and of the hand that holds it and touches the screen first. */
  const handThenPen = () => {
    const sheet = document.getElementById("sheet"), { left, top } = sheet.getBoundingClientRect();
    const send = (name, pointerType, at) => sheet.dispatchEvent(new PointerEvent(name, {
      pointerId: pointerType === "pen" ? 1 : 2, pointerType, pressure: 0.5, button: 0, bubbles: true, cancelable: true,
      clientX: left + at, clientY: top + at,
    }));
    for (const [kind, at] of [["touch", 90], ["pen", 30]]) send("pointerdown", kind, at);
    for (const [kind, at] of [["pen", 80], ["touch", 99]]) send("pointermove", kind, at);
    for (const [kind, at] of [["pen", 80], ["touch", 99]]) send("pointerup", kind, at);
    const scale = sheet.width / sheet.clientWidth, context = sheet.getContext("2d");
    return [55, 95].map((at) => context.getImageData(at * scale, at * scale, 1, 1).data[3] > 0);
  };

  /** The buttons and lists that a finger hardly meets. */
  const smallButtons = () => [...document.querySelectorAll("button, select")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && (box.height < 40 || box.width < 40);
  }).map((one) => one.outerHTML);

  return { draw, rasterized, framedPixels, askedCards, readKana, readLines, painted, keptInBrowser, probabilities,
    afterFailure, handThenPen, smallButtons };
})()
