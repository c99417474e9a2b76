// The row of watchlists above the table, and the dialog that names one.

import { notice } from "../notices.js";

export class ListBar {
  #lists;
  #list;
  #dialog;
  #input;
  #act;
  #editing = false;

  /** `show()` is called when another list is the shown one. */
  constructor(nav, dialog, lists, show) {
    this.#lists = lists;
    this.#list = nav.querySelector("ul");
    this.#dialog = dialog;
    this.#input = dialog.querySelector("input");
    this.#act = show;
    lists.addEventListener("change", () => this.draw());
    nav.querySelector(".new").addEventListener("click", () => this.#ask(false));
    nav.querySelector(".edit").addEventListener("click", () => this.#ask(true));
    dialog.querySelector("form").addEventListener("submit", () => this.#save());
    dialog.querySelector(".cancel").addEventListener("click", () => dialog.close());
    dialog.querySelector(".delete").addEventListener("click", () => this.#remove());
  }

  draw() {
    this.#list.replaceChildren(...this.#lists.names.map((name) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "plain";
      button.textContent = name;
      if (name === this.#lists.shown) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => {
        this.#lists.show(name);
        this.#changed();
        this.#focus();
      });
      item.append(button);
      return item;
    }));
  }

  #ask(editing) {
    this.#editing = editing;
    const title = editing ? `Edit “${this.#lists.shown}”` : "New list";
    this.#dialog.querySelector("h2").textContent = title;
    this.#dialog.querySelector(".delete").hidden = !editing || this.#lists.names.length < 2;
    this.#input.value = editing ? this.#lists.shown : "";
    this.#dialog.showModal();
    this.#input.select();
  }

  #save() {
    if (this.#editing) this.#lists.rename(this.#input.value);
    else this.#lists.add(this.#input.value);
    this.#changed();
  }

  #remove() {
    const name = this.#lists.shown;
    const undo = this.#lists.remove();
    this.#dialog.close();
    this.#changed();
    notice(`List ${name} deleted`, "Undo", () => {
      undo();
      this.#changed();
    });
  }

  #changed() {
    this.draw();
    this.#act();
  }

  #focus() {
    this.#list.querySelector("[aria-current]")?.focus();
  }
}
