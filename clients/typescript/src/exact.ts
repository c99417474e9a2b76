// JSON with its prices and sizes as strings, so that no digit of them is lost in a float.

import { EXACT } from "./messages.js";

// A quote inside of a JSON string is escaped, so this meets keys only (RFC 8259, section 7).
const NUMBERS = new RegExp(`"(${EXACT.join("|")})":\\s*(-?[0-9][0-9.eE+-]*)`, "g");

// The levels of a book, which are pairs.
const LEVELS = /"(bids|asks)":\s*\[((?:\s*\[[^[\]"]*\]\s*,?)*)\s*\]/g;
const NUMBER = /-?[0-9][0-9.eE+-]*/g;

/** The value of a JSON text of the server. */
export function parse(text: string): unknown {
  const exact = text.replace(NUMBERS, '"$1":"$2"');
  return JSON.parse(
    exact.replace(LEVELS, (_, side: string, pairs: string) => {
      return `"${side}":[${pairs.replace(NUMBER, '"$&"')}]`;
    }),
  );
}
