// What a program watches: an iterator over the messages of some symbols on one channel.
import { UnknownSymbolError } from "./errors.js";
import { ALL, symbolIn } from "./topic.js";
/** Messages as they come, over reconnects, until it is closed.
 *
 * A slow reader gets the newest message of each symbol, on `bars` the newest of each bar. On `trades`
 * each message waits. `kept` messages wait at most; `dropped` counts those that were too many. */
export class Watch {
    topic;
    symbols;
    /** The symbols that it gets, with those of its watchlists; null: it gets all. */
    members;
    dropped = 0;
    #kept;
    #leave;
    #waiting = new Map(); // by symbol, or one by one
    #readers = [];
    #count = 0;
    #failure = null;
    #closed = false;
    constructor(topic, symbols, kept, leave) {
        this.topic = topic;
        this.symbols = new Set(symbols);
        this.members = this.symbols.has(ALL) ? null : this.symbols;
        this.#kept = kept;
        this.#leave = leave;
    }
    /** Whether it is to get the messages of a symbol. */
    gets(symbol) {
        return this.members === null || this.members.has(symbol);
    }
    /** A message of one of its symbols. */
    put(message) {
        if (message.type === "status")
            return;
        const key = this.#keyOf(message);
        this.#waiting.delete(key);
        if (this.#waiting.size >= this.#kept) {
            this.#waiting.delete(this.#waiting.keys().next().value);
            this.dropped += 1;
        }
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
    /** Of messages with one key the newest is enough. */
    #keyOf(message) {
        if (this.topic.channel === "trades" || message.type === "lagged")
            return this.#count++;
        const symbol = symbolIn(message);
        return message.type === "bar" ? `${symbol} ${message.start}` : symbol;
    }
    #wake() {
        for (const resolve of this.#readers.splice(0))
            resolve();
    }
}
