// The box that adds symbols: a combobox with suggestions from /symbols.
// Pattern: ARIA Authoring Practices, "Combobox with List Autocomplete".

const LIMIT = 8;
const PAUSE = 100;                // ms of not typing before a question is sent

export class Search {
  #form;
  #input;
  #list;
  #ask;
  #watched;
  #add;
  #timer = 0;
  #asked = 0;
  #found = [];
  #active = -1;

  /**
   * `ask(path)` asks the server; `watched(symbol)` says what is on the page already;
   * `add(symbols)` puts more there.
   */
  constructor(form, { ask, watched, add }) {
    this.#ask = ask;
    this.#form = form;
    this.#input = form.querySelector("input");
    this.#list = form.querySelector("ul");
    this.#watched = watched;
    this.#add = add;
    this.#input.addEventListener("input", () => this.#typed());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("focus", () => this.#typed());
    this.#input.addEventListener("blur", () => this.#close());
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  focus() {
    this.#input.focus();
    this.#input.select();
  }

  #typed() {
    clearTimeout(this.#timer);
    const text = this.#input.value.trim();
    if (!text || /[\s,;]/.test(text)) return this.#close();
    this.#timer = setTimeout(() => this.#suggest(text), PAUSE);
  }

  async #suggest(text) {
    const number = ++this.#asked;
    const query = new URLSearchParams({ q: text.slice(0, 64), limit: LIMIT });
    try {
      const { symbols } = await this.#ask(`symbols?${query}`);
      if (number === this.#asked && this.#input.value.trim() === text) this.#show(symbols, text);
    } catch {
      this.#close();              // no connection: what is typed can still be added
    }
  }

  #show(found, text) {
    this.#found = found.map(({ symbol }) => symbol);
    this.#list.replaceChildren(...found.map((each, index) => this.#option(each, index, text)));
    if (!found.length) {
      const none = document.createElement("li");
      none.className = "none";
      none.textContent = "No symbol has these letters";
      this.#list.append(none);
    }
    this.#list.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    this.#choose(found.length ? 0 : -1);
  }

  #option({ symbol, name: called }, index, text) {
    const option = document.createElement("li");
    option.id = `suggestion-${index}`;
    option.setAttribute("role", "option");
    const found = symbol.toUpperCase().indexOf(text.toUpperCase());
    const at = found < 0 ? symbol.length : found;   // found by its name
    const hit = document.createElement("b");
    hit.textContent = symbol.slice(at, at + text.length);
    const name = document.createElement("span");
    name.append(symbol.slice(0, at), hit, symbol.slice(at + text.length));
    option.append(name);
    if (called) {
      const said = document.createElement("small");
      said.textContent = called;
      option.append(said);
    }
    if (this.#watched(symbol)) {
      const note = document.createElement("small");
      note.textContent = "on this page";
      option.append(note);
    }
    return option;
  }

  #choose(index) {
    this.#active = index;
    for (const [at, option] of [...this.#list.children].entries()) {
      option.setAttribute("aria-selected", String(at === index));
      if (at === index) option.scrollIntoView({ block: "nearest" });
    }
    if (index >= 0) this.#input.setAttribute("aria-activedescendant", `suggestion-${index}`);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  #close() {
    clearTimeout(this.#timer);
    this.#asked++;
    this.#found = [];
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#choose(-1);
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.#found.length) {
      event.preventDefault();
      this.#choose((this.#active + step + this.#found.length) % this.#found.length);
    } else if (event.key === "Escape") {
      if (this.#list.hidden) this.#input.value = "";
      this.#close();
    }
  }

  #clicked(event) {
    const option = event.target.closest("[role=option]");
    if (option) this.#take([this.#found[[...this.#list.children].indexOf(option)]]);
  }

  // The chosen suggestion when it fits what is typed; else the typed symbols as they are.
  #submit() {
    const typed = this.#input.value.split(/[\s,;]+/).filter(Boolean);
    if (!typed.length) return;
    const chosen = this.#found[this.#active];
    this.#take(chosen && typed.length === 1 ? [chosen] : typed.map((text) => text.toUpperCase()));
  }

  #take(symbols) {
    this.#input.value = "";
    this.#close();
    this.#add(symbols);
  }
}
