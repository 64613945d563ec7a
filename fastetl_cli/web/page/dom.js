// Parts of the page: its elements by their ids, and new buttons.

export const element = (id) => document.getElementById(id);

/** A button with this text, which may be "". `pressed()` is called when it is pressed. */
export function newButton(text, pressed) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", pressed);
  return button;
}
