"""A program that uses Alpaca's own package as its documentation shows it; only the URL is ours.

with_alpaca_py.py URL SECRET SYMBOL...
"""

import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from alpaca.data.live import StockDataStream

logging.basicConfig(level=logging.INFO, stream=sys.stderr)
url, secret, *symbols = sys.argv[1:]
stream = StockDataStream("key", secret, url_override=url)


def told(kind: str) -> Callable[[Any], Awaitable[None]]:
    async def tell(message: Any) -> None:
        print(kind, message.model_dump_json(), flush=True)

    return tell


stream.subscribe_trades(told("trade"), *symbols)
stream.subscribe_quotes(told("quote"), *symbols)
stream.subscribe_bars(told("bar"), *symbols)
stream.subscribe_updated_bars(told("updated"), *symbols)
stream.subscribe_trading_statuses(told("status"), *symbols)
stream.register_trade_cancels(told("cancel"))
stream.register_trade_corrections(told("correction"))
stream.run()
