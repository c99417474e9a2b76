// Prices from a ticker server: see README.md.
export { Client, connect } from "./client.js";
export { Dialogue } from "./dialogue.js";
export { AuthError, NoServerError, RefusedError, RequestError, TickerError, UnknownSymbolError, } from "./errors.js";
export { Rest } from "./rest.js";
export { Watch } from "./watch.js";
