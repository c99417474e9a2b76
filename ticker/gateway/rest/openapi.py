"""The machine-readable contract of REST: an OpenAPI 3.1 document.

Law: made from resources.py and problems.py, with every route, refusal and header that http.py has;
tests ask a live server and hold its answers to it. Source: spec.openapis.org/oas/v3.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from inspect import cleandoc

from ticker import __version__
from ticker.config import DepthConfig
from ticker.gateway.access.problems import KINDS
from ticker.gateway.protocol.documents import LICENCE, Json, components, kind_of
from ticker.gateway.rest.bars import INTERVALS, MAX_LIMIT
from ticker.gateway.rest.contract.operations import (
    ANY,
    ASKED,
    HEADERS,
    get_file,
    get_operation,
    header_of,
    query_parameter,
    refusal_of,
    symbol_parameter,
    symbols_parameter,
    venue_parameter,
)
from ticker.gateway.rest.contract.stream import stream
from ticker.gateway.rest.gaps import MOST_GAPS
from ticker.gateway.rest.movers import MAX_LIMIT as MOST_MOVERS
from ticker.gateway.rest.resources import (
    Alive,
    Bars,
    Book,
    Gaps,
    Lineage,
    MoversList,
    PriceObject,
    Prices,
    Problem,
    RecentTrades,
    ServerStatus,
    SeveralBars,
    Symbols,
)
from ticker.gateway.rest.trades import MAX_LIMIT as MOST_TRADES

MAX_SYMBOLS = 1024
MOST_CONNECTION = (1 << 53) - 1
"""The greatest number that JSON of every language keeps whole."""
RESOURCES = (
    PriceObject, Prices, Book, RecentTrades, MoversList, Bars, SeveralBars, Symbols, ServerStatus,
    Gaps, Lineage, Alive, Problem,
)  # fmt: skip
TAGS = {
    "prices": "current prices of symbols",
    "stream": "prices, books, trades and bars as they change",
    "history": "bars of the store",
    "server": "feeds, markets, gateways, and their health",
    "files": "the watch page and the machine-readable contracts",
}
MOMENT = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
        {"type": "integer", "minimum": 0, "maximum": 99_999_999_999},
    ]
}
"""A time, the midnight of a day in UTC, or s since the epoch."""


def openapi(
    *,
    tokens: bool = True,
    required: bool = False,
    max_symbols: int = MAX_SYMBOLS,
    levels: Sequence[int] = DepthConfig().levels,
) -> Json:
    """The OpenAPI document of a server. `tokens`: some are configured; `required`: every client
    needs one; `max_symbols`: the most symbols in a list; `levels`: those that its books have."""
    bearer: list[Json] = [{"bearer": []}]
    security = bearer if required else [{}, *bearer] if tokens else []
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ticker",
            "version": __version__,
            "license": LICENCE,
            "description": "Prices as JSON. Refusals are problems (RFC 9457); their `code` is "
            "stable. Other addresses answer 404, other methods than GET and HEAD 405. The messages "
            "of /stream are in /asyncapi.json.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": {
            **_tagged("prices", _prices(security, max_symbols, levels)),
            **_tagged("stream", stream(security, max_symbols, levels)),
            **_tagged("history", _bars(security, max_symbols)),
            **_tagged("server", _states(security)),
            **_tagged("files", _files()),
        },
        "components": {
            "schemas": components(RESOURCES, "#/components/schemas/{name}"),
            "headers": {name: header_of(name, False) for name in HEADERS},
            "responses": {"405": refusal_of(405, KINDS), "404": refusal_of(404, KINDS)},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _tagged(tag: str, paths: Json) -> Json:
    """The paths with a tag, and a name for each operation, like getPricesOfSymbol."""
    for path, item in paths.items():
        item["get"] |= {"operationId": operation_id(path), "tags": [tag]}
    return paths


def operation_id(path: str) -> str:
    """A name made from the words of an address, so it is as stable as the address."""
    words = re.sub(r"\{(\w+)\}", r"of \1", path.strip("/") or "page")
    return "get" + "".join(word.capitalize() for word in re.findall(r"[a-z0-9]+", words))


def _prices(security: list[Json], max_symbols: int, levels: Sequence[int]) -> Json:
    symbol, venue = symbol_parameter(), venue_parameter()
    wanted = query_parameter("q", {"type": "string", "maxLength": 64}, "part of a ticker or a name")
    limit = query_parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "most symbols"
    )
    deep = query_parameter("levels", {"enum": [*levels]}, "levels of each side; default 10")
    one, several = (
        [symbol, venue],
        [symbols_parameter("the symbols", max_symbols, required=True), venue],
    )
    after = query_parameter("after", {"type": "string"}, "the `next` of the page before")
    found = [wanted, limit, symbols_parameter("search only these", max_symbols), after]
    connection = query_parameter(
        "connection",
        {"type": "integer", "minimum": 1, "maximum": MOST_CONNECTION},
        "the `connection` of a stream's `hello`",
    )
    few = query_parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": MOST_MOVERS}, "of each kind"
    )
    most = query_parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST_TRADES},
        "most trades; default 50",
    )
    return {
        "/prices/{symbol}": get_operation("One price", "PriceObject", one, (*ASKED, 404), security),
        "/depth/{symbol}": get_operation(
            "A symbol's book", "Book", [*one, deep], (*ASKED, 404, 503), security
        ),
        "/lineage/{symbol}": get_operation(
            "Where a price came from", "Lineage", [symbol, connection], (*ASKED, 404), security
        ),
        "/trades/{symbol}": get_operation(
            "The newest trades", "RecentTrades", [symbol, most, venue], (*ASKED, 404), security
        ),
        "/prices": get_operation("Several prices", "Prices", several, ASKED, security),
        "/movers": get_operation(
            "Gainers, losers, most active", "MoversList", [few], ASKED, security
        ),
        "/symbols": get_operation("Symbols by ticker or name", "Symbols", found, ASKED, security),
    }


def _bars(security: list[Json], max_symbols: int) -> Json:
    interval = query_parameter("interval", {"enum": [*INTERVALS]}, "length of a bar; default 1m")
    limit = query_parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}, "most bars"
    )
    shared = [interval, limit, venue_parameter()]
    moments = [
        query_parameter(name, MOMENT, words)
        for name, words in (
            ("from", "the first bar starts at this time or later; default: the newest bars"),
            ("to", "the last bar starts before this time"),
        )
    ]
    one = [symbol_parameter(), *shared, *moments]
    several = [symbols_parameter("the symbols", max_symbols, required=True), *shared]
    refusals = (*ASKED, 404, 503)
    return {
        "/bars/{symbol}": get_operation("Bars of one symbol", "Bars", one, refusals, security),
        "/bars": get_operation(
            "Newest bars of several", "SeveralBars", several, refusals, security
        ),
    }


def _states(security: list[Json]) -> Json:
    metrics = get_operation("For Prometheus", "", [], ASKED, security)
    metrics["get"]["responses"]["200"]["content"] = {
        kind: {"schema": {"type": "string"}}
        for kind in ("text/plain", "application/openmetrics-text")
    }
    gaps = [
        query_parameter("feed", {"type": "string"}, "name of one feed; default: all"),
        query_parameter(
            "limit", {"type": "integer", "minimum": 0, "maximum": MOST_GAPS}, "most gaps of a feed"
        ),
    ]
    return {
        "/gaps": get_operation("Missed sequence numbers", "Gaps", gaps, ASKED, security),
        "/status": get_operation("Feeds, markets, gateways", "ServerStatus", [], ASKED, security),
        "/healthz": get_operation(
            "Whether it is alive; the header Load is the share of its busiest worker that is taken",
            "Alive",
            [],
            ANY,
            [],
        ),
        "/readyz": get_operation("Whether it may be used", "Alive", [], (*ANY, 503), []),
        "/metrics": metrics,
    }


def _files() -> Json:
    return {
        "/": get_file("The watch page", "text/html", {"type": "string"}),
        "/openapi.json": get_file("This document", "application/json", {"type": "object"}),
        "/asyncapi.json": get_file("The stream", "application/json", {"type": "object"}),
        "/ticker_v1.proto": get_file("The stream in Protobuf", "text/plain", {"type": "string"}),
    }


def reference() -> str:
    """The part of docs/rest.md that lists addresses and answers, in Markdown."""
    document = openapi()
    schemas = document["components"]["schemas"]
    lines: list[str] = []
    for path, item in document["paths"].items():
        operation = item["get"]
        lines += [f"### `GET {path}`", "", f"{operation['summary']}.", ""]
        if words := operation.get("description"):
            lines += [words, ""]
        if operation["parameters"]:
            lines += [
                "| parameter | in | type | needed | meaning |",
                "| --- | --- | --- | --- | --- |",
            ]
            lines += [_parameter_row(each) for each in operation["parameters"]]
            lines.append("")
        content = operation["responses"]["200"]["content"]
        answer = next(iter(content.values()))["schema"].get("$ref", "").rpartition("/")[2]
        said = (
            f"[{answer}](#{answer.lower()})"
            if answer
            else ", ".join(f"`{kind}`" for kind in content)
        )
        refusals = [status for status in operation["responses"] if int(status) >= 400]
        lines += [f"Answer: {said}. Refusals: {', '.join(refusals)}.", ""]
    lines += ["## Answers", ""]
    for name in sorted(schemas):
        if schemas[name].keys() & {"properties", "prefixItems"}:
            lines += _schema_section(name, schemas[name])
    lines += ["## Refusals", "", "| status | code | title |", "| --- | --- | --- |"]
    lines += [f"| {status} | `{code}` | {title} |" for status, code, title in KINDS]
    return "\n".join(lines) + "\n"


def _parameter_row(parameter: Json) -> str:
    needed = "yes" if parameter.get("required") else ""
    kind = kind_of(parameter["schema"])
    words = parameter.get("description", "")
    return f"| {parameter['name']} | {parameter['in']} | {kind} | {needed} | {words} |"


def _schema_section(name: str, schema: Json) -> list[str]:
    lines = [f"### {name}", ""]
    if words := schema.get("description"):
        lines += [cleandoc(words), ""]
    if "properties" not in schema:  # a pair, in the order that its words say
        return lines
    lines += ["| field | type |", "| --- | --- |"]
    lines += [f"| {field} | {_field_kind(one)} |" for field, one in schema["properties"].items()]
    return [*lines, ""]


def _field_kind(schema: Json) -> str:
    kind = re.sub(r"#/components/schemas/(\w+)", lambda found: _linked(found[1]), kind_of(schema))
    nullable = {"type": "null"} in schema.get("anyOf", ())
    return f"{kind}, or null" if nullable else kind


def _linked(name: str) -> str:
    return f"[{name}](#{name.lower()})"
