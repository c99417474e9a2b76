// The client: one connection for all that a program watches, opened again when it ends.

import { Dialogue, type Refusal, SUBPROTOCOL } from "./dialogue.js";
import { NoServerError, TickerError } from "./errors.js";
import type {
  Cancel, Correction, Depth, Lagged, LiveBar, Movers, Snapshot, Update,
} from "./messages.js";
import { Rest } from "./rest.js";
import {
  type Event, isGroup, nameIn, nameOf, sameTopic, symbolIn, type Topic, wordsOf,
} from "./topic.js";
import { Watch } from "./watch.js";

const KEPT = 100_000;
const TOKEN_PROTOCOL = "ticker.token.";
const FRAME_MS = 16;
const BATCH = JSON.stringify({ action: "configure", batch: true });

/** What is used of a WebSocket. */
export interface SocketLike {
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  send(text: string): void;
  close(): void;
}

export interface Options {
  /** For a server that asks for one. */
  token?: string;
  /** The constructor, where there is no global one (Node before 22): that of the package `ws`. */
  WebSocket?: new (url: string, protocols: string[]) => SocketLike;
  /** One message for each flush of the server, for many symbols: less work for both. */
  batch?: boolean;
  /** Called when `state`, `reason`, `retryAt` or `failure` has changed. */
  onstate?: (client: Client) => void;
  /** Called for what the server refuses: a symbol, or a command. */
  onrefusal?: (refusal: Refusal) => void;
}

export type Price = Snapshot | Update;
export type Trade = Price | Correction | Cancel | Lagged;

/** A server by its URL, like http://localhost:8700. `connect()` makes one that is connected.
 *
 * `state` is "open" or "waiting", `reason` says why it waits, `lag` is the age in s of the newest
 * message when it came, by both clocks. `retryAt` is when it connects again, in ms of
 * performance.now(); 0 while it does. After a `failure` it does not. Wherever symbols are named, "@tech" is
 * a watchlist of the server's configuration, and "*" are all symbols. */
export class Client extends Rest {
  state: "open" | "waiting" = "waiting";
  reason = "not connected yet";
  retryAt = 0;
  failure: TickerError | null = null;
  lag: number | null = null;
  readonly #options: Options;
  readonly #dialogue = new Dialogue();
  readonly #watches = new Set<Watch<Event>>();
  readonly #newest = new Map<string, Event>();
  #socket: SocketLike | null = null;
  #looksAt = 0; // when the timer looks at the deadline, which moves with each message
  #timer: ReturnType<typeof setTimeout> | undefined;
  #first: { resolve: () => void; reject: (error: TickerError) => void } | null = null;
  #closed = false;

  constructor(url: string, options: Options = {}) {
    super(address(url), options.token);
    this.#options = options;
  }

  /** Connect. Rejects with NoServerError when nothing answers, and AuthError without a valid token. */
  open(): Promise<this> {
    return new Promise((resolve, reject) => {
      this.#first = { resolve: () => resolve(this), reject };
      this.#connect();
    });
  }

  /** Connect, and go on trying until there is a server: `onstate` tells how it goes. */
  start(): this {
    this.#connect();
    return this;
  }

  /** Do not wait for `retryAt`. */
  retry(): void {
    if (this.retryAt === 0) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** Leave the server; every iteration ends. */
  close(): void {
    this.#closed = true;
    this.retryAt = 0;
    for (const watch of [...this.#watches]) watch.close();
    this.#drop();
  }

  // -- what is watched -----------------------------------------------------------------------

  /** The last sale of each, as it changes. */
  prices(...symbols: string[]): Watch<Price> {
    return this.#watch({ channel: "price" }, symbols);
  }

  /** The last sale, the quote and the figures of the day. */
  quotes(...symbols: string[]): Watch<Price> {
    return this.#watch({ channel: "quote" }, symbols);
  }

  /** Every eligible trade, and what is corrected or cancelled; up to `kept` wait. */
  trades(symbols: string | readonly string[], kept = KEPT): Watch<Trade> {
    return this.#watch({ channel: "trades" }, listed(symbols), kept);
  }

  /** Bars as they form, end and are corrected; a message with the same `start` replaces the one before
   * it. `bars()` has those of the past. */
  liveBars(
    symbols: string | readonly string[], interval: LiveBar["interval"] = "1m", kept = KEPT,
  ): Watch<LiveBar | Lagged> {
    return this.#watch({ channel: "bars", interval }, listed(symbols), kept);
  }

  /** The symbols that gain, lose and trade most, `limit` of each; without it 10. Throws a TypeError
   * where lists of another length are watched. */
  movers(limit?: number): Watch<Movers> {
    return this.#watch({ channel: "movers", limit }, [""]);
  }

  /** The whole book of each, best levels first, as it changes; over all venues or of one. Without
   * `levels`, as many as the server has by default. Throws a TypeError where a book of these is watched
   * with another number of levels. */
  depth(
    symbols: string | readonly string[], options: { levels?: number; venue?: string } = {},
  ): Watch<Depth> {
    const { levels, venue } = options;
    return this.#watch({ channel: "depth", levels, venue }, listed(symbols));
  }

  /** The newest of each symbol that has changed, once per animation frame: a page draws no more
   * often than the screen shows. Returns the watch; close it to stop. */
  frames(
    symbols: readonly string[], draw: (changes: Price[]) => void,
    channel: "price" | "quote" = "price",
  ): Watch<Price> {
    const watch = this.#watch<Price>({ channel }, symbols);
    const changed = new Map<string, Price>();
    const show = (): void => {
      const changes = [...changed.values()];
      changed.clear();
      draw(changes);
    };
    void (async () => {
      for await (const message of watch) {
        if (changed.size === 0) nextFrame(show);
        changed.set(message.symbol, message);
      }
    })().catch((error: TickerError) => {
      this.reason = error.message;
    });
    return watch;
  }

  #watch<E extends Event>(topic: Topic, symbols: readonly string[], kept = KEPT): Watch<E> {
    if (!symbols.length) throw new TypeError('name at least one symbol, like "AAPL"');
    this.#checkOne(topic, symbols);
    const watch = new Watch<E>(topic, symbols, kept, (gone) => this.#leave(gone));
    this.#watches.add(watch as unknown as Watch<Event>);
    this.#gather(watch as unknown as Watch<Event>);
    for (const known of this.#newestOf(topic, watch.symbols)) {
      if (watch.gets(symbolIn(known))) watch.put(known); // another watch was told it
    }
    watch.refuse(this.#unknown(topic));
    this.#send(this.#dialogue.subscribe(topic, symbols));
    return watch;
  }

  /** The newest messages of a topic that may be of these symbols. */
  #newestOf(topic: Topic, symbols: ReadonlySet<string>): Event[] {
    const name = nameOf(topic);
    if ([...symbols].some(isGroup)) {
      return [...this.#newest.values()].filter((event) => nameIn(event) === name);
    }
    const known = [...symbols].map((symbol) => this.#newest.get(`${name} ${symbol}`));
    return known.filter((event) => event !== undefined);
  }

  /** Give a watch the symbols that its watchlists have, as far as the server has said. */
  #gather(watch: Watch<Event>): void {
    if (watch.members === null || ![...watch.symbols].some(isGroup)) return;
    const members = new Set(watch.symbols);
    for (const name of watch.symbols) {
      const named = this.#dialogue.members.get(`${nameOf(watch.topic)} ${name}`);
      for (const symbol of named ?? []) members.add(symbol);
    }
    watch.members = members;
  }

  #unknown(topic: Topic): ReadonlySet<string> {
    return this.#dialogue.unknown.get(nameOf(topic)) ?? new Set();
  }

  /** A connection has one book of a symbol, and one list of movers. */
  #checkOne(topic: Topic, symbols: readonly string[]): void {
    for (const each of this.#watches) {
      if (nameOf(each.topic) !== nameOf(topic) || sameTopic(each.topic, topic)) continue;
      const both = symbols.find((symbol) => each.symbols.has(symbol));
      if (both === undefined) continue;
      const held = JSON.stringify(wordsOf(each.topic));
      throw new TypeError(`${both || "the list of movers"} is watched with ${held}; use the same`);
    }
  }

  #leave<E extends Event>(watch: Watch<E>): void {
    this.#watches.delete(watch as unknown as Watch<Event>);
    const others = [...this.#watches].filter((each) => sameTopic(each.topic, watch.topic));
    const gone = [...watch.symbols].filter(
      (symbol) => !others.some((each) => each.symbols.has(symbol)),
    );
    const name = nameOf(watch.topic);
    const left = [...this.#watches].filter((each) => nameOf(each.topic) === name);
    for (const symbol of this.#newestOf(watch.topic, watch.symbols).map(symbolIn)) {
      if (!left.some((each) => each.gets(symbol))) this.#newest.delete(`${name} ${symbol}`);
    }
    this.#send(this.#dialogue.unsubscribe(watch.topic, gone.sort()));
  }

  // -- the connection ------------------------------------------------------------------------

  #send(commands: string[]): void {
    if (this.#dialogue.hello) for (const command of commands) this.#socket?.send(command);
  }

  #connect(): void {
    const WebSocket = this.#options.WebSocket ?? globalThis.WebSocket;
    if (!WebSocket) {
      throw new TypeError("no WebSocket here; pass one, like that of the package ws");
    }
    const protocols = [SUBPROTOCOL];
    if (this.#options.token) protocols.push(TOKEN_PROTOCOL + this.#options.token);
    const url = `${this.url.replace(/^http/, "ws")}/stream`;
    const socket = new WebSocket(url, protocols) as SocketLike;
    this.#socket = socket;
    this.retryAt = 0;
    this.#dialogue.opened(now());
    socket.onmessage = (event: { data: unknown }) => this.#received(socket, String(event.data));
    socket.onclose = (event: { code: number }) => this.#lost(socket, event.code);
    socket.onerror = () => this.#lost(socket, null); // not all of them close after it
    this.#listen(socket);
    this.#changed();
  }

  /** Wait for the deadline; a browser may call this late. */
  #listen(socket: SocketLike): void {
    clearTimeout(this.#timer);
    const left = this.#dialogue.deadline - now();
    if (left <= 0) return this.#lost(socket, null);
    this.#looksAt = this.#dialogue.deadline;
    this.#timer = setTimeout(() => this.#listen(socket), 1000 * left + 1);
  }

  #received(socket: SocketLike, text: string): void {
    if (socket !== this.#socket) return;
    try {
      const { events, commands, refusals, regrouped } = this.#dialogue.received(text, now());
      if (regrouped) for (const watch of this.#watches) this.#gather(watch);
      if (this.#dialogue.deadline < this.#looksAt) this.#listen(socket);
      const opened = this.state !== "open" && this.#dialogue.hello;
      if (opened && this.#options.batch) socket.send(BATCH);
      for (const command of commands) socket.send(command);
      if (opened) this.#opened();
      for (const event of events) this.#handOut(event);
      for (const refusal of refusals) {
        this.#options.onrefusal?.(refusal);
        if (refusal.error) this.#end(refusal);
      }
      if (!refusals.length) return;
      for (const watch of [...this.#watches]) watch.refuse(this.#unknown(watch.topic));
    } catch (error) {
      this.#fail(error instanceof TickerError ? error : new TickerError(String(error)));
    }
  }

  /** The watches of a command that was refused, and no other. */
  #end({ topic, symbols, error }: Refusal): void {
    for (const watch of this.#watches) {
      if (!topic || !error || !sameTopic(watch.topic, topic)) continue;
      if ([...watch.symbols].some((symbol) => symbols?.has(symbol))) watch.fail(error);
    }
  }

  #opened(): void {
    this.state = "open";
    this.reason = "";
    this.#first?.resolve();
    this.#first = null;
    this.#changed();
  }

  #changed(): void {
    this.#options.onstate?.(this);
  }

  #handOut(event: Event): void {
    if (event.type === "status") return;
    if (event.type === "snapshot" || event.type === "update") {
      this.lag = (Date.now() - Date.parse(event.timestamp)) / 1000;
    }
    const [name, symbol] = [nameIn(event), symbolIn(event)];
    const key = `${name} ${symbol}`;
    if (name !== "trades" && !isOlder(event, this.#newest.get(key))) this.#newest.set(key, event);
    for (const watch of this.#watches) {
      const ofIt =
        event.type === "lagged" // it does not say of which of the two
          ? watch.topic.channel === "trades" || watch.topic.channel === "bars"
          : nameOf(watch.topic) === name;
      if (ofIt && watch.gets(symbol)) watch.put(event);
    }
  }

  #lost(socket: SocketLike, code: number | null): void {
    if (socket !== this.#socket || this.#closed) return;
    this.#drop();
    this.state = "waiting";
    this.reason = code === null ? "the server does not answer" : `the stream closed with ${code}`;
    try {
      const pause = this.#dialogue.closed(code, Math.random());
      if (this.#first) {
        throw new NoServerError(`${this.url}: ${this.reason}; is \`ticker serve\` running there?`);
      }
      this.retryAt = performance.now() + 1000 * pause;
      this.#timer = setTimeout(() => this.#connect(), 1000 * pause);
      this.#changed();
    } catch (error) {
      this.#fail(error instanceof TickerError ? error : new TickerError(String(error)));
    }
  }

  #fail(error: TickerError): void {
    this.#drop();
    this.state = "waiting";
    this.reason = error.message;
    this.failure = error;
    this.#first?.reject(error);
    this.#first = null;
    for (const watch of this.#watches) watch.fail(error);
    this.#changed();
  }

  #drop(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#dialogue.hello = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.onerror = () => undefined; // of a handshake that is broken off here
    socket.close();
  }
}

/** A client that is connected. Rejects as Client.open(). */
export function connect(url = "http://localhost:8700", options: Options = {}): Promise<Client> {
  return new Client(url, options).open();
}

function listed(symbols: string | readonly string[]): readonly string[] {
  return typeof symbols === "string" ? [symbols] : symbols;
}

/** Whether it is a bar before the one that is known. */
function isOlder(event: Event, known: Event | undefined): boolean {
  return event.type === "bar" && known?.type === "bar" && event.start < known.start;
}

function address(url: string): string {
  const found = new URL(url);
  if (found.protocol !== "http:" && found.protocol !== "https:") {
    throw new TypeError(`${url} is no address of a server, like http://localhost:8700`);
  }
  return url.replace(/\/+$/, "");
}

function now(): number {
  return performance.now() / 1000;
}

function nextFrame(show: () => void): void {
  if (typeof requestAnimationFrame === "function") requestAnimationFrame(show);
  else setTimeout(show, FRAME_MS);
}
