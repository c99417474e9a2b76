// What is said to the reader in passing: a few lines in the corner, each with one thing to do.

const SHOWN = 8_000;              // ms
const MOST = 4;

const list = document.getElementById("notices");

/** Say `text` for a while; its button does `act`. `kind` "refusal" says it at once. */
export function notice(text, action = "Dismiss", act = () => {}, kind = "") {
  const said = document.createElement("p");
  said.className = kind;
  said.setAttribute("role", kind === "refusal" ? "alert" : "status");
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
  list.append(said);
  while (list.children.length > MOST) list.firstElementChild.remove();
  setTimeout(() => said.remove(), SHOWN);
}
