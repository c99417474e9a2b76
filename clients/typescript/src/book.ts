// A symbol's book on the channel `depth`: a whole one, and then what has changed of it.

import type { Delta, Depth } from "./messages.js";

/** A price, and the size of all orders at it. */
export type Level = [price: number, size: number];

/** The first levels of a symbol's book, the best one first. A change makes another one. */
export interface Book {
  readonly type: "book";
  readonly channel: "depth";
  readonly symbol: string;
  readonly timestamp: string;
  readonly seq: number;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
}

/** The book after a message; null where a message before this one is missing. */
export function applied(book: Book | undefined, message: Depth | Delta): Book | null {
  const { symbol, timestamp, seq } = message;
  const head = { type: "book", channel: "depth", symbol, timestamp, seq } as const;
  if (message.type === "depth") return { ...head, bids: message.bids, asks: message.asks };
  if (message.previous_seq !== book?.seq) return null;
  return {
    ...head,
    bids: changed(book.bids, message.bids, (one, other) => other - one),
    asks: changed(book.asks, message.asks, (one, other) => one - other),
  };
}

/** A side with some levels replaced; one of size 0 is gone. */
function changed(
  side: readonly Level[], levels: readonly Level[], order: (one: number, other: number) => number,
): Level[] {
  const sizes = new Map(side);
  for (const [price, size] of levels) {
    if (size) sizes.set(price, size);
    else sizes.delete(price);
  }
  return [...sizes].sort(([one], [other]) => order(one, other));
}
