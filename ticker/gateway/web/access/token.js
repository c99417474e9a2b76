// The form that asks who is there. The token lives in this tab alone: in sessionStorage, which
// is gone when the tab is closed and which no other tab sees.

const STORED = "ticker.token";
const SENDABLE = /^[\x21-\x7e]{1,4096}$/;   // what a header can carry

export class TokenForm {
  #form;
  #input;
  #said;
  #button;
  #attempt;

  /** `attempt(token)` resolves to "" when the token opened the server, else to what is wrong. */
  constructor(form, attempt) {
    this.#form = form;
    this.#input = form.querySelector("input");
    this.#said = form.querySelector("[role=alert]");
    this.#button = form.querySelector("button");
    this.#attempt = attempt;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** The token that was entered in this tab, or "". */
  static stored() {
    try {
      return sessionStorage.getItem(STORED) ?? "";
    } catch {
      return "";                  // storage is switched off: asked for on every load
    }
  }

  static keep(token) {
    try {
      sessionStorage.setItem(STORED, token);
    } catch { /* as above */ }
  }

  static forget() {
    try {
      sessionStorage.removeItem(STORED);
    } catch { /* as above */ }
  }

  get shown() {
    return !this.#form.hidden;
  }

  /** Ask for a token; `wrong` says what was wrong with the one before, "" for the first time. */
  show(wrong) {
    this.#say(wrong);
    this.#form.hidden = false;
    this.#input.focus();
  }

  hide() {
    this.#form.hidden = true;
    this.#input.value = "";
    this.#say("");
  }

  async #submit() {
    const token = this.#input.value.trim();
    if (!SENDABLE.test(token)) {
      return this.#say(token ? "A token has no blanks and plain characters only." : "");
    }
    this.#button.disabled = true;
    const wrong = await this.#attempt(token);
    this.#button.disabled = false;
    if (!wrong) return;
    this.#say(wrong);
    this.#input.select();
  }

  #say(wrong) {
    this.#said.textContent = wrong.charAt(0).toUpperCase() + wrong.slice(1);
    this.#input.setAttribute("aria-invalid", String(Boolean(wrong)));
  }
}
