// The table of rows: their order, sorting, filtering, and how the keys move in it.
//
// The reader's own order is that of the watchlist. Sorted or filtered rows keep it underneath.

import { motion } from "./motion.js";
import { Row } from "./row.js";

const AGAIN_EVERY = 2_000;        // ms: a sorted table follows the market no faster
const NEAR = "200px";             // of what is in sight: rows there are drawn, too
const FAR_AT_ONCE = 8;            // other rows in one frame: all of them come round

export class Table extends EventTarget {
  #rows = new Map();              // symbol -> Row, in the reader's own order
  #body;
  #headings;
  #choice;                        // for those who see no headings: a narrow screen
  #column = "";                   // that it is sorted by
  #falling = false;
  #far = 0;                       // of the rows that are out of sight: whose turn it is
  #sight = new IntersectionObserver((entries) => this.#looked(entries), { rootMargin: NEAR });
  #wanted = "";                   // letters of the filter, in capitals
  #act;

  /** `act`: { open(symbol), remove(symbol), moved() } do what a row's buttons and keys ask for. */
  constructor(table, choice, act) {
    super();
    this.#body = table.tBodies[0];
    this.#headings = [...table.tHead.querySelectorAll("[data-column]")];
    this.#choice = choice;
    this.#act = act;
    this.#body.addEventListener("keydown", (event) => this.#key(event));
    for (const heading of this.#headings) {
      heading.querySelector("button").addEventListener("click", () => this.#clicked(heading));
    }
    choice.addEventListener("change", () => {
      const [column, way] = choice.value.split(" ");
      this.sort(column, way === "falling");
    });
    setInterval(() => document.hidden || motion.stopped || this.arrange(), AGAIN_EVERY);
  }

  get(symbol) {
    return this.#rows.get(symbol);
  }

  has(symbol) {
    return this.#rows.has(symbol);
  }

  get size() {
    return this.#rows.size;
  }

  /** All symbols, in the reader's own order. */
  get symbols() {
    return [...this.#rows.keys()];
  }

  get rows() {
    return this.#rows.values();
  }

  /** Rows for symbols, before the row of another symbol or at the end. */
  add(symbols, before = null) {
    const at = before === null ? -1 : this.symbols.indexOf(before);
    const after = at < 0 ? [] : [...this.#rows].slice(at);
    for (const [symbol] of after) this.#rows.delete(symbol);
    for (const symbol of symbols) {
      const row = new Row(symbol, this.#act.remove, this.#act.open);
      row.element.tabIndex = -1;
      this.#rows.set(symbol, row);
      this.#sight.observe(row.element);
    }
    for (const [symbol, row] of after) this.#rows.set(symbol, row);
    this.arrange();
  }

  /** Take a row away; the symbol that came after it, or null. The focus goes to a neighbour. */
  remove(symbol) {
    const order = this.symbols;
    const { element } = this.#rows.get(symbol);
    const next = this.#neighbour(element, 1) ?? this.#neighbour(element, -1);
    const hadFocus = element.contains(document.activeElement);
    this.#rows.delete(symbol);
    this.#sight.unobserve(element);
    element.remove();
    this.#tidy();
    if (hadFocus) this.#focus(next);
    return order[order.indexOf(symbol) + 1] ?? null;
  }

  clear() {
    this.#sight.disconnect();
    this.#rows.clear();
    this.#body.replaceChildren();
  }

  /** The rows that are in sight, or near it. */
  get near() {
    return [...this.#rows.values()].filter(({ near }) => near);
  }

  /** A frame: what is in sight, and some of the rest, which a search of the browser finds. */
  draw() {
    const far = [];
    for (const row of this.#rows.values()) {
      if (row.near) row.draw();
      else far.push(row);
    }
    if (this.#far >= far.length) this.#far = 0;
    for (const row of far.slice(this.#far, this.#far + FAR_AT_ONCE)) row.draw();
    this.#far += FAR_AT_ONCE;
  }

  #looked(entries) {
    for (const { target, isIntersecting } of entries) {
      const row = this.get(target.dataset.symbol);
      if (row) row.near = isIntersecting;
    }
  }

  /** By a column, or "" for the reader's own order. */
  sort(column, falling) {
    this.#column = column;
    this.#falling = falling;
    for (const heading of this.#headings) {
      const sorted = heading.dataset.column === column;
      heading.setAttribute("aria-sort", sorted ? (falling ? "descending" : "ascending") : "none");
    }
    this.#choice.value = column ? `${column} ${falling ? "falling" : "rising"}` : "";
    this.arrange();
  }

  /** Show only rows with these letters in their symbol or company. */
  filter(text) {
    this.#wanted = text.trim().toUpperCase();
    this.arrange();
  }

  /** Bring the rows into their order; "arranged" tells how many are shown. */
  arrange() {
    const focused = document.activeElement;
    const rows = this.#sorted();
    let shown = 0;
    for (const [at, row] of rows.entries()) {
      const { element } = row;
      if (this.#body.rows[at] !== element) this.#body.insertBefore(element, this.#body.rows[at] ?? null);
      element.hidden = !this.#fits(row);
      shown += !element.hidden;
    }
    if (focused !== document.activeElement && this.#body.contains(focused)) {
      focused.focus({ preventScroll: true });     // a moved element loses it
    }
    this.#tidy();
    this.dispatchEvent(new CustomEvent("arranged", { detail: { shown, all: this.size } }));
  }

  #sorted() {
    const rows = [...this.#rows.values()];
    if (!this.#column) return rows;
    const way = this.#falling ? -1 : 1;
    const values = new Map(rows.map((row) => [row, row.value(this.#column)]));
    return rows.sort((one, other) => {
      const [a, b] = [values.get(one), values.get(other)];
      if (a === null || b === null) return (a === null) - (b === null);   // unknown ones last
      return way * (typeof a === "string" ? a.localeCompare(b) : a - b);
    });
  }

  #fits({ symbol, company }) {
    return `${symbol} ${company}`.toUpperCase().includes(this.#wanted);
  }

  /** One of the rows is in the tab order. */
  #tidy() {
    const rows = [...this.#body.rows];
    const one = rows.find((each) => each.tabIndex === 0 && !each.hidden)
      ?? rows.find((each) => !each.hidden);
    for (const each of rows) each.tabIndex = each === one ? 0 : -1;
  }

  /** First by the way that is of use: the greatest figures, the first letters. Then the other. */
  #clicked({ dataset: { column } }) {
    const first = column !== "symbol" && column !== "age";
    if (this.#column !== column) this.sort(column, first);
    else if (this.#falling === first) this.sort(column, !first);
    else this.sort("", false);
  }

  #neighbour(element, way) {
    const step = way > 0 ? "nextElementSibling" : "previousElementSibling";
    let found = element[step];
    while (found?.hidden) found = found[step];
    return found;
  }

  #focus(element) {
    if (!element) return this.dispatchEvent(new Event("left"));
    for (const row of this.#body.rows) row.tabIndex = row === element ? 0 : -1;
    element.focus();
  }

  #key(event) {
    const element = event.target.closest("tr");
    if (!element || event.ctrlKey || event.metaKey) return;
    const { symbol } = element.dataset;
    const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Delete" || event.key === "Backspace") this.#act.remove(symbol);
    else if (event.key === "Enter" && event.target === element) this.#act.open(symbol);
    else if (event.key === "Home") this.#focus([...this.#body.rows].find((each) => !each.hidden));
    else if (event.key === "End") this.#focus([...this.#body.rows].findLast((each) => !each.hidden));
    else if (way && event.altKey) this.#move(element, way);
    else if (way) this.#focus(this.#neighbour(element, way) ?? element);
    else return;
    event.preventDefault();
  }

  /** A row one place on, which only the reader's own order allows. */
  #move(element, way) {
    const neighbour = this.#neighbour(element, way);
    if (!neighbour || this.#column) return;
    const order = this.symbols, other = neighbour.dataset.symbol, { symbol } = element.dataset;
    order.splice(order.indexOf(symbol), 1);
    order.splice(order.indexOf(other) + (way > 0), 0, symbol);
    this.#rows = new Map(order.map((each) => [each, this.#rows.get(each)]));
    this.arrange();
    this.#focus(element);
    this.#act.moved();
  }
}
