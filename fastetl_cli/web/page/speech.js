// The sound of a character or a word, by a Japanese voice of this system where it has one.

const voice = () => globalThis.speechSynthesis?.getVoices().find(({ lang }) => lang.startsWith("ja"));

/** Buttons with `data-hear` speak the text that `texts` has under that name; without voice or text they are hidden. */
export function startSpeech(texts) {
  const buttons = [...document.querySelectorAll("[data-hear]")];
  const show = () => {
    for (const button of buttons) button.hidden = !voice() || !texts[button.dataset.hear]();
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const spoken = new SpeechSynthesisUtterance(texts[button.dataset.hear]());
      Object.assign(spoken, { lang: "ja-JP", voice: voice(), rate: 0.8 });
      speechSynthesis.cancel();
      speechSynthesis.speak(spoken);
    });
  }
  globalThis.speechSynthesis?.addEventListener?.("voiceschanged", show);
  return show;
}
