// What the server says, as types. Made by generate.py from the server's own; do not edit.
// A server that is newer may say more. Prices and sizes are strings with the digits of the tick.
/** The fields that are exact decimals. */
export const EXACT = ["ask", "ask_size", "base", "bid", "bid_size", "change", "change_percent", "close", "extended_price", "high", "low", "official_close", "open", "previous_close", "price", "size", "tick_size", "volume", "vwap"];
