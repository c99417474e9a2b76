// What the stream of prices does not carry comes by REST, for many symbols in one question.

const AT_ONCE = 400;              // symbols in one question
const LINES_AT_ONCE = 50;
const MINUTES = 60;               // of a line

async function inLists(symbols, act, most = AT_ONCE) {
  for (let at = 0; at < symbols.length; at += most) {
    try {
      await act(symbols.slice(at, at + most).map(encodeURIComponent).join(","));
    } catch {
      return;                     // the connection's state tells it already
    }
  }
}

/** Quotes, volumes and states into the rows of a table. */
export function refreshDetails(ask, symbols, table) {
  return inLists(symbols, async (list) => {
    const { prices, no_price_yet: untraded } = await ask(`prices?symbols=${list}`);
    for (const price of prices) table.get(price.symbol)?.describe(price);
    for (const symbol of untraded) table.get(symbol)?.markUntraded();
  });
}

/** The last hour of each, where the server keeps a history and the token shows it. */
export async function recallLines(rest, symbols, table) {
  const { store } = await rest.ask("status").catch(() => ({}));
  if (!store || store.state === "off") return;
  await inLists(symbols, async (list) => {
    const { bars } = await rest.ask(`bars?symbols=${list}&limit=${MINUTES}`);
    for (const each of bars) table.get(each.symbol)?.recall(each.bars, rest.now());
  }, LINES_AT_ONCE);
}

/** The names of the companies. */
export function refreshNames(ask, symbols, table) {
  return inLists(symbols, async (list) => {
    const { symbols: listed } = await ask(`symbols?limit=${AT_ONCE}&symbols=${list}`);
    for (const each of listed) table.get(each.symbol)?.list(each);
  });
}
