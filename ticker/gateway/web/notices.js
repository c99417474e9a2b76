// What is said to the reader in passing: a few lines in the corner, each with one thing to do.

const SHOWN = 8_000;              // ms
const MOST = 4;

const list = document.getElementById("notices");

/** Before what is open: nothing outside of a dialog can be seen or reached. */
export function place() {
  (document.querySelector("dialog[open]") ?? document.body).append(list);
}

/** Say `text` for a while; its button does `act`. `kind` "refusal" says it at once, and "alarm"
 *  until it is dismissed. */
export function notice(text, action = "Dismiss", act = () => {}, kind = "") {
  const said = document.createElement("p");
  said.className = kind;
  said.setAttribute("role", kind ? "alert" : "status");
  const words = document.createElement("span");
  words.textContent = text;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = action;
  button.addEventListener("click", () => {
    said.remove();
    act();
  });
  said.append(words, button);
  place();
  list.append(said);
  const passing = list.querySelectorAll("p:not(.alarm)");
  if (passing.length > MOST) passing[0].remove();
  if (kind !== "alarm") setTimeout(() => said.remove(), SHOWN);
}
