// What a program watches: an iterator over the messages of some symbols on one channel.

import type { Book } from "./book.js";
import type { Event } from "./dialogue.js";
import { type TickerError, UnknownSymbolError } from "./errors.js";
import type { Channel } from "./messages.js";

/** Messages as they come, over reconnects, until it is closed.
 *
 * On `price`, `quote` and `depth` a slow reader gets the newest of each symbol. On `trades` up to
 * `kept` messages wait; `dropped` counts those that were too many. */
export class Watch<E extends Event | Book> implements AsyncIterableIterator<E> {
  readonly channel: Channel;
  readonly symbols: ReadonlySet<string>;
  dropped = 0;
  readonly #kept: number;
  readonly #leave: (watch: Watch<E>) => void;
  readonly #waiting = new Map<string | number, Event | Book>(); // by symbol, or one by one
  readonly #readers: (() => void)[] = [];
  #count = 0;
  #failure: TickerError | null = null;
  #closed = false;

  constructor(
    channel: Channel, symbols: readonly string[], kept: number, leave: (watch: Watch<E>) => void,
  ) {
    this.channel = channel;
    this.symbols = new Set(symbols);
    this.#kept = kept;
    this.#leave = leave;
  }

  /** A message of one of its symbols. */
  put(message: Event | Book): void {
    if (message.type === "status") return;
    let key: string | number = message.symbol ?? "";
    if (this.channel === "trades") {
      if (this.#waiting.size >= this.#kept) {
        this.#waiting.delete(this.#waiting.keys().next().value!);
        this.dropped += 1;
      }
      key = this.#count++;
    }
    this.#waiting.delete(key);
    this.#waiting.set(key, message);
    this.#wake();
  }

  /** The server does not know these: an end, if there are no others. */
  refuse(unknown: ReadonlySet<string>): void {
    if ([...this.symbols].every((symbol) => unknown.has(symbol))) {
      const names = [...this.symbols].sort().join(", ");
      this.fail(new UnknownSymbolError(`no feed has ${names}; look it up with client.symbols()`));
    }
  }

  /** The iteration throws this after what waits. */
  fail(error: TickerError): void {
    this.#failure = error;
    this.#wake();
  }

  /** Stop watching; the iteration ends. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake();
    this.#leave(this);
  }

  async next(): Promise<IteratorResult<E>> {
    for (;;) {
      if (this.#closed) return { done: true, value: undefined };
      for (const [key, message] of this.#waiting) {
        this.#waiting.delete(key);
        return { done: false, value: message as E };
      }
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => this.#readers.push(resolve));
    }
  }

  async return(): Promise<IteratorResult<E>> {
    this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #wake(): void {
    for (const resolve of this.#readers.splice(0)) resolve();
  }
}
