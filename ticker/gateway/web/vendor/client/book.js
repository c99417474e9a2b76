// A symbol's book on the channel `depth`: a whole one, and then what has changed of it.
/** The book after a message; null where a message before this one is missing. */
export function applied(book, message) {
    const { symbol, timestamp, seq } = message;
    const head = { type: "book", channel: "depth", symbol, timestamp, seq };
    if (message.type === "depth")
        return { ...head, bids: message.bids, asks: message.asks };
    if (message.previous_seq !== book?.seq)
        return null;
    return {
        ...head,
        bids: changed(book.bids, message.bids, (one, other) => other - one),
        asks: changed(book.asks, message.asks, (one, other) => one - other),
    };
}
/** A side with some levels replaced; one of size 0 is gone. */
function changed(side, levels, order) {
    const sizes = new Map(side);
    for (const [price, size] of levels) {
        if (size)
            sizes.set(price, size);
        else
            sizes.delete(price);
    }
    return [...sizes].sort(([one], [other]) => order(one, other));
}
