// Which symbols the page shows: the link says it, or this browser remembers, or the well-known ones.

const STORED = "ticker.symbols";
const WELL_KNOWN = [
  "AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "AVGO", "JPM", "LLY",
];

/** What the link or this browser says; null: neither does. */
export function chosen() {
  const link = new URLSearchParams(location.search).get("symbols");
  if (link !== null) return parse(link);
  try {
    const stored = localStorage.getItem(STORED);
    return stored === null ? null : parse(stored);
  } catch {
    return null;                  // storage is switched off
  }
}

function parse(text) {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))];
}

/** For the next visit, and in the address of this one. */
export function remember(symbols) {
  const list = [...symbols];
  try {
    localStorage.setItem(STORED, list.join(","));
  } catch { /* storage is switched off: the link still has it */ }
  history.replaceState(null, "", link(list));
}

/** The address that shows these symbols. */
export function link(symbols) {
  const url = new URL(location.href);
  url.search = `?symbols=${[...symbols].map(encodeURIComponent).join(",")}`;
  url.hash = "";
  return url.href;
}

/** The well-known symbols that this server has, filled up with others. */
export async function defaults(ask) {
  try {
    const known = await ask(`prices?symbols=${WELL_KNOWN.join(",")}`);
    const here = WELL_KNOWN.filter((symbol) => !known.unknown.includes(symbol));
    if (here.length === WELL_KNOWN.length) return here;
    const { symbols } = await ask(`symbols?limit=${WELL_KNOWN.length}`);
    const more = symbols.map(({ symbol }) => symbol).filter((symbol) => !here.includes(symbol));
    const list = [...here, ...more].slice(0, WELL_KNOWN.length);
    return list.length ? list : WELL_KNOWN;
  } catch {
    return WELL_KNOWN;
  }
}
