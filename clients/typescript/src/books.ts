// The books of a connection: each delta applied to the book that it goes on from.

import type { Delta, Depth, Level } from "./messages.js";

interface Sides {
  whole: Depth;
  bids: Map<string, Level>;
  asks: Map<string, Level>;
}

/** By venue and symbol. */
export class Books {
  readonly #books = new Map<string, Sides | null>();

  /** A whole book, which replaces what there is. */
  put(message: Depth): Depth {
    const { bids, asks } = message;
    this.#books.set(keyOf(message), { whole: message, bids: byPrice(bids), asks: byPrice(asks) });
    return message;
  }

  /** The whole book with a delta in it; null: it goes on from another one, and the book is no longer
   * known. */
  apply(delta: Delta): Depth | null {
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
  waits(delta: Delta): boolean {
    return this.#books.get(keyOf(delta)) === null;
  }

  /** Nobody watches it any more. */
  forget(venue: string | undefined, symbol: string): void {
    this.#books.delete(keyOf({ venue, symbol }));
  }

  /** The connection is a new one. */
  clear(): void {
    this.#books.clear();
  }
}

function keyOf({ venue, symbol }: { venue?: string; symbol: string }): string {
  return `${venue ?? ""} ${symbol}`;
}

function byPrice(levels: Level[]): Map<string, Level> {
  return new Map(levels.map((level) => [level[0], level]));
}

function change(side: Map<string, Level>, levels: Level[]): void {
  for (const level of levels) {
    if (Number(level[1])) side.set(level[0], level);
    else side.delete(level[0]);
  }
}

/** The order of two decimals, by all of their digits: a number of JavaScript would lose some. */
export function compare(one: string, other: string): number {
  const [a, b] = [units(one), units(other)];
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A price in 1e-9, the most decimals that there are. */
function units(price: string): bigint {
  const [whole = "", part = ""] = price.split(".");
  return BigInt(whole + part.padEnd(9, "0"));
}
