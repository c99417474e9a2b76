// The state of the server and its feeds, in the foot; a feed that is not live, above it.

import * as format from "./format.js";
import { motion } from "./motion.js";

const EVERY = 5_000;              // ms

export class Box {
  #ask;
  #connection;

  constructor(ask, connection) {
    this.#ask = ask;
    this.#connection = connection;
    setInterval(() => document.hidden || motion.stopped || this.refresh(), EVERY);
  }

  async refresh() {
    try {
      this.#draw(await this.#ask("status"));
    } catch { /* the connection's state tells it already */ }
  }

  #draw({ version, feeds, symbols }) {
    const parts = feeds.map(({ name, state, lag }) =>
      `${name} ${state}${lag === null ? "" : `, ${format.duration(lag)} behind the exchange`}`);
    document.getElementById("box").textContent =
      [...parts, `${format.count(symbols)} symbols`, `ticker ${version}`].join("  ·  ");
    const bad = feeds.filter(({ state }) => state !== "live");
    const said = bad.map(({ name, state }) => `Feed ${name} is ${state}.`).join(" ");
    this.#connection.feeds = said && `${said} Its prices are the last ones known.`;
  }
}
