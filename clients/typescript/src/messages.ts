// What the server says, as types. Made by generate.py from the server's own; do not edit.
// A server that is newer may say more. Prices and sizes are strings with the digits of the tick.

export type Channel = "price" | "quote" | "trades" | "depth" | "movers" | "bars";
export type State = "live" | "quiet" | "unconfirmed" | "halted" | "paused" | "stale" | "closed";
/** A price of a book, and the size of all orders at it. */
export type Level = [price: string, size: string];

/** The limits of one connection. */
export interface Limits {
  symbols: number;
  message: number;
  outbound: number;
  commands_per_second: number;
  commands_burst: number;
  max_rate: number;
  slow_timeout: number;
}

/** A symbol that was not taken. */
export interface Rejected {
  symbol: string;
  code: number;
}

/** A symbol in a list. `base` is the previous close, else the day's open. */
export interface Mover {
  symbol: string;
  price: string;
  base?: string;
  change?: string;
  change_percent?: string;
  volume: string;
  trades: number;
  timestamp: string;
}

/** A symbol's newest price: the first message of a subscription, and after a reconnect. */
export interface Snapshot {
  type: "snapshot";
  symbol: string;
  price: string | null;
  timestamp: string;
  seq?: number;
  channel?: "quote" | "trades";
  size?: string;
  venue?: string;
  volume?: string;
  trades?: number;
  bid?: string;
  bid_size?: string;
  ask?: string;
  ask_size?: string;
  open?: string;
  high?: string;
  low?: string;
  previous_close?: string;
  official_close?: string;
  extended_price?: string;
  extended_timestamp?: string;
  trade_id?: string;
}

/** A newer price, or the valid price after a broken trade; on `trades`, one trade. */
export interface Update {
  type: "update";
  symbol: string;
  price: string | null;
  timestamp: string;
  seq?: number;
  channel?: "quote" | "trades";
  size?: string;
  venue?: string;
  volume?: string;
  trades?: number;
  bid?: string;
  bid_size?: string;
  ask?: string;
  ask_size?: string;
  open?: string;
  high?: string;
  low?: string;
  previous_close?: string;
  official_close?: string;
  extended_price?: string;
  extended_timestamp?: string;
  trade_id?: string;
}

/** The first message of a connection. */
export interface Hello {
  type: "hello";
  protocol: string;
  epoch: number;
  limits: Limits;
  heartbeat: number;
  auth: boolean;
  connection?: number;
}

/** Answer to subscribe: the symbols taken, and those rejected. */
export interface Subscribed {
  type: "subscribed";
  id?: string | number;
  symbols: string[];
  rejected: Rejected[];
  channel?: "bars" | "depth" | "movers" | "price" | "quote" | "trades";
  interval?: "1d" | "1h" | "1m" | "1s" | "5m";
  venue?: string;
  levels?: number;
  limit?: number;
}

/** Answer to unsubscribe. */
export interface Unsubscribed {
  type: "unsubscribed";
  id?: string | number;
  symbols: string[];
  rejected: Rejected[];
  channel?: "bars" | "depth" | "movers" | "price" | "quote" | "trades";
  interval?: "1d" | "1h" | "1m" | "1s" | "5m";
  venue?: string;
}

/** Answer to reconnect. */
export interface Recovered {
  type: "recovered";
  id?: string | number;
  symbols: string[];
  rejected: Rejected[];
  channel?: "bars" | "depth" | "movers" | "price" | "quote" | "trades";
  interval?: "1d" | "1h" | "1m" | "1s" | "5m";
  venue?: string;
  levels?: number;
  limit?: number;
}

/** Answer to configure: the settings that are valid from now on. */
export interface Configured {
  type: "configured";
  id?: string | number;
  max_rate: number;
  batch: boolean;
  pace: "immediate" | "saver" | "steady";
}

/** A symbol, a feed or a market has changed its state. */
export interface Status {
  type: "status";
  symbol?: string;
  feed?: string;
  market?: string;
  state: "closed" | "halted" | "live" | "paused" | "quiet" | "stale" | "unconfirmed";
  phase?: string;
}

/** Trades, corrections and cancels that were skipped for this connection. */
export interface Lagged {
  type: "lagged";
  symbol?: string;
  skipped: number;
}

/** Sent when no other message was sent for a while. */
export interface Heartbeat {
  type: "heartbeat";
  timestamp: string;
}

/** Answer to ping. */
export interface Pong {
  type: "pong";
  id?: string | number;
}

/** The server is about to close; reconnect after `retry_after` seconds. */
export interface Goodbye {
  type: "goodbye";
  reason: "overload" | "restart" | "shutdown";
  retry_after: number;
}

/** A refused command; it changed nothing. */
export interface Error {
  type: "error";
  code: number;
  reason: string;
  message: string;
  id?: string | number;
  symbol?: string;
}

/** On `trades`: a venue corrected a trade. The new price and size replace the old ones. */
export interface Correction {
  type: "correction";
  symbol: string;
  price: string;
  timestamp: string;
  seq: number;
  channel: "trades";
  size: string;
  venue?: string;
  trade_id: string;
  new_trade_id?: string;
  eligible?: boolean;
}

/** On `trades`: a venue broke a trade. Price and size are those of the broken trade. */
export interface Cancel {
  type: "cancel";
  symbol: string;
  price: string;
  timestamp: string;
  seq: number;
  channel: "trades";
  size: string;
  venue?: string;
  trade_id: string;
}

/** On `bars`: a bar as it is now. A later message of the same `start` replaces it. */
export interface LiveBar {
  type: "bar";
  symbol: string;
  channel: "bars";
  interval: "1d" | "1h" | "1m" | "1s" | "5m";
  start: string;
  state: "final" | "forming" | "updated";
  open?: string;
  high?: string;
  low?: string;
  close?: string;
  volume: string;
  trades: number;
  vwap?: string;
  timestamp: string;
  revision: number;
  exact: boolean;
  complete: boolean;
}

/** On `depth`: a symbol's whole book, best levels first. It replaces what the client has. */
export interface Depth {
  type: "depth";
  symbol: string;
  timestamp: string;
  seq: number;
  levels: number;
  venue?: string;
  bids: Level[];
  asks: Level[];
}

/** On `depth`: the levels that changed, each with its new size; size 0 removes it. */
export interface Delta {
  type: "delta";
  symbol: string;
  timestamp: string;
  seq: number;
  previous_seq: number;
  venue?: string;
  bids: Level[];
  asks: Level[];
}

/** On `movers`: the symbols that gain and lose most in percent, and those of most volume. */
export interface Movers {
  type: "movers";
  timestamp: string;
  limit: number;
  gainers: Mover[];
  losers: Mover[];
  most_active: Mover[];
}

/** All figures of a symbol; null: the figure is unknown, or the token has no right to it. */
export interface PriceObject {
  symbol: string;
  price: string | null;
  currency: string;
  exchange_timestamp: string;
  server_timestamp: string | null;
  size: string | null;
  venue: string | null;
  volume: string | null;
  trades: number | null;
  open: string | null;
  high: string | null;
  low: string | null;
  official_close: string | null;
  previous_close: string | null;
  extended_price: string | null;
  extended_timestamp: string | null;
  bid: string | null;
  bid_size: string | null;
  bid_venue: string | null;
  ask: string | null;
  ask_size: string | null;
  ask_venue: string | null;
  seq: number;
  status: "closed" | "halted" | "live" | "paused" | "quiet" | "stale" | "unconfirmed";
  stale: boolean;
  trading_status: string;
}

/** Several prices at once. */
export interface Prices {
  prices: PriceObject[];
  unknown: string[];
  no_price_yet: string[];
  not_on_venue: string[];
}

/** A symbol's book: pairs of price and size, best first; `venue` is null over all venues. `timestamp` is the time of the newest change. */
export interface Book {
  symbol: string;
  venue: string | null;
  timestamp: string;
  seq: number;
  levels: number;
  bids: Level[];
  asks: Level[];
  status: "closed" | "halted" | "live" | "paused" | "quiet" | "stale" | "unconfirmed";
  stale: boolean;
}

/** The eligible trades of an interval. With interval 1d, `start` is the day of the venue, open and close are the official ones where there are any, and vwap and complete are null. `revision` counts the changes after the interval was over; `exact` is false where a trade was taken back that the prices may still have; `complete` is false where trades may be missing. */
export interface Bar {
  start: string;
  open: string | null;
  high: string | null;
  low: string | null;
  close: string | null;
  volume: string;
  trades: number;
  vwap: string | null;
  revision: number;
  exact: boolean;
  complete: boolean | null;
}

/** Bars of a symbol, oldest first; `next` is the `from` of those that follow, if any do: a time, or with interval 1d a day. */
export interface Bars {
  symbol: string;
  interval: string;
  bars: Bar[];
  next: string | null;
}

/** A symbol with its entry in the directory. */
export interface ListedSymbol {
  symbol: string;
  name?: string;
  venue?: string;
  currency?: string;
  tick_size?: string;
  test?: boolean;
}

/** Symbols whose ticker or name matches; `next` is the `after` of those that follow, if any do. */
export interface Symbols {
  symbols: ListedSymbol[];
  total: number;
  next: string | null;
}

export type AnyMessage = Snapshot | Update | Hello | Subscribed | Unsubscribed | Recovered | Configured | Status | Lagged | Heartbeat | Pong | Goodbye | Error | Correction | Cancel | LiveBar | Depth | Delta | Movers;

/** The fields that are exact decimals. */
export const EXACT: readonly string[] = ["ask", "ask_size", "base", "bid", "bid_size", "change", "change_percent", "close", "extended_price", "high", "low", "official_close", "open", "previous_close", "price", "size", "tick_size", "volume", "vwap"];
