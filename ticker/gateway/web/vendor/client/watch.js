// What a program watches: an iterator over the messages of some symbols on one channel.
import { UnknownSymbolError } from "./errors.js";
/** Messages as they come, over reconnects, until it is closed.
 *
 * On `price`, `quote` and `depth` a slow reader gets the newest of each symbol. On `trades` up to
 * `kept` messages wait; `dropped` counts those that were too many. */
export class Watch {
    channel;
    symbols;
    dropped = 0;
    #kept;
    #leave;
    #waiting = new Map(); // by symbol, or one by one
    #readers = [];
    #count = 0;
    #failure = null;
    #closed = false;
    constructor(channel, symbols, kept, leave) {
        this.channel = channel;
        this.symbols = new Set(symbols);
        this.#kept = kept;
        this.#leave = leave;
    }
    /** A message of one of its symbols. */
    put(message) {
        if (message.type === "status")
            return;
        let key = message.symbol ?? "";
        if (this.channel === "trades") {
            if (this.#waiting.size >= this.#kept) {
                this.#waiting.delete(this.#waiting.keys().next().value);
                this.dropped += 1;
            }
            key = this.#count++;
        }
        this.#waiting.delete(key);
        this.#waiting.set(key, message);
        this.#wake();
    }
    /** The server does not know these: an end, if there are no others. */
    refuse(unknown) {
        if ([...this.symbols].every((symbol) => unknown.has(symbol))) {
            const names = [...this.symbols].sort().join(", ");
            this.fail(new UnknownSymbolError(`no feed has ${names}; look it up with client.symbols()`));
        }
    }
    /** The iteration throws this after what waits. */
    fail(error) {
        this.#failure = error;
        this.#wake();
    }
    /** Stop watching; the iteration ends. */
    close() {
        if (this.#closed)
            return;
        this.#closed = true;
        this.#wake();
        this.#leave(this);
    }
    async next() {
        for (;;) {
            if (this.#closed)
                return { done: true, value: undefined };
            for (const [key, message] of this.#waiting) {
                this.#waiting.delete(key);
                return { done: false, value: message };
            }
            if (this.#failure)
                throw this.#failure;
            await new Promise((resolve) => this.#readers.push(resolve));
        }
    }
    async return() {
        this.close();
        return { done: true, value: undefined };
    }
    [Symbol.asyncIterator]() {
        return this;
    }
    #wake() {
        for (const resolve of this.#readers.splice(0))
            resolve();
    }
}
