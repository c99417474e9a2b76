// Where the price of a symbol came from: feed, line, message and the times on its way.

import * as format from "../format.js";

export class LineageView {
  #part;
  #note;
  #rest;
  #symbol = null;

  constructor(part, rest) {
    this.#part = part.querySelector("dl");
    this.#note = part.querySelector("[role=status]");
    this.#rest = rest;
  }

  async show(symbol) {
    this.#symbol = symbol;
    try {
      const { prices } = await this.#rest.ask(`lineage/${encodeURIComponent(symbol)}`);
      if (symbol !== this.#symbol) return;
      this.#part.replaceChildren(...prices.flatMap(origin));
      this.#note.textContent = prices.length ? "" : "No feed has a price of it yet.";
    } catch {
      if (symbol === this.#symbol) this.#note.textContent = "Its origin did not come.";
    }
  }

  refresh() {
    if (this.#symbol) this.show(this.#symbol);
  }

  clear() {
    this.#symbol = null;
    this.#part.replaceChildren();
    this.#note.textContent = "";
  }
}

/** The terms of one venue's price; nothing is written that the server does not say. */
function origin(price) {
  const { feed, venue, line, session, channel, sequence, verdict, stale, trade, refused } = price;
  const message = [
    line && `line ${line}`, session && `session ${session}`,
    channel !== null && `channel ${channel}`, sequence !== null && `message ${sequence}`,
  ].filter(Boolean).join(", ");
  const last = refused.at(0);
  const terms = [
    ["Price", `${price.price}${stale ? ", stale" : ""}, ${verdict}`],
    ["Feed", `${feed} · ${venue}`],
    ["Message", message],
    ["Exchange", at(price.exchange_timestamp)],
    ["Received", since(price.exchange_timestamp, price.receive_timestamp)],
    ["Published", since(price.receive_timestamp, price.publish_timestamp)],
    ["Trade", trade && [`no. ${trade.trade ?? "–"}`, ...trade.conditions].join(", ")],
    ["Refused", last && `${last.rule}: ${last.reason ?? ""}`],
  ];
  return terms.filter(([, text]) => text).flatMap(([name, text]) => [
    made("dt", name), made("dd", text),
  ]);
}

function made(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function at(time) {
  return time && `${format.clock(time, true)}${time.slice(19).replace("Z", "")}`;
}

/** How long after one time another was. */
function since(before, time) {
  if (!before || !time) return "";
  const ms = Date.parse(time) - Date.parse(before);
  const below = (micros(time) - micros(before)) / 1e6;      // s, of what Date leaves out
  return `${format.duration(Math.max(0, ms / 1000 + below))} later`;
}

/** The digits of a time behind its ms, in µs. */
function micros(time) {
  return Number((time.match(/\.\d{3}(\d{1,3})/)?.[1] ?? "0").padEnd(3, "0"));
}
