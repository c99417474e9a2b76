// The dialogue with a server, without a socket and without a clock.
//
// In: texts of the server, the time of a monotonic clock in s, and what the program wants to watch.
// Out: commands to send, and messages. One dialogue lives over all connections, and knows what was
// seen last. clients/python/ticker_client/dialogue.py is its twin; clients/conformance holds both to
// the same dialogues.
import { AuthError } from "./errors.js";
import { parse } from "./exact.js";
export const SUBPROTOCOL = "ticker.v1.json";
const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 8.0;
/** Heartbeats without a message after which the server is given up. */
const SILENCE = 2.0;
/** s for the first message of a connection. */
const HEAD_TIMEOUT = 10.0;
const AUTH = new Set([4401, 4402, 4404]);
const AUTH_ERRORS = new Set([401, 402, 404]);
const EVENTS = new Set([
    "snapshot", "update", "correction", "cancel", "lagged", "status", "depth", "delta",
]);
export class Dialogue {
    /** The time of the last price seen of each symbol, by channel. */
    watched = new Map();
    /** The symbols that the server refused, by channel. */
    unknown = new Map();
    hello = null;
    deadline = 0;
    pause = FIRST_PAUSE;
    #retryAfter = null;
    // -- what the program wants ----------------------------------------------------------------
    /** The commands for symbols that are not watched yet. */
    subscribe(channel, symbols) {
        const watched = this.#of(channel);
        const fresh = [...new Set(symbols)].filter((symbol) => !watched.has(symbol));
        for (const symbol of fresh)
            watched.set(symbol, null);
        return fresh.length && this.hello ? [command("subscribe", channel, fresh)] : [];
    }
    /** The commands for symbols that nobody watches any more. */
    unsubscribe(channel, symbols) {
        const watched = this.#of(channel);
        const gone = [...new Set(symbols)].filter((symbol) => watched.delete(symbol));
        for (const symbol of gone)
            this.unknown.get(channel)?.delete(symbol);
        return gone.length && this.hello ? [command("unsubscribe", channel, gone)] : [];
    }
    // -- a connection --------------------------------------------------------------------------
    /** The socket is open; the server speaks first. */
    opened(now) {
        this.hello = null;
        this.#retryAfter = null;
        this.deadline = now + HEAD_TIMEOUT;
    }
    /** What a text tells, and the commands that answer it. Throws AuthError. */
    received(text, now) {
        const told = parse(text);
        const found = { events: [], commands: [], refusals: [] };
        for (const message of Array.isArray(told) ? told : [told])
            this.#take(message, found);
        if (this.hello)
            this.deadline = now + SILENCE * this.hello.heartbeat;
        return found; // of a newer server: types that are not known here are left out
    }
    /** The connection is gone: s until the next try. `chance` is a random number in [0, 1). Throws
     * AuthError when the server does not let this client in. */
    closed(code, chance) {
        this.hello = null;
        if (code !== null && AUTH.has(code)) {
            throw new AuthError(`the server closed the stream with ${code}; give a valid token`);
        }
        if (this.#retryAfter !== null)
            return this.#retryAfter;
        const pause = this.pause * (0.5 + chance / 2);
        this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
        return pause;
    }
    #take(message, found) {
        if (EVENTS.has(message.type)) {
            found.events.push(message);
            this.#saw(message);
        }
        else if (message.type === "hello") {
            found.commands.push(...this.#greeted(message));
        }
        else if (message.type === "subscribed" || message.type === "recovered") {
            const { channel = "price", symbols, rejected } = message;
            found.refusals.push(...this.#refused(channel, symbols, rejected));
        }
        else if (message.type === "goodbye") {
            this.#retryAfter = message.retry_after;
        }
        else if (message.type === "error" && AUTH_ERRORS.has(message.code)) {
            throw new AuthError(`${message.message} (code ${message.code}); give a valid token`);
        }
        else if (message.type === "error") {
            const { code, message: said, symbol } = message;
            found.refusals.push(symbol ? { code, message: said, symbol } : { code, message: said });
        }
    }
    #of(channel) {
        let found = this.watched.get(channel);
        if (!found)
            this.watched.set(channel, (found = new Map()));
        return found;
    }
    #greeted(hello) {
        this.hello = hello;
        this.pause = FIRST_PAUSE;
        return [...this.watched]
            .filter(([, watched]) => watched.size > 0)
            .map(([channel, watched]) => JSON.stringify({ action: "reconnect", channel, last_seen: Object.fromEntries(watched) }));
    }
    #refused(channel, taken, rejected) {
        const unknown = this.unknown.get(channel) ?? new Set();
        for (const symbol of taken)
            unknown.delete(symbol);
        for (const { symbol } of rejected)
            unknown.add(symbol);
        this.unknown.set(channel, unknown);
        return rejected.map(({ symbol, code }) => ({ code, message: "", symbol, channel }));
    }
    #saw(message) {
        if (message.type !== "snapshot" && message.type !== "update")
            return;
        const watched = this.watched.get(message.channel ?? "price");
        if (watched?.has(message.symbol))
            watched.set(message.symbol, message.timestamp);
    }
}
function command(action, channel, symbols) {
    return JSON.stringify({ action, channel, symbols });
}
