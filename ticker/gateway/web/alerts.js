// Alerts: the reader is told once when a price is reached. They are kept in this browser.
//
// The page says it in any case, until it is dismissed, without a sound. The system says it, too,
// if the reader has let it: that is asked when the first alert is set, never before.

import * as format from "./format.js";
import { notice } from "./notices.js";
import { keep, kept } from "./storage.js";

const STORED = "ticker.alerts";
const MOST = 100;

export class Alerts extends EventTarget {
  #alerts = [];                   // { symbol, price, rising }
  #said = "";                     // for the window's title, until the reader looks

  constructor() {
    super();
    this.#recall();
    addEventListener("storage", ({ key }) => {
      if (key !== STORED) return;
      this.#recall();             // another tab has set one, or told of it
      this.dispatchEvent(new Event("change"));
    });
    document.addEventListener("visibilitychange", () => this.#seen());
    addEventListener("focus", () => this.#seen());
  }

  #recall() {
    try {
      this.#alerts = (JSON.parse(kept(STORED)) ?? []).filter(valid).slice(0, MOST);
    } catch { /* somebody else wrote in it */ }
  }

  get symbols() {
    return [...new Set(this.#alerts.map(({ symbol }) => symbol))];
  }

  /** What was reached while the reader looked elsewhere, or "". */
  get title() {
    return this.#said;
  }

  /** Those of a symbol, the lowest price first. */
  of(symbol) {
    return this.#alerts.filter((each) => each.symbol === symbol)
      .sort((one, other) => one.price - other.price);
  }

  /** When the price, which is `now`, has risen or fallen to `price`. Asks for the right to notify. */
  set(symbol, price, now) {
    const rising = price > now;
    this.#alerts = this.#alerts.filter((each) => each.symbol !== symbol || each.price !== price);
    this.#alerts.push({ symbol, price, rising });
    this.#changed();
    if (globalThis.Notification?.permission === "default") Notification.requestPermission();
  }

  remove(symbol, price) {
    this.#alerts = this.#alerts.filter((each) => each.symbol !== symbol || each.price !== price);
    this.#changed();
  }

  /** A price of the stream. */
  tick({ symbol, price }) {
    if (price === null || !this.#alerts.length) return;
    const reached = this.of(symbol)
      .filter((each) => (each.rising ? price >= each.price : price <= each.price));
    for (const each of reached) this.#tell(each, price);
    if (!reached.length) return;
    this.#alerts = this.#alerts.filter((each) => !reached.includes(each));
    this.#changed();
  }

  #tell({ symbol, price: level, rising }, price) {
    const text = `${symbol} has ${rising ? "risen" : "fallen"} to ${format.price(level)}: `
      + `it is at ${format.price(price)}.`;
    notice(text, "Dismiss", () => {}, "alarm");
    if (!document.hidden && document.hasFocus()) return;
    this.#said = `● ${symbol} ${format.price(price)}`;
    try {
      if (Notification.permission === "granted") {
        new Notification(`${symbol} ${format.price(price)}`, { body: text, tag: symbol, silent: true });
      }
    } catch { /* no such thing here: the page has said it */ }
  }

  #seen() {
    if (!document.hidden) this.#said = "";
  }

  #changed() {
    keep(STORED, JSON.stringify(this.#alerts));
    this.dispatchEvent(new Event("change"));
  }
}

function valid({ symbol, price, rising }) {
  return typeof symbol === "string" && Number.isFinite(price) && typeof rising === "boolean";
}

/** The part of the detail view that sets and shows the alerts of a symbol. */
export class AlertForm {
  #form;
  #input;
  #said;
  #list;
  #alerts;
  #symbol = "";
  #price = () => null;

  constructor(part, alerts) {
    this.#form = part.querySelector("form");
    this.#input = part.querySelector("input");
    this.#said = part.querySelector("[role=status]");
    this.#list = part.querySelector("ul");
    this.#alerts = alerts;
    alerts.addEventListener("change", () => this.#draw());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** For a symbol, whose price `price()` gives. */
  show(symbol, price) {
    this.#symbol = symbol;
    this.#price = price;
    this.#input.value = "";
    this.#say("");
    this.#draw();
  }

  #submit() {
    const wanted = Number(this.#input.value.trim().replace(",", "."));
    const now = this.#price();
    if (!(wanted > 0) || !Number.isFinite(wanted)) return this.#say("Write a price, like 185.40.");
    if (now === null) return this.#say("It has no price yet to compare with.");
    if (wanted === now) return this.#say("That is its price now.");
    this.#alerts.set(this.#symbol, wanted, now);
    this.#input.value = "";
    this.#say(`You will be told here when it ${wanted > now ? "rises" : "falls"} to ${format.price(wanted)}.`);
  }

  #say(text) {
    this.#said.textContent = text;
    this.#input.setAttribute("aria-invalid", String(/^(Write|It has|That)/.test(text)));
  }

  #draw() {
    this.#list.replaceChildren(...this.#alerts.of(this.#symbol).map(({ price, rising }) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.textContent = "Remove";
      button.setAttribute("aria-label", `Remove the alert at ${format.price(price)}`);
      button.addEventListener("click", () => {
        this.#alerts.remove(this.#symbol, price);
        this.#input.focus();
      });
      item.append(`${rising ? "Rises" : "Falls"} to ${format.price(price)}`, button);
      return item;
    }));
  }
}
