// Named watchlists: those of the link, or of this browser, or one of well-known symbols.
//
// The link of a list is ?list=NAME&symbols=AAPL,MSFT. All lists are in a link whose fragment has
// each as NAME=AAPL,MSFT; the fragment never leaves the browser.

import { keep, kept } from "../storage.js";

const STORED = "ticker.lists";
const BEFORE_NAMES = "ticker.symbols";  // what versions without names kept
const FIRST = "Watchlist";
const LINKED = "From a link";
const LONGEST = 40;                      // letters of a name
const MOST = 50;
const WELL_KNOWN = [
  "AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "AVGO", "JPM", "LLY",
];

const parse = (text) => [...new Set(String(text).split(/[\s,]+/).filter(Boolean))];
const same = (one, other) => one.length === other.length && one.every((each, at) => each === other[at]);

export class Lists extends EventTarget {
  #lists = new Map();             // name -> symbols, in the order of the page
  #shown = FIRST;

  /** What this browser keeps, and what the link adds and chooses. */
  constructor() {
    super();
    this.#recall();
    this.#follow(new URL(location.href));
    addEventListener("storage", ({ key }) => key === STORED && this.#elsewhere());
  }

  get names() {
    return [...this.#lists.keys()];
  }

  get shown() {
    return this.#shown;
  }

  /** The symbols of the shown list; null: nobody has chosen any. */
  get symbols() {
    return this.#lists.get(this.#shown) ?? null;
  }

  /** Symbols of the shown list that nobody has chosen: they are not kept. */
  offer(symbols) {
    if (this.symbols === null) this.#lists.set(this.#shown, symbols);
  }

  /** Change the shown list, for the next visit, and in the address of this one. */
  keep(symbols) {
    this.#lists.set(this.#shown, [...symbols]);
    this.#store();
  }

  show(name) {
    this.#shown = name;
    this.#store();
  }

  /** A new list, which is shown; its name, which nobody else has. */
  add(name, symbols = []) {
    const given = this.#free(name);
    this.#lists.set(given, symbols);
    this.show(given);
    return given;
  }

  /** Another name for the shown list, in its place. */
  rename(name) {
    if (clean(name) === this.#shown) return;
    const given = this.#free(name);
    const lists = [...this.#lists].map(([each, symbols]) =>
      [each === this.#shown ? given : each, symbols]);
    this.#lists = new Map(lists);
    this.show(given);
  }

  /** Leave the shown list; another one is shown. Returns what puts it back. */
  remove() {
    const before = this.#lists, name = this.#shown;
    this.#lists = new Map([...before].filter(([each]) => each !== name));
    this.show(this.names[0] ?? FIRST);
    return () => {
      this.#lists = new Map([...before].map(([each, symbols]) =>
        [each, this.#lists.get(each) ?? symbols]));
      this.show(name);
    };
  }

  /** The address that shows the list, with the others behind it. */
  link() {
    const url = new URL(location.href);
    const name = this.#shown === FIRST ? "" : `list=${encodeURIComponent(this.#shown)}&`;
    url.search = `?${name}symbols=${written(this.symbols ?? [])}`;
    const others = [...this.#lists].filter(([each]) => each !== this.#shown);
    url.hash = others
      .map(([each, symbols]) => `${encodeURIComponent(each)}=${written(symbols)}`).join("&");
    return url.href;
  }

  /** Another tab has changed a list: it is taken over, but for the one that is shown here. */
  #elsewhere() {
    const name = this.#shown, symbols = this.symbols;
    this.#lists = new Map();
    this.#recall();
    if (symbols) this.#lists.set(name, symbols);
    this.#shown = name;
    this.dispatchEvent(new Event("change"));
  }

  #recall() {
    try {
      const stored = JSON.parse(kept(STORED) ?? "null");
      const older = kept(BEFORE_NAMES);
      for (const [name, symbols] of stored?.lists ?? []) {
        this.#lists.set(clean(name), parse(symbols));
      }
      if (stored) this.#shown = clean(stored.shown);
      else if (older !== null) this.#lists.set(FIRST, parse(older));
    } catch { /* somebody else wrote in it */ }
    if (this.#lists.size && !this.#lists.has(this.#shown)) this.#shown = this.names[0];
  }

  #follow(url) {
    for (const [name, symbols] of new URLSearchParams(url.hash.slice(1))) {
      if (name) this.#adopt(name, parse(symbols));
    }
    const symbols = url.searchParams.get("symbols");
    const name = url.searchParams.get("list");
    if (symbols !== null) {
      this.#shown = this.#adopt(name || this.#unnamed(parse(symbols)), parse(symbols));
    } else if (this.#lists.has(name)) this.#shown = name;
  }

  /** A link without a name is the first list, unless this browser has another one of that name. */
  #unnamed(symbols) {
    const own = this.#lists.get(FIRST);
    return !own || same(own, symbols) ? FIRST : LINKED;
  }

  /** A list of a link; one of this browser is not overwritten by it. */
  #adopt(name, symbols) {
    const called = clean(name);
    const own = this.#lists.get(called);
    if (own && same(own, symbols)) return called;
    const given = own && called !== LINKED ? this.#free(called) : called;
    if (this.#lists.size < MOST || own) this.#lists.set(given, symbols);
    return given;
  }

  #free(name) {
    const wanted = clean(name);
    let given = wanted;
    for (let number = 2; this.#lists.has(given); number++) given = `${wanted} ${number}`;
    return given;
  }

  #store() {
    const lists = [...this.#lists].map(([name, symbols]) => [name, symbols.join(",")]);
    keep(STORED, JSON.stringify({ shown: this.#shown, lists }));
    history.replaceState(null, "", this.link());
  }
}

function clean(name) {
  return String(name ?? "").replace(/\s+/g, " ").trim().slice(0, LONGEST) || FIRST;
}

function written(symbols) {
  return symbols.map(encodeURIComponent).join(",");
}

/** The well-known symbols that this server has, filled up with others. */
export async function defaults(ask) {
  try {
    const known = await ask(`prices?symbols=${WELL_KNOWN.join(",")}`);
    const here = WELL_KNOWN.filter((symbol) => !known.unknown.includes(symbol));
    if (here.length === WELL_KNOWN.length) return here;
    const { symbols } = await ask(`symbols?limit=${WELL_KNOWN.length}`);
    const more = symbols.map(({ symbol }) => symbol).filter((symbol) => !here.includes(symbol));
    const list = [...here, ...more].slice(0, WELL_KNOWN.length);
    return list.length ? list : WELL_KNOWN;
  } catch {
    return WELL_KNOWN;
  }
}
