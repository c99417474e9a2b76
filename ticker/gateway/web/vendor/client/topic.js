// What can be subscribed: a channel, and what a channel has besides.
/** Topics with one name share what the server sends. */
export function nameOf({ channel, interval, venue }) {
    return [channel, interval, venue].filter(Boolean).join(" ");
}
/** Its fields of a command; those of an `unsubscribe` do not have its lengths. */
export function wordsOf(topic, gone = false) {
    const { channel, interval, levels, venue, limit } = topic;
    return gone ? { channel, interval, venue } : { channel, interval, levels, venue, limit };
}
export function sameTopic(one, other) {
    return JSON.stringify(wordsOf(one)) === JSON.stringify(wordsOf(other));
}
/** The name of the topic that a message is of; a `lagged` is of trades, or of bars. */
export function nameIn(message) {
    if (message.type === "depth")
        return nameOf({ channel: "depth", venue: message.venue });
    if (message.type === "bar")
        return nameOf({ channel: "bars", interval: message.interval });
    if (message.type === "movers" || message.type === "status")
        return message.type;
    return message.type === "lagged" ? "trades" : (message.channel ?? "price");
}
/** The symbol that a message is of; empty: of none. */
export function symbolIn(message) {
    return ("symbol" in message && message.symbol) || "";
}
export const ALL = "*";
/** Whether a name stands for several symbols: `*` for all, `@tech` for a watchlist of the server. */
export function isGroup(name) {
    return name === ALL || name.startsWith("@");
}
/** The names as commands have them: symbols together, each group by itself, so that the answer tells
 * which symbols it has. */
export function apart(names) {
    const all = [...names];
    const symbols = all.filter((name) => !isGroup(name));
    return [...(symbols.length ? [symbols] : []), ...all.filter(isGroup).map((name) => [name])];
}
