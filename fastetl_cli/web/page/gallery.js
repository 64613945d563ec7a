// The kept samples: view and delete them.

import { pictureOf } from "./corrections.js";
import { element, newButton } from "./dom.js";
import { t } from "./text.js";

export class Gallery {
  /** `ask(text)`: a promise of whether the user agrees. `showError(error)`: shows an error. */
  constructor(samples, facts, ask, showError) {
    Object.assign(this, { samples, facts, ask, showError });
    element("files").addEventListener("change", () => this.open());
    element("save").addEventListener("click", () => this.samples.save());
  }

  async open() {
    try {
      const files = await this.samples.files();
      const select = element("files"), selection = select.value;
      select.replaceChildren(...files.map(({ name }) => new Option(name)));
      if (files.some(({ name }) => name === selection)) select.value = selection;
      select.closest("label").hidden = !files.length;
      element("save").hidden = !this.samples.save || !files.length;
      if (files.length) this.show(await this.samples.load(select.value));
      else this.show(null);
    } catch (error) {
      this.showError(error);
    }
  }

  show(file) {
    const lines = file ? [t(file.count === 1 ? "samplesOne" : "samplesCount", file.count)] : [t("samplesNone")];
    if (file?.damaged) lines.push(t("samplesDamaged", file.damaged));
    if (file && file.samples.length < file.count) lines.push(t("samplesShown", file.samples.length));
    element("samples-count").textContent = lines.join(" · ");
    element("sample-list").replaceChildren(...(file?.samples ?? []).map((sample) => this.item(file.name, sample)));
  }

  nameOf(label) {
    return label === "" || label === this.facts.labels[this.facts.no_character] ? t("noCharacter") : label;
  }

  item(name, sample) {
    const item = document.createElement("li");
    const [label, answer] = [this.nameOf(sample.label), this.nameOf(sample.answer)];
    const text = document.createElement("p");
    text.textContent = label === answer ? label : t("sampleMeant", label, answer);
    const time = document.createElement("time");
    time.dateTime = sample.time;
    time.textContent = new Date(sample.time).toLocaleTimeString(document.documentElement.lang, { timeStyle: "short" });
    const remove = newButton(t("remove"), async () => {
      if (!(await this.ask(t("removeAsk", label)))) return;
      try {
        await this.samples.remove(name, sample.id);
        await this.open();
        element("samples-count").append(` · ${t("removed")}`);
      } catch (error) {
        this.showError(error);
      }
    });
    remove.setAttribute("aria-label", `${t("remove")}: ${label}`);
    item.append(pictureOf(sample), text, time, remove);
    return item;
  }
}
