"""Configurations to start from: one feed of a known kind, and the access settings.

In: answers of a person, or options of a command. Out: the text of a ticker.toml. Secrets are
named by their environment variables and never written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Vendor:
    """A vendor whose JSON a shipped mapping reads.

    Attributes:
        url: of its stream; `${key}` is a credential.
        venue: the venue of trades whose record has none; XOFF: an exchange without hours.
        credentials: name in the mapping or url -> environment variable.
        symbols: the default symbols.
        more: further keys of the feed.
    """

    title: str
    url: str
    venue: str
    credentials: dict[str, str]
    symbols: tuple[str, ...] = ("AAPL", "MSFT")
    more: str = ""


AROUND_THE_CLOCK = 'calendar = "none"           # it trades around the clock\n'
VENDORS = {
    "alpaca": Vendor(
        "Alpaca, US stocks",
        "wss://stream.data.alpaca.markets/v2/iex",
        "IEXG",
        {"key": "ALPACA_KEY", "secret": "ALPACA_SECRET"},
        more="# the free plan's stream; with a subscription to all exchanges: .../v2/sip\n",
    ),
    "polygon": Vendor(
        "Polygon, US stocks", "wss://socket.polygon.io/stocks", "XNAS", {"key": "POLYGON_KEY"}
    ),
    "finnhub": Vendor(
        "Finnhub, US stocks", "wss://ws.finnhub.io?token=${key}", "XNAS", {"key": "FINNHUB_KEY"}
    ),
    "coinbase": Vendor(
        "Coinbase, cryptocurrencies",
        "wss://advanced-trade-ws.coinbase.com",
        "XOFF",
        {},
        ("BTC-USD", "ETH-USD"),
        AROUND_THE_CLOCK,
    ),
    "kraken": Vendor(
        "Kraken, cryptocurrencies",
        "wss://ws.kraken.com/v2",
        "XOFF",
        {},
        ("BTC/USD", "ETH/USD"),
        AROUND_THE_CLOCK,
    ),
    "binance": Vendor(
        "Binance, cryptocurrencies",
        "wss://stream.binance.com:9443/ws",
        "XOFF",
        {},
        ("BTCUSDT", "ETHUSDT"),
        AROUND_THE_CLOCK,
    ),
}
SIMULATED = """
[[feeds]]
name = "sim"
protocol = "itch50"
venue = "XNAS"
lines = ["239.192.0.1:26477", "239.192.0.2:26477"]   # A and B
rerequest = "127.0.0.1:26479"
source = ["127.0.0.1"]

[feeds.simulator]           # the server starts this exchange itself
symbols = 200
rate = 2000                 # messages per second
"""


@dataclass(frozen=True)
class Access:
    """The access settings: the port; behind a proxy, the address for clients and the proxy's
    own."""

    port: int = 8700
    public_url: str | None = None
    proxy: str | None = None


def server_text(access: Access) -> str:
    """The tables [server] and [access]."""
    text = "# `ticker check --config FILE` says what is wrong with this file.\n\n[server]\n"
    text += f'host = "127.0.0.1"\nport = {access.port}\n'
    if access.public_url is None:
        return text
    text += f"\n[access]\npublic_url = {_quoted(access.public_url)}   # what clients use\n"
    return text + f"proxies = [{_quoted(access.proxy or '127.0.0.1')}]   # who is believed\n"


def vendor_text(name: str, symbols: Sequence[str] = ()) -> str:
    """The feed of a vendor."""
    vendor = VENDORS[name]
    text = f'\n[[feeds]]\nname = "{name}"\nprotocol = "json"\nmapping = "{name}"\n'
    text += f"url = {_quoted(vendor.url)}\nvenue = {_quoted(vendor.venue)}\n"
    text += f"symbols = {_listed(symbols or vendor.symbols)}\n"
    if vendor.credentials:
        pairs = ", ".join(f'{key} = "${where}"' for key, where in vendor.credentials.items())
        text += f"credentials = {{ {pairs} }}   # from the environment\n"
    return text + vendor.more


def itch_text(lines: Sequence[str], interface: str, rerequest: str | None = None) -> str:
    """A Nasdaq ITCH 5.0 feed over MoldUDP64: its A line, or A and B."""
    text = '\n[[feeds]]\nname = "itch"\nprotocol = "itch50"\nvenue = "XNAS"\n'
    text += f"lines = {_listed(lines)}   # A and B\n"
    text += f"interface = {_quoted(interface)}   # where the multicast comes in\n"
    if rerequest is None:
        return text + '# rerequest = "host:port"   # who sends lost packets again\n'
    return text + f"rerequest = {_quoted(rerequest)}\n"


def variables_of(vendors: Sequence[str]) -> list[str]:
    """The environment variables that these vendors' credentials are in."""
    return [where for name in vendors for where in VENDORS[name].credentials.values()]


def _listed(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, values))}]"


def _quoted(text: str) -> str:
    """A basic string of TOML; its escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
