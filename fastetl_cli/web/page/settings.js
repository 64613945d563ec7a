// Language and theme: as the system has them, until the user says otherwise.

import { element } from "./dom.js";
import { setLanguage, t, translate } from "./text.js";

const THEMES = ["auto", "light", "dark"];
const ICONS = { auto: "◐", light: "☀", dark: "☾" };
const [LANGUAGE, THEME] = ["fastetl-pad-language", "fastetl-pad-theme"];

export function startSettings(changed) {
  let language = localStorage.getItem(LANGUAGE) ?? (navigator.language.startsWith("ja") ? "ja" : "en");
  let theme = THEMES.includes(localStorage.getItem(THEME)) ? localStorage.getItem(THEME) : "auto";

  function apply() {
    setLanguage(language);
    document.documentElement.lang = language;
    document.title = t("title");
    document.documentElement.dataset.theme = theme;
    translate();
    element("language").lang = language === "en" ? "ja" : "en";
    element("language").title = t("languageLabel");
    const themeName = t({ auto: "themeAuto", light: "themeLight", dark: "themeDark" }[theme]);
    element("theme").textContent = ICONS[theme];
    element("theme").title = `${t("theme")}: ${themeName}`;
    element("theme").setAttribute("aria-label", `${t("theme")}: ${themeName}`);
    const rows = t("keysList").flatMap(([key, what]) => {
      const [term, text] = [document.createElement("dt"), document.createElement("dd")];
      const keyElement = document.createElement("kbd");
      keyElement.textContent = key;
      term.append(keyElement);
      text.textContent = what;
      return [term, text];
    });
    element("keys-list").replaceChildren(...rows);
    changed();
  }

  element("language").addEventListener("click", () => {
    language = language === "en" ? "ja" : "en";
    localStorage.setItem(LANGUAGE, language);
    apply();
  });
  element("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    localStorage.setItem(THEME, theme);
    apply();
  });
  element("help").addEventListener("click", () => element("keys").showModal());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  apply();
}
