// The book of a symbol: ten levels of each side, the best ones in the middle.

import * as format from "../format.js";
import { write } from "../write.js";

const LEVELS = 10;
const NONE = "No book: the feeds of this symbol send the best bid and ask alone, or nothing yet.";
const WAIT = 1_500;               // ms, after which that is said

export class BookView {
  #rows;
  #note;
  #book = null;
  #dirty = false;
  #end = () => {};
  #timer = 0;

  constructor(part) {
    const body = part.querySelector("tbody");
    this.#note = part.querySelector("[role=status]");
    this.#rows = Array.from({ length: LEVELS }, () => {
      const row = body.insertRow();
      const cells = ["bid-size", "bid", "ask", "ask-size"].map((name) => {
        const cell = row.insertCell();
        cell.className = `number ${name}`;
        return cell;
      });
      return cells;
    });
  }

  /** Follow the symbol's book on the stream. */
  show(symbol, stream) {
    this.clear();
    this.#end = stream.book(symbol, (book) => {
      this.#book = book;
      this.#dirty = true;
      this.#note.textContent = "";
    });
    this.#timer = setTimeout(() => {
      if (!this.#book) this.#note.textContent = NONE;
    }, WAIT);
  }

  clear() {
    this.#end();
    this.#end = () => {};
    clearTimeout(this.#timer);
    this.#book = null;
    this.#note.textContent = "";
    this.#draw({ bids: [], asks: [] });
  }

  /** Bring it up to date; cheap when nothing changed. */
  draw() {
    if (!this.#dirty) return;
    this.#dirty = false;
    this.#draw(this.#book);
  }

  #draw({ bids, asks }) {
    const sizes = [...bids, ...asks].slice(0, 2 * LEVELS).map(([, size]) => size);
    const most = Math.max(1, ...sizes);
    for (const [at, [bidSize, bid, ask, askSize]] of this.#rows.entries()) {
      level(bids[at], bid, bidSize, most);
      level(asks[at], ask, askSize, most);
    }
  }
}

/** One price and size into their cells, and the size's share of the greatest. */
function level(found, price, size, most) {
  write(price, found ? format.price(found[0]) : "");
  write(size, found ? format.count(found[1]) : "");
  size.style.setProperty("--share", found ? (found[1] / most).toFixed(3) : "0");
}
