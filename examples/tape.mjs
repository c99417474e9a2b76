// Every trade, and what is corrected or cancelled: node tape.mjs AAPL
import { connect } from "@ticker/client";

const { TICKER_URL = "http://localhost:8700", TICKER_TOKEN: token } = process.env;
const client = await connect(TICKER_URL, { token });
for await (const trade of client.trades(process.argv.slice(2))) {
  if (trade.type === "lagged") {
    console.log(`${trade.skipped} were skipped`);
    continue;
  }
  const { timestamp, symbol, price, size, type } = trade;
  const what = type === "correction" || type === "cancel" ? ` ${type} of ${trade.trade_id}` : "";
  console.log(`${timestamp.slice(11, 23)} ${symbol} ${price} x ${size ?? "?"}${what}`);
}
