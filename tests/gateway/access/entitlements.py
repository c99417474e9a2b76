"""The table of rights. test_entitlements.py asks a real gateway for every cell, and
docs/security.md is made from it.

A cell is "yes"; "no" if the item is left out of the answer; or the code of the refusal: an HTTP
status, an `error` of the stream, or the close code of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ticker.gateway.rest import page

KINDS = {
    # column: what the client has shown
    "none": "no token, where one is needed",
    "wrong": "a token that is unknown or has expired",
    "free": "no token, where none is needed",
    "full": "a token without bounds, with `wildcard = true`",
    "price": '`channels = ["price"]`',
    "quote": '`channels = ["quote"]`',
    "trades": '`channels = ["trades"]`',
    "bars": '`channels = ["bars"]`',
    "depth": '`channels = ["depth"]`',
    "some": '`symbols = ["A*"]`',
    "metrics": "`metrics = true`",
}
ASKED = ("none", "wrong")  # the kinds that see nothing which is asked for


@dataclass(frozen=True)
class Row:
    """One thing that a client may want. `paths`, `commands`, `messages` and `channels` are those
    that it covers."""

    what: str
    probe: str
    argument: str = ""
    cells: dict[str, str] = field(default_factory=dict)  # those that are not `otherwise`
    otherwise: str = "yes"
    paths: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    def cell(self, kind: str) -> str:
        return self.cells.get(kind, self.otherwise)


ONE_CHANNEL = ("price", "quote", "trades", "bars", "depth")
REFUSED = dict.fromkeys(ASKED, "401")
ON_STREAM = {"none": "401", "wrong": "4402"}
OF_QUOTE = (
    "`volume`, `trades`, `open`, `high`, `low`, `official_close`, `previous_close`, "
    "those of extended hours, bid and ask"
)
FILES = tuple(page.FILES)
DOCUMENTS = ("/openapi.json", "/asyncapi.json", "/ticker_v1.proto")
DIALECTS = (
    *(f"/alpaca/v2/{feed}" for feed in ("sip", "iex", "delayed_sip", "test")),
    "/polygon/stocks",
)
HEALTH = ("/healthz", "/readyz")

TABLE = (
    Row("the watch page", "get", paths=FILES),
    Row("`/openapi.json`, `/asyncapi.json`, `/ticker_v1.proto`", "get", paths=DOCUMENTS),
    Row("`/healthz`, `/readyz`", "get", paths=HEALTH),
    Row(
        "`/metrics`",
        "get",
        cells={**REFUSED, "free": "yes", "metrics": "yes"},
        otherwise="403",
        paths=("/metrics",),
    ),
    Row("`/status`, `/gaps`", "get", cells=REFUSED, paths=("/status", "/gaps")),
    Row("its rejected trades of `MSFT`", "rejects", "MSFT", {**REFUSED, "some": "no"}),
    Row("`/symbols`: `AAPL`", "listed", "AAPL", REFUSED, paths=("/symbols",)),
    Row("`/symbols`: `MSFT`", "listed", "MSFT", {**REFUSED, "some": "no"}),
    Row(
        "`/prices/AAPL`: `price`, `currency`, `seq`, times, states",
        "field",
        "symbol,price,currency,exchange_timestamp,server_timestamp,seq,status,stale,trading_status",
        REFUSED,
    ),
    Row(
        "`/prices/AAPL`: `size`, `venue`",
        "field",
        "size,venue",
        {**REFUSED, "price": "no", "bars": "no", "depth": "no"},
        paths=("/prices/{symbol}",),
    ),
    Row(
        f"`/prices/AAPL`: {OF_QUOTE}",
        "field",
        "volume,trades,open,high,low,official_close,previous_close,extended_price,"
        "extended_timestamp,bid,bid_size,bid_venue,ask,ask_size,ask_venue",
        {**REFUSED, "price": "no", "trades": "no", "bars": "no", "depth": "no"},
    ),
    Row("`/prices/MSFT`", "price", "MSFT", {**REFUSED, "some": "404"}),
    Row(
        "`/prices?symbols=`: `MSFT`",
        "prices",
        "MSFT",
        {**REFUSED, "some": "no"},
        paths=("/prices",),
    ),
    Row(
        "`/bars/AAPL`",
        "get_bars",
        "AAPL",
        {**REFUSED, "price": "403", "depth": "403"},
        paths=("/bars/{symbol}", "/bars"),
    ),
    Row(
        "`/lineage/AAPL`",
        "get_lineage",
        "AAPL",
        {**REFUSED, "price": "403", "quote": "403", "bars": "403", "depth": "403"},
        paths=("/lineage/{symbol}",),
    ),
    Row(
        "`/lineage/MSFT`",
        "get_lineage",
        "MSFT",
        {**REFUSED, "price": "403", "quote": "403", "bars": "403", "depth": "403", "some": "404"},
    ),
    Row(
        "`/movers`: `AAPL`",
        "moves",
        "AAPL",
        {**REFUSED, "price": "403", "trades": "403", "bars": "403", "depth": "403"},
        paths=("/movers",),
    ),
    Row(
        "`/movers`: `MSFT`",
        "moves",
        "MSFT",
        {**REFUSED, "price": "403", "trades": "403", "bars": "403", "depth": "403", "some": "no"},
    ),
    Row(
        "`/trades/AAPL`",
        "get_trades",
        "AAPL",
        {**REFUSED, "price": "403", "quote": "403", "bars": "403", "depth": "403"},
        paths=("/trades/{symbol}",),
    ),
    Row(
        "`/trades/MSFT`",
        "get_trades",
        "MSFT",
        {**REFUSED, "price": "403", "quote": "403", "bars": "403", "depth": "403", "some": "404"},
    ),
    Row(
        "`/depth/AAPL`",
        "get_depth",
        "AAPL",
        {**REFUSED, **dict.fromkeys(("price", "quote", "trades", "bars"), "403")},
        paths=("/depth/{symbol}",),
    ),
    Row(
        "`/depth/MSFT`",
        "get_depth",
        "MSFT",
        {**REFUSED, **dict.fromkeys(("price", "quote", "trades", "bars"), "403"), "some": "404"},
    ),
    Row("`/stream`: it opens", "opens", cells={"wrong": "4402"}, paths=("/stream",)),
    Row(
        "`/stream?symbols=AAPL` as events: prices",
        "events",
        "AAPL",
        {**REFUSED, "quote": "403", "trades": "403", "bars": "403", "depth": "403"},
    ),
    Row(
        "`/stream?symbols=MSFT` as events: prices",
        "events",
        "MSFT",
        {**REFUSED, "quote": "403", "trades": "403", "bars": "403", "depth": "403", "some": "460"},
    ),
    Row("`hello`", "hears", "hello", {"wrong": "no"}, messages=("hello",)),
    Row("`heartbeat`", "hears", "heartbeat", {"wrong": "4402"}, messages=("heartbeat",)),
    Row(
        "`ping`: `pong`",
        "asks",
        "ping",
        {"wrong": "4402"},
        commands=("ping",),
        messages=("pong",),
    ),
    Row("`auth` with a right token", "enters", commands=("auth",), cells={"wrong": "4402"}),
    Row(
        "`configure`: `configured`",
        "asks",
        "configure",
        ON_STREAM,
        commands=("configure",),
        messages=("configured", "error"),
    ),
    Row(
        "`status` of feeds and markets",
        "feed",
        cells={"none": "no", "wrong": "4402"},
        messages=("status",),
    ),
    Row(
        "`subscribe`, `reconnect` on `price`: prices and states",
        "subscribes",
        "price",
        {**ON_STREAM, "quote": "401", "trades": "401", "bars": "401", "depth": "401"},
        commands=("subscribe", "reconnect"),
        messages=("subscribed", "recovered", "snapshot", "update"),
        channels=("price",),
    ),
    Row(
        "`subscribe`, `reconnect` on `quote`: quotes",
        "subscribes",
        "quote",
        {**ON_STREAM, "price": "401", "trades": "401", "bars": "401", "depth": "401"},
        channels=("quote",),
    ),
    Row(
        "`subscribe`, `reconnect` on `trades`: every trade, `correction`, `cancel`, `lagged`",
        "subscribes",
        "trades",
        {**ON_STREAM, "price": "401", "quote": "401", "bars": "401", "depth": "401"},
        messages=("lagged", "correction", "cancel"),
        channels=("trades",),
    ),
    Row(
        "`subscribe`, `reconnect` on `bars`: `bar`, `lagged`",
        "watches_bars",
        "bars",
        {**ON_STREAM, "price": "401", "quote": "401", "trades": "401", "depth": "401"},
        messages=("bar",),
        channels=("bars",),
    ),
    Row(
        "`subscribe` to `*`",
        "takes_all",
        "*",
        {
            **ON_STREAM,
            **dict.fromkeys(("price", "quote", "trades", "bars", "some", "metrics"), "401"),
            "depth": "400",
        },
    ),
    Row(
        "`subscribe`, `reconnect` on `depth`: books",
        "subscribes",
        "depth",
        {**ON_STREAM, "price": "401", "quote": "401", "trades": "401", "bars": "401"},
        messages=("depth", "delta"),
        channels=("depth",),
    ),
    Row(
        "`subscribe` on `movers`: lists with `AAPL`",
        "watches_movers",
        "AAPL",
        {**ON_STREAM, **dict.fromkeys(ONE_CHANNEL, "401")},
        messages=("movers",),
        channels=("movers",),
    ),
    Row(
        "`subscribe` on `movers`: lists with `MSFT`",
        "watches_movers",
        "MSFT",
        {**ON_STREAM, **dict.fromkeys(ONE_CHANNEL, "401"), "some": "no"},
    ),
    Row(
        "`subscribe` to `MSFT`",
        "other",
        "MSFT",
        {**ON_STREAM, "some": "460"},
    ),
    Row(
        "`unsubscribe`: `unsubscribed`",
        "leaves",
        cells=ON_STREAM,
        commands=("unsubscribe",),
        messages=("unsubscribed",),
    ),
    Row(
        "`/alpaca/v2/{feed}`, `/polygon/stocks`: trades, corrections, cancels",
        "speaks",
        "trades",
        {**ON_STREAM, "price": "409", "quote": "409", "bars": "409", "depth": "409"},
        paths=DIALECTS,
    ),
    Row(
        "`/alpaca/v2/{feed}`, `/polygon/stocks`: quotes",
        "speaks",
        "quotes",
        {**ON_STREAM, "price": "409", "trades": "409", "bars": "409", "depth": "409"},
    ),
    Row(
        "`/alpaca/v2/{feed}`, `/polygon/stocks`: bars",
        "speaks",
        "bars",
        {**ON_STREAM, "price": "409", "quote": "409", "trades": "409", "depth": "409"},
    ),
    Row(
        "`/alpaca/v2/{feed}`: trading statuses",
        "speaks",
        "statuses",
        ON_STREAM,
    ),
    Row(
        "`goodbye`, at the server's end",
        "goodbye",
        cells={"wrong": "no"},
        messages=("goodbye",),
    ),
)


def table() -> str:
    """The table in Markdown, as docs/security.md has it."""
    heads = " | ".join(KINDS)
    lines = [f"| | {heads} |", f"| --- |{' --- |' * len(KINDS)}"]
    for row in TABLE:
        cells = " | ".join(row.cell(kind) for kind in KINDS)
        lines.append(f"| {row.what} | {cells} |")
    shown = [f"- **{kind}**: {words}" for kind, words in KINDS.items()]
    return "\n".join([*shown, "", *lines, ""])
