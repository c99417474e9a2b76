// Prices from a ticker server: see README.md.

export { Client, connect } from "./client.js";
export type { Options, Price, SocketLike, Trade } from "./client.js";
export { Dialogue } from "./dialogue.js";
export type { Received, Refusal } from "./dialogue.js";
export {
  AuthError, NoServerError, RefusedError, RequestError, TickerError, UnknownSymbolError,
} from "./errors.js";
export type * from "./messages.js";
export { Rest } from "./rest.js";
export type { BarsOptions } from "./rest.js";
export type { Event, Topic } from "./topic.js";
export { Watch } from "./watch.js";
