// The last trades of a symbol: those of before by REST, and each new one by the stream.

import * as format from "../format.js";
import { write } from "../write.js";

const SHOWN = 16;
const AGAIN_AFTER = 500;          // ms: corrections in a row are asked for once

export class TradesView {
  #body;
  #note;
  #rest;
  #symbol = null;
  #trades = [];                   // newest first, as REST has them
  #dirty = false;
  #end = () => {};
  #timer = 0;

  constructor(part, rest) {
    this.#body = part.querySelector("tbody");
    this.#note = part.querySelector("[role=status]");
    this.#rest = rest;
    for (let row = 0; row < SHOWN; row++) {
      const added = this.#body.insertRow();
      for (const name of ["time", "number traded", "number", "where"]) added.insertCell().className = name;
    }
  }

  show(symbol, stream) {
    this.clear();
    this.#symbol = symbol;
    this.#end = stream.trades(symbol, (message) => this.#hear(message));
    this.#recall();
  }

  clear() {
    this.#end();
    this.#end = () => {};
    clearTimeout(this.#timer);
    this.#symbol = null;
    this.#trades = [];
    this.#note.textContent = "";
    this.#dirty = true;
    this.draw();
  }

  /** Bring it up to date; cheap when nothing changed. */
  draw() {
    if (!this.#dirty) return;
    this.#dirty = false;
    for (const [at, row] of [...this.#body.rows].entries()) fill(row, this.#trades[at]);
  }

  #hear(message) {
    if (message.type === "update") {
      this.#take([{ ...message, exchange_timestamp: message.timestamp, state: "valid" },
        ...this.#trades]);
    } else if (message.type !== "snapshot") {     // what was shown has changed, or some are missing
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#recall(), AGAIN_AFTER);
    }
  }

  async #recall() {
    const symbol = this.#symbol;
    try {
      const { trades } = await this.#rest.ask(`trades/${encodeURIComponent(symbol)}?limit=${SHOWN}`);
      if (symbol !== this.#symbol) return;
      const known = new Set(trades.map(({ trade_id: id }) => id));
      const newest = trades[0]?.exchange_timestamp ?? "";
      const newer = this.#trades.filter(({ trade_id: id, exchange_timestamp: time }) =>
        time > newest && !known.has(id));
      this.#take([...newer, ...trades]);
      this.#note.textContent = this.#trades.length ? "" : "No trades yet.";
    } catch {
      if (symbol === this.#symbol) this.#note.textContent = "The trades before did not come.";
    }
  }

  #take(trades) {
    this.#trades = trades.slice(0, SHOWN);
    this.#note.textContent = "";
    this.#dirty = true;
  }
}

function fill(row, trade) {
  const [time, price, size, where] = row.cells;
  row.className = trade?.state ?? "";
  write(time, trade ? format.clock(trade.exchange_timestamp, true) : "");
  write(price, trade ? format.price(Number(trade.price)) : "");
  write(size, trade ? format.count(Number(trade.size)) : "");
  const changed = trade && trade.state !== "valid";     // corrected, or cancelled
  write(where, (changed ? trade.state : trade?.venue) ?? "");
}
