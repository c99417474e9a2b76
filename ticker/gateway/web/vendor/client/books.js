// The books of a connection: each delta applied to the book that it goes on from.
/** By venue and symbol. */
export class Books {
    #books = new Map();
    /** A whole book, which replaces what there is. */
    put(message) {
        const { bids, asks } = message;
        this.#books.set(keyOf(message), { whole: message, bids: byPrice(bids), asks: byPrice(asks) });
        return message;
    }
    /** The whole book with a delta in it; null: it goes on from another one, and the book is no longer
     * known. */
    apply(delta) {
        const found = this.#books.get(keyOf(delta));
        if (!found || found.whole.seq !== delta.previous_seq) {
            this.#books.set(keyOf(delta), null);
            return null;
        }
        change(found.bids, delta.bids);
        change(found.asks, delta.asks);
        const { type, levels } = found.whole;
        const { symbol, timestamp, seq, venue } = delta;
        const bids = [...found.bids.values()].sort((one, other) => compare(other[0], one[0]));
        const asks = [...found.asks.values()].sort((one, other) => compare(one[0], other[0]));
        const where = venue === undefined ? {} : { venue };
        found.whole = { type, symbol, timestamp, seq, levels, ...where, bids, asks };
        return found.whole;
    }
    /** Whether the book was asked for again. */
    waits(delta) {
        return this.#books.get(keyOf(delta)) === null;
    }
    /** Nobody watches it any more. */
    forget(venue, symbol) {
        this.#books.delete(keyOf({ venue, symbol }));
    }
    /** The connection is a new one. */
    clear() {
        this.#books.clear();
    }
}
function keyOf({ venue, symbol }) {
    return `${venue ?? ""} ${symbol}`;
}
function byPrice(levels) {
    return new Map(levels.map((level) => [level[0], level]));
}
function change(side, levels) {
    for (const level of levels) {
        if (Number(level[1]))
            side.set(level[0], level);
        else
            side.delete(level[0]);
    }
}
/** The order of two decimals, by all of their digits: a number of JavaScript would lose some. */
export function compare(one, other) {
    const [a, b] = [units(one), units(other)];
    return a < b ? -1 : a > b ? 1 : 0;
}
/** A price in 1e-9, the most decimals that there are. */
function units(price) {
    const [whole = "", part = ""] = price.split(".");
    return BigInt(whole + part.padEnd(9, "0"));
}
