// Where the server asks for a token, nothing is shown before it has a right one.

import { TokenForm } from "./token.js";

const NO_ANSWER = "The server does not answer. Try again in a moment.";

export class Gate {
  #stream;
  #rest;
  #form;
  #open;
  #close;

  /** `open()` when there is a token, or none is needed; `close()` when it opens nothing any more. */
  constructor(form, { stream, rest, open, close }) {
    this.#stream = stream;
    this.#rest = rest;
    this.#open = open;
    this.#close = close;
    this.#form = new TokenForm(form, (token) => this.#enter(token));
    const forget = document.getElementById("forget");
    forget.addEventListener("click", () => {
      TokenForm.forget();
      location.reload();          // nothing of it is left in this tab
    });
    stream.addEventListener("state", ({ detail: { state, reason } }) => {
      if (state === "refused") this.#lock(stream.token ? reason : "");
    });
    rest.addEventListener("unauthorised", ({ detail }) => this.#lock(rest.token ? detail : ""));
  }

  get locked() {
    return this.#form.shown;
  }

  begin() {
    this.#use(TokenForm.stored());
    this.#open();
  }

  #use(token) {
    this.#rest.token = this.#stream.token = token;
    document.getElementById("forget").hidden = !token;
  }

  /** The token opened nothing, or there is none: `wrong` says what the server said of it. */
  #lock(wrong) {
    if (this.#form.shown) return;
    TokenForm.forget();
    this.#use("");
    document.body.dataset.locked = "";
    this.#form.show(wrong);
    this.#close();
  }

  /** Try a token; what is wrong with it, or "". */
  async #enter(token) {
    let wrong = NO_ANSWER;
    const hear = ({ detail }) => wrong = detail;
    this.#rest.addEventListener("unauthorised", hear);
    this.#rest.token = token;
    try {
      await this.#rest.ask("status");
    } catch {
      this.#rest.token = "";
      return wrong;
    } finally {
      this.#rest.removeEventListener("unauthorised", hear);
    }
    TokenForm.keep(token);
    this.#use(token);
    delete document.body.dataset.locked;
    this.#form.hide();
    this.#open();
    return "";
  }
}
