// The dialogue with a server, without a socket and without a clock.
//
// In: texts of the server, the time of a monotonic clock in s, and what the program wants to watch.
// Out: commands to send, and messages. One dialogue lives over all connections, and knows what was
// seen last. clients/python/ticker_client/dialogue.py is its twin; clients/conformance holds both to
// the same dialogues.

import { Books } from "./books.js";
import { AuthError, RefusedError, type TickerError } from "./errors.js";
import { parse } from "./exact.js";
import type {
  AnyMessage, Channel, Delta, Error as ServerError, Hello, Recovered, Subscribed,
} from "./messages.js";
import {
  ALL, apart, type Event, isGroup, nameOf, sameTopic, type Topic, wordsOf,
} from "./topic.js";

export const SUBPROTOCOL = "ticker.v1.json";
const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 8.0;
/** Heartbeats without a message after which the server is given up. */
const SILENCE = 2.0;
/** s for the first message of a connection. */
const HEAD_TIMEOUT = 10.0;
const AUTH = new Set([4401, 4402, 4404]);
const [NOT_AUTHENTICATED, AUTH_FAILED, AUTH_TIMEOUT, SLOW_CLIENT] = [401, 402, 404, 407];
const EVENTS = new Set([
  "snapshot", "update", "correction", "cancel", "lagged", "status", "bar", "depth", "movers",
]);

/** What the server does not do: a symbol that it did not take, or a whole command, whose symbols are then
 * watched no more, and end with the error. */
export interface Refusal {
  code: number;
  message: string;
  symbol?: string;
  channel?: Channel;
  topic?: Topic;
  symbols?: ReadonlySet<string>;
  error?: TickerError;
}

export interface Received {
  events: Event[];
  commands: string[];
  refusals: Refusal[];
  /** Whether `members` has changed. */
  regrouped?: boolean;
}

export class Dialogue {
  /** The time of the last price seen of each symbol, by topic. */
  readonly watched: { topic: Topic; seen: Map<string, string | null> }[] = [];
  /** The symbols that the server refused, by the name of their topic. */
  readonly unknown = new Map<string, Set<string>>();
  /** The symbols of each group, by the name of its topic, a blank, and its own. */
  readonly members = new Map<string, ReadonlySet<string>>();
  readonly #books = new Books();
  hello: Hello | null = null;
  deadline = 0;
  pause = FIRST_PAUSE;
  #retryAfter: number | null = null;
  /** Commands without an answer yet: the server answers them in their order. */
  #asked: { topic: Topic; symbols: ReadonlySet<string> }[] = [];

  // -- what the program wants ----------------------------------------------------------------

  /** The commands for symbols that are not watched yet. The lists of movers have one symbol, the
   * empty one. */
  subscribe(topic: Topic, symbols: Iterable<string>): string[] {
    const watched = this.#of(topic);
    const fresh = [...new Set(symbols)].filter((symbol) => !watched.has(symbol));
    for (const symbol of fresh) watched.set(symbol, null);
    if (!this.hello) return [];
    return apart(fresh).map((names) => this.#command("subscribe", topic, names));
  }

  /** The commands for symbols that nobody watches any more. A symbol of a group that is still watched
   * goes on; what a group that goes had in common with the others is asked for again. */
  unsubscribe(topic: Topic, symbols: Iterable<string>): string[] {
    const watched = this.#of(topic);
    const gone = [...new Set(symbols)].filter((symbol) => watched.delete(symbol));
    for (const symbol of gone) this.unknown.get(nameOf(topic))?.delete(symbol);
    const told = gone.filter((symbol) => !this.#isWatched(topic, symbol));
    for (const name of told) {
      const key = `${nameOf(topic)} ${name}`;
      for (const symbol of this.members.get(key) ?? [name]) this.#books.forget(topic.venue, symbol);
      this.members.delete(key);
    }
    if (!told.length || !this.hello) return [];
    const left = this.#command("unsubscribe", topic, told);
    return told.some(isGroup) ? [left, ...this.#askAgain(topic)] : [left];
  }

  /** Whether a symbol is watched, by its name or by a group that has it. */
  #isWatched(topic: Topic, symbol: string): boolean {
    const watched = this.#of(topic);
    if (watched.has(symbol) || (watched.has(ALL) && !isGroup(symbol))) return true;
    return [...watched.keys()].some(
      (name) => isGroup(name) && this.members.get(`${nameOf(topic)} ${name}`)?.has(symbol),
    );
  }

  // -- a connection --------------------------------------------------------------------------

  /** The socket is open; the server speaks first. */
  opened(now: number): void {
    this.hello = null;
    this.#books.clear();
    this.#asked = [];
    this.#retryAfter = null;
    this.deadline = now + HEAD_TIMEOUT;
  }

  /** What a text tells, and the commands that answer it. Throws AuthError. */
  received(text: string, now: number): Received {
    const told = parse(text) as AnyMessage | AnyMessage[];
    const found: Received = { events: [], commands: [], refusals: [] };
    for (const message of Array.isArray(told) ? told : [told]) this.#take(message, found);
    if (this.hello) this.deadline = now + SILENCE * this.hello.heartbeat;
    return found; // of a newer server: types that are not known here are left out
  }

  /** The connection is gone: s until the next try. `chance` is a random number in [0, 1). Throws
   * AuthError when the server does not let this client in. */
  closed(code: number | null, chance: number): number {
    this.hello = null;
    if (code !== null && AUTH.has(code)) {
      throw new AuthError(`the server closed the stream with ${code}; give a valid token`);
    }
    if (this.#retryAfter !== null) return this.#retryAfter;
    const pause = this.pause * (0.5 + chance / 2);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
    return pause;
  }

  #take(message: AnyMessage, found: Received): void {
    if (message.type === "delta") {
      this.#changed(message, found);
    } else if (EVENTS.has(message.type)) {
      if (message.type === "depth") this.#books.put(message);
      found.events.push(message as Event);
      this.#saw(message as Event);
    } else if (message.type === "hello") {
      found.commands.push(...this.#greeted(message));
    } else if (message.type === "subscribed" || message.type === "recovered") {
      const asked = this.#asked.shift();
      for (const name of asked?.symbols ?? []) {
        if (asked && isGroup(name)) {
          this.members.set(`${nameOf(asked.topic)} ${name}`, new Set(message.symbols));
          found.regrouped = true;
        }
      }
      found.refusals.push(...this.#refused(message));
    } else if (message.type === "unsubscribed") {
      this.#asked.shift();
    } else if (message.type === "goodbye") {
      this.#retryAfter = message.retry_after;
    } else if (message.type === "error") {
      found.refusals.push(this.#failed(message));
    }
  }

  /** A command was refused, and nothing else ends; but for a client that has no token. */
  #failed({ code, message, symbol }: ServerError): Refusal {
    const tokenless = this.hello?.auth || !this.#asked.length;
    if ([AUTH_FAILED, AUTH_TIMEOUT].includes(code) || (code === NOT_AUTHENTICATED && tokenless)) {
      throw new AuthError(`${message} (code ${code}); give a valid token`);
    }
    if (symbol) return { code, message, symbol }; // it has to wait; that answers no command
    const refusal: Refusal = { code, message };
    const asked = code === SLOW_CLIENT ? undefined : this.#asked.shift();
    if (!asked?.symbols.size) return refusal;
    const watched = this.#of(asked.topic);
    for (const each of asked.symbols) watched.delete(each);
    const error =
      code === NOT_AUTHENTICATED
        ? new AuthError(`${message} (code ${code})`)
        : new RefusedError(code, message);
    return { ...refusal, ...asked, error };
  }

  #command(action: "subscribe" | "unsubscribe", topic: Topic, symbols: string[]): string {
    const held = action === "subscribe" ? symbols : [];
    this.#asked.push({ topic, symbols: new Set(held) });
    return command(action, topic, symbols);
  }

  /** What has changed of a book: the whole of it is told. A book that it does not go on from is asked
   * for again. */
  #changed(delta: Delta, found: Received): void {
    const { symbol, venue } = delta;
    const asked = this.#books.waits(delta);
    const book = this.#books.apply(delta);
    if (book) found.events.push(book);
    if (book || asked) return;
    for (const { topic } of this.watched) {
      if (topic.channel !== "depth" || topic.venue !== venue) continue;
      if (this.#isWatched(topic, symbol)) {
        found.commands.push(this.#command("subscribe", topic, [symbol]));
      }
    }
  }

  #of(topic: Topic): Map<string, string | null> {
    let found = this.watched.find((each) => sameTopic(each.topic, topic));
    if (!found) this.watched.push((found = { topic, seen: new Map() }));
    return found.seen;
  }

  #greeted(hello: Hello): string[] {
    this.hello = hello;
    this.pause = FIRST_PAUSE;
    return this.watched.flatMap(({ topic }) => this.#askAgain(topic));
  }

  /** The commands that subscribe to all that is watched of a topic, as of what was seen. */
  #askAgain(topic: Topic): string[] {
    const watched = this.#of(topic);
    return apart(watched.keys()).map((names) => {
      this.#asked.push({ topic, symbols: new Set(names) });
      const seen = names.map((name): [string, string | null] => [name, watched.get(name) ?? null]);
      const last_seen = topic.channel === "movers" ? {} : Object.fromEntries(seen);
      return JSON.stringify({ action: "reconnect", ...wordsOf(topic), last_seen });
    });
  }

  #refused({ channel = "price", interval, venue, symbols, rejected }: Subscribed | Recovered): Refusal[] {
    const name = nameOf({ channel, interval, venue });
    const unknown = this.unknown.get(name) ?? new Set();
    for (const symbol of symbols) unknown.delete(symbol);
    for (const { symbol } of rejected) unknown.add(symbol);
    this.unknown.set(name, unknown);
    return rejected.map(({ symbol, code }) => ({ code, message: "", symbol, channel }));
  }

  #saw(message: Event): void {
    if (message.type !== "snapshot" && message.type !== "update") return;
    const watched = this.#of({ channel: message.channel ?? "price" });
    if (watched.has(message.symbol)) watched.set(message.symbol, message.timestamp);
  }
}

function command(action: string, topic: Topic, symbols: string[]): string {
  const named = topic.channel === "movers" ? {} : { symbols };
  return JSON.stringify({ action, ...wordsOf(topic, action === "unsubscribe"), ...named });
}
