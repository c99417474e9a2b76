// One symbol in detail: candles, the book, the last trades, where its price came from, its alerts.
//
//   const detail = new Detail(document.getElementById("detail"), { rest, stream, alerts });
//   detail.open(row);                            of the table
//   detail.tick({ symbol, price, timestamp });   each price of the stream
//   detail.draw();                               each frame

import { AlertForm } from "../alerts.js";
import * as format from "../format.js";
import { motion } from "../motion.js";
import { place } from "../notices.js";
import { write } from "../write.js";
import { BookView } from "./book.js";
import { Chart } from "./chart.js";
import { LineageView } from "./lineage.js";
import { TradesView } from "./trades.js";

const AGAIN_EVERY = 5_000;        // ms

export class Detail {
  #dialog;
  #stream;
  #row = null;
  #chart;
  #book;
  #trades;
  #lineage;
  #form;
  #timer = 0;

  constructor(dialog, { rest, stream, alerts }) {
    this.#dialog = dialog;
    this.#stream = stream;
    this.#chart = new Chart(this.#part(".chart"), this.#part(".note"), rest);
    this.#book = new BookView(this.#part(".book"));
    this.#trades = new TradesView(this.#part(".trades"), rest);
    this.#lineage = new LineageView(this.#part(".lineage"), rest);
    this.#form = new AlertForm(this.#part(".alerts"), alerts);
    dialog.addEventListener("close", () => this.#dialog.open || this.#leave());
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
    this.#part(".close").addEventListener("click", () => dialog.close());
    this.#part(".intervals").addEventListener("change", ({ target }) =>
      this.#chart.show(this.#row.symbol, target.value));
  }

  /** Show the symbol of a row. */
  open(row) {
    if (this.#dialog.open) return;
    this.#leave();                // the event of the last closing may be on its way yet
    this.#row = row;
    const { symbol } = row;
    this.#part("h2").textContent = symbol;
    this.#part(".company").textContent = row.company;
    this.#drawPrice();
    this.#form.show(symbol, () => row.price);
    this.#book.show(symbol, this.#stream);
    this.#trades.show(symbol, this.#stream);
    this.#lineage.show(symbol);
    this.#dialog.showModal();
    place();
    this.#chart.show(symbol);
    this.#timer = setInterval(() => document.hidden || motion.stopped || this.#refresh(), AGAIN_EVERY);
  }

  tick(price) {
    if (price.symbol === this.#row?.symbol) this.#chart.tick(price);
  }

  draw() {
    if (!this.#row) return;
    this.#drawPrice();
    this.#chart.draw();
    this.#book.draw();
    this.#trades.draw();
  }

  close() {
    this.#dialog.close();
  }

  #part(selector) {
    return this.#dialog.querySelector(selector);
  }

  #drawPrice() {
    const { price, change } = this.#row;
    write(this.#part(".now"), format.price(price));
    const said = this.#part(".since");
    said.className = `since ${change.way}`;
    write(said, change.text);
  }

  #refresh() {
    this.#chart.refresh();
    this.#lineage.refresh();
  }

  #leave() {
    clearInterval(this.#timer);
    this.#row = null;
    place();
    for (const part of [this.#chart, this.#book, this.#trades, this.#lineage]) part.clear();
  }
}
