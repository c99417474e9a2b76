"""Bars of a minute as they end or are corrected: python minute_bars.py AAPL MSFT"""

import asyncio
import os
import sys

from ticker_client import Client, Lagged


async def main() -> None:
    url = os.environ.get("TICKER_URL", "http://localhost:8700")
    async with Client(url, os.environ.get("TICKER_TOKEN")) as client:
        async for bar in client.live_bars(*sys.argv[1:], interval="1m"):
            if isinstance(bar, Lagged) or bar.state == "forming":
                continue
            figures = f"{bar.open} {bar.high} {bar.low} {bar.close}  {bar.volume}"
            print(f"{bar.start:%H:%M} {bar.symbol:<6} {figures}  {bar.state}", flush=True)


asyncio.run(main())
