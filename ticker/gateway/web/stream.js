// What the page watches, as events; made of @ticker/client, which is in vendor/client.
//
//   const stream = new Stream();                       // of the server that this page is from
//   stream.token = "…";                                // where one is asked for
//   stream.addEventListener("price", ({ detail }) => …);   { symbol, price, timestamp }
//   stream.addEventListener("refusal", ({ detail }) => …); { code, message, symbol? }
//   stream.addEventListener("state", ({ detail }) => …);   { state, reason, failures }
//   stream.watch(["AAPL", "MSFT"]);                    // these, and no others
//   stream.connect();

import { AuthError, Client } from "./client/index.js";

const UNKNOWN_SYMBOL = 460;
const AFRESH = 3_000;             // ms, after a failure that is not for the reader to mend

export class Stream extends EventTarget {
  token = "";
  #client = null;
  #watch = null;
  #symbols = [];
  #others = new Set();            // the book and the trades of what is shown in detail
  #state = "closed";
  #failures = 0;

  /** closed, connecting, open, waiting (for the next attempt) or refused (will not try again). */
  get state() {
    return this.#state;
  }

  /** ms until the next attempt. */
  get delay() {
    return Math.max(0, (this.#client?.retryAt ?? 0) - performance.now());
  }

  /** Connect now, also when an attempt is due only later. */
  connect() {
    if (this.#client) return this.#client.retry();
    const client = this.#client = new Client(new URL(".", location.href).href.split("?")[0], {
      token: this.token || undefined,
      batch: true,
      onstate: (changed) => changed === this.#client && this.#told(changed),
      onrefusal: (refusal) => client === this.#client && this.#refused(refusal),
    });
    client.start();
    this.#follow();
    for (const each of this.#others) this.#attach(each);
  }

  /** Close for good; connect() starts again. */
  close() {
    const client = this.#client;
    this.#client = this.#watch = null;
    this.#symbols = [];
    client?.close();
    this.#become("closed", "");
  }

  /** Watch exactly these symbols. */
  watch(symbols) {
    this.#symbols = [...symbols];
    this.#follow();
  }

  /** Ask again for symbols that were refused: a feed may have them by now. */
  again(symbols) {
    const all = this.#symbols;
    this.watch(all.filter((symbol) => !symbols.includes(symbol)));
    this.watch(all);
  }

  /** The book of a symbol whenever it changes; returns what ends it. */
  book(symbol, draw) {
    const numbers = (levels) => levels.map((level) => level.map(Number));
    return this.#each((client) => client.depth(symbol), ({ bids, asks, ...book }) =>
      draw({ ...book, bids: numbers(bids), asks: numbers(asks) }));
  }

  /** Each trade of a symbol, and what becomes of it; returns what ends it. */
  trades(symbol, draw) {
    return this.#each((client) => client.trades(symbol), draw);
  }

  /** What else is watched, by this client and by those that come after it. */
  #each(begin, draw) {
    const each = { begin, draw, watch: null };
    this.#others.add(each);
    this.#attach(each);
    return () => {
      this.#others.delete(each);
      each.watch?.close();
    };
  }

  #attach(each) {
    if (!this.#client) return;
    each.watch = each.begin(this.#client);
    hear(each.watch, each.draw);
  }

  // The new watch is there before the old one goes: only what differs is asked of the server.
  #follow() {
    if (!this.#client) return;
    const before = this.#watch;
    const watch = this.#symbols.length ? this.#client.prices(...this.#symbols) : null;
    this.#watch = watch;
    before?.close();
    if (watch) hear(watch, (message) => watch === this.#watch && this.#price(message));
  }

  /** Prices come as exact text; the page draws numbers. */
  #price({ symbol, price, timestamp }) {
    this.#emit("price", { symbol, timestamp, price: price === null ? null : Number(price) });
  }

  #refused({ code, message, symbol, channel = "price", topic, symbols }) {
    if (topic?.channel === "price") {  // that command brought nothing: go on with the others
      this.watch(this.#symbols.filter((each) => !symbols.has(each)));
    }
    if (code === UNKNOWN_SYMBOL && channel !== "price") return;
    this.#emit("refusal", { code, message, symbol });
  }

  #told({ state, reason, retryAt, failure }) {
    if (failure instanceof AuthError) return this.#become("refused", reason);
    if (failure) return this.#begin(reason);
    if (state === "open") this.#failures = 0;
    if (state === "waiting" && retryAt) this.#failures++;
    this.#become(state === "open" ? "open" : retryAt ? "waiting" : "connecting", reason);
  }

  /** The client has given up over what it was sent: another one begins in a while. */
  #begin(reason) {
    const client = this.#client;
    this.#client = this.#watch = null;
    client.close();
    this.#failures++;
    this.#become("waiting", reason);
    setTimeout(() => this.#state === "waiting" && this.connect(), AFRESH);
  }

  #become(state, reason) {
    this.#state = state;
    this.#emit("state", { state, reason, failures: this.#failures });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Each message of a watch, until it ends; why it failed, the client's state and refusals say. */
async function hear(watch, act) {
  try {
    for await (const message of watch) act(message);
  } catch { /* as above */ }
}
