// The client: one connection for all that a program watches, opened again when it ends.
import { applied } from "./book.js";
import { Dialogue, SUBPROTOCOL } from "./dialogue.js";
import { NoServerError, TickerError } from "./errors.js";
import { Rest } from "./rest.js";
import { Watch } from "./watch.js";
const KEPT = 100_000;
const TOKEN_PROTOCOL = "ticker.token.";
const FRAME_MS = 16;
const BATCH = JSON.stringify({ action: "configure", batch: true });
/** A server by its URL, like http://localhost:8700. `connect()` makes one that is connected.
 *
 * `state` is "open" or "waiting", `reason` says why it waits, `lag` is the age in s of the newest
 * message when it came, by both clocks. `retryAt` is when it connects again, in ms of
 * performance.now(); 0 while it does. After a `failure` it does not. */
export class Client extends Rest {
    state = "waiting";
    reason = "not connected yet";
    retryAt = 0;
    failure = null;
    lag = null;
    #options;
    #dialogue = new Dialogue();
    #watches = new Set();
    #newest = new Map();
    #socket = null;
    #looksAt = 0; // when the timer looks at the deadline, which moves with each message
    #timer;
    #first = null;
    #closed = false;
    constructor(url, options = {}) {
        super(address(url), options.token);
        this.#options = options;
    }
    /** Connect. Rejects with NoServerError when nothing answers, and AuthError without a valid token. */
    open() {
        return new Promise((resolve, reject) => {
            this.#first = { resolve: () => resolve(this), reject };
            this.#connect();
        });
    }
    /** Connect, and go on trying until there is a server: `onstate` tells how it goes. */
    start() {
        this.#connect();
        return this;
    }
    /** Do not wait for `retryAt`. */
    retry() {
        if (this.retryAt === 0)
            return;
        clearTimeout(this.#timer);
        this.#connect();
    }
    /** Leave the server; every iteration ends. */
    close() {
        this.#closed = true;
        this.retryAt = 0;
        for (const watch of [...this.#watches])
            watch.close();
        this.#drop();
    }
    // -- what is watched -----------------------------------------------------------------------
    /** The last sale of each, as it changes. */
    prices(...symbols) {
        return this.#watch("price", symbols, 0);
    }
    /** The last sale, the quote and the figures of the day. */
    quotes(...symbols) {
        return this.#watch("quote", symbols, 0);
    }
    /** Every eligible trade, and what is corrected or cancelled; up to `kept` wait. */
    trades(symbols, kept = KEPT) {
        return this.#watch("trades", typeof symbols === "string" ? [symbols] : symbols, kept);
    }
    /** The first ten levels of each symbol's book, as they change. */
    books(...symbols) {
        return this.#watch("depth", symbols, 0);
    }
    /** The newest of each symbol that has changed, once per animation frame: a page draws no more
     * often than the screen shows. Returns the watch; close it to stop. */
    frames(symbols, draw, channel = "price") {
        const watch = this.#watch(channel, symbols, 0);
        const changed = new Map();
        const show = () => {
            const changes = [...changed.values()];
            changed.clear();
            draw(changes);
        };
        void (async () => {
            for await (const message of watch) {
                if (changed.size === 0)
                    nextFrame(show);
                changed.set(message.symbol, message);
            }
        })().catch((error) => {
            this.reason = error.message;
        });
        return watch;
    }
    #watch(channel, symbols, kept) {
        if (!symbols.length)
            throw new TypeError('name at least one symbol, like "AAPL"');
        const watch = new Watch(channel, symbols, kept, (gone) => this.#leave(gone));
        this.#watches.add(watch);
        for (const symbol of symbols) {
            const known = this.#newest.get(`${channel} ${symbol}`); // what another watch was told already
            if (known)
                watch.put(known);
        }
        watch.refuse(this.#unknown(channel));
        this.#send(this.#dialogue.subscribe(channel, symbols));
        return watch;
    }
    #unknown(channel) {
        return this.#dialogue.unknown.get(channel) ?? new Set();
    }
    #leave(watch) {
        this.#watches.delete(watch);
        const others = [...this.#watches].filter((each) => each.channel === watch.channel);
        const gone = [...watch.symbols].filter((symbol) => !others.some((each) => each.symbols.has(symbol)));
        for (const symbol of gone)
            this.#newest.delete(`${watch.channel} ${symbol}`);
        this.#send(this.#dialogue.unsubscribe(watch.channel, gone.sort()));
    }
    // -- the connection ------------------------------------------------------------------------
    #send(commands) {
        if (this.#dialogue.hello)
            for (const command of commands)
                this.#socket?.send(command);
    }
    #connect() {
        const WebSocket = this.#options.WebSocket ?? globalThis.WebSocket;
        if (!WebSocket) {
            throw new TypeError("no WebSocket here; pass one, like that of the package ws");
        }
        const protocols = [SUBPROTOCOL];
        if (this.#options.token)
            protocols.push(TOKEN_PROTOCOL + this.#options.token);
        const url = `${this.url.replace(/^http/, "ws")}/stream`;
        const socket = new WebSocket(url, protocols);
        this.#socket = socket;
        this.retryAt = 0;
        this.#dialogue.opened(now());
        socket.onmessage = (event) => this.#received(socket, String(event.data));
        socket.onclose = (event) => this.#lost(socket, event.code);
        socket.onerror = () => this.#lost(socket, null); // not all of them close after it
        this.#listen(socket);
        this.#changed();
    }
    /** Wait for the deadline; a browser may call this late. */
    #listen(socket) {
        clearTimeout(this.#timer);
        const left = this.#dialogue.deadline - now();
        if (left <= 0)
            return this.#lost(socket, null);
        this.#looksAt = this.#dialogue.deadline;
        this.#timer = setTimeout(() => this.#listen(socket), 1000 * left + 1);
    }
    #received(socket, text) {
        if (socket !== this.#socket)
            return;
        try {
            const { events, commands, refusals } = this.#dialogue.received(text, now());
            if (this.#dialogue.deadline < this.#looksAt)
                this.#listen(socket);
            const opened = this.state !== "open" && this.#dialogue.hello;
            if (opened && this.#options.batch)
                socket.send(BATCH);
            for (const command of commands)
                socket.send(command);
            if (opened)
                this.#opened();
            for (const event of events)
                this.#handOut(event);
            for (const refusal of refusals)
                this.#options.onrefusal?.(refusal);
            if (!refusals.length)
                return;
            for (const watch of [...this.#watches])
                watch.refuse(this.#unknown(watch.channel));
        }
        catch (error) {
            this.#fail(error instanceof TickerError ? error : new TickerError(String(error)));
        }
    }
    #opened() {
        this.state = "open";
        this.reason = "";
        this.#first?.resolve();
        this.#first = null;
        this.#changed();
    }
    #changed() {
        this.#options.onstate?.(this);
    }
    #handOut(event) {
        if (event.type === "status")
            return;
        if (event.type === "depth" || event.type === "delta")
            return this.#handOutBook(event);
        if (event.type === "snapshot" || event.type === "update") {
            this.lag = (Date.now() - Date.parse(event.timestamp)) / 1000;
            if (event.channel !== "trades") {
                this.#newest.set(`${event.channel ?? "price"} ${event.symbol}`, event);
            }
        }
        this.#give(event.type === "lagged" ? "trades" : (event.channel ?? "price"), event);
    }
    #handOutBook(event) {
        const key = `depth ${event.symbol}`;
        const book = applied(this.#newest.get(key), event);
        if (book) {
            this.#newest.set(key, book);
            return this.#give("depth", book);
        }
        this.#send([
            ...this.#dialogue.unsubscribe("depth", [event.symbol]),
            ...this.#dialogue.subscribe("depth", [event.symbol]),
        ]);
    }
    #give(channel, event) {
        for (const watch of this.#watches) {
            if (watch.channel === channel && watch.symbols.has(event.symbol ?? ""))
                watch.put(event);
        }
    }
    #lost(socket, code) {
        if (socket !== this.#socket || this.#closed)
            return;
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
        }
        catch (error) {
            this.#fail(error instanceof TickerError ? error : new TickerError(String(error)));
        }
    }
    #fail(error) {
        this.#drop();
        this.state = "waiting";
        this.reason = error.message;
        this.failure = error;
        this.#first?.reject(error);
        this.#first = null;
        for (const watch of this.#watches)
            watch.fail(error);
        this.#changed();
    }
    #drop() {
        clearTimeout(this.#timer);
        const socket = this.#socket;
        this.#socket = null;
        this.#dialogue.hello = null;
        if (!socket)
            return;
        socket.onmessage = socket.onclose = null;
        socket.onerror = () => undefined; // of a handshake that is broken off here
        socket.close();
    }
}
/** A client that is connected. Rejects as Client.open(). */
export function connect(url = "http://localhost:8700", options = {}) {
    return new Client(url, options).open();
}
function address(url) {
    const found = new URL(url);
    if (found.protocol !== "http:" && found.protocol !== "https:") {
        throw new TypeError(`${url} is no address of a server, like http://localhost:8700`);
    }
    return url.replace(/\/+$/, "");
}
function now() {
    return performance.now() / 1000;
}
function nextFrame(show) {
    if (typeof requestAnimationFrame === "function")
        requestAnimationFrame(show);
    else
        setTimeout(show, FRAME_MS);
}
