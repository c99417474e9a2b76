// A small client of ticker's /stream, plain dialect: only snapshot, update and error arrive.
//
//   const ticker = new Ticker();                       // /stream beside this page
//   ticker.token = "…";                                // where one is asked for
//   ticker.addEventListener("price", ({ detail }) => …);   { symbol, price, timestamp, snapshot }
//   ticker.addEventListener("refusal", ({ detail }) => …); { code, reason, message, symbol? }
//   ticker.addEventListener("state", ({ detail }) => …);   { state, delay, reason, code, failures }
//   ticker.subscribe(["AAPL", "MSFT"]);
//   ticker.connect();
//
// It reconnects by itself: exponential backoff with full jitter, then a "reconnect" command with
// the time of the last price seen of each symbol, so that only what is newer comes again.

const FIRST_DELAY = 500;          // ms, doubled with every failure
const LONGEST_DELAY = 15_000;
const SETTLED = 5_000;            // open for so long: the next failure is a first one again
const HANDSHAKE_TIMEOUT = 8_000;
const SILENCE = 30_000;           // then ask for a sign of life
const PATIENCE = 8_000;           // and wait so long for it

const UNAUTHORISED = new Set([4401, 4402, 4404]);  // trying again would not help
const NOT_AUTHENTICATED = 401;
const CROWDED = new Set([1013, 4406, 4429]);       // come back later than usual

/** The address of /stream beside `page`. */
export function streamUrl(page = location.href) {
  const url = new URL("stream", page);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = url.hash = "";
  return url.href;
}

export class Ticker extends EventTarget {
  token = "";                     // said first on every connection, when there is one
  #url;
  #socket = null;
  #state = "closed";
  #failures = 0;
  #openedAt = 0;
  #timer = 0;
  #silence = 0;
  #symbols = new Map();           // symbol -> timestamp of the last price seen, or ""
  #toSubscribe = new Set();
  #toUnsubscribe = new Set();
  #flushing = false;
  #lastError = "";                // of this connection: says more than a close reason

  constructor(url = streamUrl()) {
    super();
    this.#url = url;
  }

  /** closed, connecting, open, waiting (for the next attempt) or refused (will not try again). */
  get state() {
    return this.#state;
  }

  get symbols() {
    return [...this.#symbols.keys()];
  }

  /** Connect now, also when an attempt is due only later. */
  connect() {
    if (this.#socket !== null) return;
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#become("connecting");
    this.#timer = setTimeout(() => this.#lost(socket, 0, "no answer"), HANDSHAKE_TIMEOUT);
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => this.#received(socket, event.data);
    socket.onclose = (event) => this.#lost(socket, event.code, event.reason);
  }

  /** Close for good; connect() starts again. */
  close() {
    this.#drop();
    this.#become("closed");
  }

  /** Watch these symbols. Asking again for one that was refused tries it again. */
  subscribe(symbols) {
    for (const symbol of symbols) {
      if (!this.#symbols.has(symbol)) this.#symbols.set(symbol, "");
      this.#toUnsubscribe.delete(symbol);
      this.#toSubscribe.add(symbol);
    }
    this.#flushSoon();
  }

  unsubscribe(symbols) {
    for (const symbol of symbols) {
      this.#symbols.delete(symbol);
      this.#toSubscribe.delete(symbol);
      this.#toUnsubscribe.add(symbol);
    }
    this.#flushSoon();
  }

  // Calls of one turn become one command of each kind: commands are rate-limited.
  #flushSoon() {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush() {
    if (this.#state !== "open") return;
    if (this.#toUnsubscribe.size) {
      this.#send({ action: "unsubscribe", symbols: [...this.#toUnsubscribe] });
    }
    if (this.#toSubscribe.size) {
      this.#send({ action: "subscribe", symbols: [...this.#toSubscribe] });
    }
    this.#toUnsubscribe.clear();
    this.#toSubscribe.clear();
  }

  #send(command) {
    this.#socket.send(JSON.stringify(command));
  }

  #opened(socket) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#timer);
    this.#openedAt = performance.now();
    this.#lastError = "";
    this.#become("open");
    if (this.token) this.#send({ action: "auth", token: this.token });
    const seen = [...this.#symbols].filter(([, timestamp]) => timestamp);
    if (seen.length) this.#send({ action: "reconnect", last_seen: Object.fromEntries(seen) });
    this.#toUnsubscribe.clear();
    this.#toSubscribe = new Set(this.symbols.filter((symbol) => !this.#symbols.get(symbol)));
    this.#flush();
    this.#listenForSilence(socket);
  }

  #received(socket, text) {
    if (socket !== this.#socket) return;
    this.#listenForSilence(socket);
    const message = JSON.parse(text);
    if (message.type === "error") {
      // without a token nothing else will be answered: no need to wait for the close
      if (message.code === NOT_AUTHENTICATED && !this.token) {
        return this.#lost(socket, 4401, message.message);
      }
      this.#lastError = message.message;
      this.#emit("refusal", message);
    } else if (message.type === "snapshot" || message.type === "update") {
      const { symbol, price, timestamp } = message;
      if (!this.#symbols.has(symbol)) return;   // unsubscribed while it was under way
      this.#symbols.set(symbol, timestamp);
      this.#emit("price", { symbol, price, timestamp, snapshot: message.type === "snapshot" });
    }
    // a client ignores types that it does not know
  }

  // Browsers hide pings. A quiet market and a dead line look alike, so after a while ask for
  // a price again: an unreadable last_seen is always answered by a snapshot.
  #listenForSilence(socket) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      const priced = [...this.#symbols].find(([, timestamp]) => timestamp);
      if (!priced) return this.#listenForSilence(socket);
      this.#send({ action: "reconnect", last_seen: { [priced[0]]: "" } });
      this.#silence = setTimeout(() => this.#lost(socket, 0, "silence"), PATIENCE);
    }, SILENCE);
  }

  #lost(socket, code, reason) {
    if (socket !== this.#socket) return;
    const settled = this.#state === "open" && performance.now() - this.#openedAt > SETTLED;
    this.#drop();
    if (UNAUTHORISED.has(code)) {
      return this.#become("refused", 0, this.#lastError || reason, code);
    }
    if (settled) this.#failures = 0;
    if (CROWDED.has(code)) this.#failures = Math.max(this.#failures, 3);
    const most = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures++);
    const delay = 50 + Math.random() * most;
    this.#timer = setTimeout(() => this.connect(), delay);
    this.#become("waiting", delay, reason);
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  #become(state, delay = 0, reason = "", code = 0) {
    this.#state = state;
    this.#emit("state", { state, delay, reason, code, failures: this.#failures });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
