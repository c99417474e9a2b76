"""The machine-readable contract of REST: an OpenAPI 3.1 document.

Law: made from resources.py and problems.py, with every route, refusal and header that http.py has;
tests ask a live server and hold its answers to it. Source: spec.openapis.org/oas/v3.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from inspect import cleandoc
from typing import Any

from ticker import __version__
from ticker.config import DepthConfig
from ticker.gateway.access.headers import SECURITY_HEADERS
from ticker.gateway.access.problems import CONTENT_TYPE, KINDS
from ticker.gateway.protocol.documents import LICENCE, Json, components, kind_of
from ticker.gateway.rest.bars import INTERVALS, MAX_LIMIT
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
ANY = (400, 403, 413, 421, 429, 431, 500)  # refusals of every address
ASKED = (401, *ANY)  # and of those that need a token
# Codes that are no answer of a documented address: nothing is there, or only for other methods.
ELSEWHERE = {"not_found", "method_not_allowed", "upgrade_required", "too_many_connections", "busy"}
SAID_WITH = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}
HEADERS = {
    "Cache-Control": "`no-store` with prices and refusals, `no-cache` with files",
    "Retry-After": "seconds to wait",
    "WWW-Authenticate": "`Bearer`, with the fault of the token (RFC 6750)",
    "Allow": "the methods that this address has",
    "ETag": "a digest of the file, for If-None-Match",
    "Access-Control-Allow-Origin": "the page's origin, if it may use this server",
    "Access-Control-Expose-Headers": "the headers that such a page may read",
    "Vary": "`Origin` beside Access-Control-Allow-Origin",
    **dict.fromkeys(SECURITY_HEADERS, "for browsers: restrictions of this server's pages"),
}


TAGS = {
    "prices": "current prices of symbols",
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
            "stable. Other addresses answer 404, other methods than GET and HEAD 405. The stream "
            "is in /asyncapi.json.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": {
            **_tagged("prices", _prices(security, max_symbols, levels)),
            **_tagged("history", _bars(security, max_symbols)),
            **_tagged("server", _states(security)),
            **_tagged("files", _files()),
        },
        "components": {
            "schemas": components(RESOURCES, "#/components/schemas/{name}"),
            "headers": {name: _header(name, False) for name in HEADERS},
            "responses": {"405": _refusal(405, KINDS), "404": _refusal(404, KINDS)},
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
    symbol, venue = _symbol(), _venue()
    wanted = _query("q", {"type": "string", "maxLength": 64}, "part of a ticker or a name")
    limit = _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "most symbols")
    deep = _query("levels", {"enum": [*levels]}, "levels of each side; default 10")
    one, several = [symbol, venue], [_list("the symbols", max_symbols, required=True), venue]
    after = _query("after", {"type": "string"}, "the `next` of the page before")
    found = [wanted, limit, _list("search only these", max_symbols), after]
    stream = _query(
        "connection",
        {"type": "integer", "minimum": 1, "maximum": MOST_CONNECTION},
        "the `connection` of a stream's `hello`",
    )
    few = _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_MOVERS}, "of each kind")
    most = _query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST_TRADES},
        "most trades; default 50",
    )
    return {
        "/prices/{symbol}": _get("One price", "PriceObject", one, (*ASKED, 404), security),
        "/depth/{symbol}": _get(
            "A symbol's book", "Book", [*one, deep], (*ASKED, 404, 503), security
        ),
        "/lineage/{symbol}": _get(
            "Where a price came from", "Lineage", [symbol, stream], (*ASKED, 404), security
        ),
        "/trades/{symbol}": _get(
            "The newest trades", "RecentTrades", [symbol, most, venue], (*ASKED, 404), security
        ),
        "/prices": _get("Several prices", "Prices", several, ASKED, security),
        "/movers": _get("Gainers, losers, most active", "MoversList", [few], ASKED, security),
        "/symbols": _get("Symbols by ticker or name", "Symbols", found, ASKED, security),
    }


def _bars(security: list[Json], max_symbols: int) -> Json:
    interval = _query("interval", {"enum": [*INTERVALS]}, "length of a bar; default 1m")
    limit = _query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}, "most bars")
    shared = [interval, limit, _venue()]
    moments = [
        _query(name, MOMENT, words)
        for name, words in (
            ("from", "the first bar starts at this time or later; default: the newest bars"),
            ("to", "the last bar starts before this time"),
        )
    ]
    one = [_symbol(), *shared, *moments]
    several = [_list("the symbols", max_symbols, required=True), *shared]
    refusals = (*ASKED, 404, 503)
    return {
        "/bars/{symbol}": _get("Bars of one symbol", "Bars", one, refusals, security),
        "/bars": _get("Newest bars of several", "SeveralBars", several, refusals, security),
    }


def _symbol() -> Json:
    return {
        "name": "symbol",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "example": "AAPL",
    }


def _venue() -> Json:
    return _query("venue", {"type": "string", "pattern": "^[A-Z0-9]{4}$"}, "MIC of one venue")


def _states(security: list[Json]) -> Json:
    metrics = _get("For Prometheus", "", [], ASKED, security)
    metrics["get"]["responses"]["200"]["content"] = {
        kind: {"schema": {"type": "string"}}
        for kind in ("text/plain", "application/openmetrics-text")
    }
    gaps = [
        _query("feed", {"type": "string"}, "name of one feed; default: all"),
        _query(
            "limit", {"type": "integer", "minimum": 0, "maximum": MOST_GAPS}, "most gaps of a feed"
        ),
    ]
    return {
        "/gaps": _get("Missed sequence numbers", "Gaps", gaps, ASKED, security),
        "/status": _get("Feeds, markets, gateways", "ServerStatus", [], ASKED, security),
        "/healthz": _get(
            "Whether it is alive; the header Load is the share of its busiest worker that is taken",
            "Alive",
            [],
            ANY,
            [],
        ),
        "/readyz": _get("Whether it may be used", "Alive", [], (*ANY, 503), []),
        "/metrics": metrics,
    }


def _files() -> Json:
    return {
        "/": _file("The watch page", "text/html", {"type": "string"}),
        "/openapi.json": _file("This document", "application/json", {"type": "object"}),
        "/asyncapi.json": _file("The stream", "application/json", {"type": "object"}),
        "/ticker_v1.proto": _file("The stream in Protobuf", "text/plain", {"type": "string"}),
    }


def _query(name: str, schema: Json, description: str, **more: Any) -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": description, **more}


def _list(description: str, most: int, **more: Any) -> Json:
    items = {"type": "string", "pattern": "^[^,]+$"}
    schema = {"type": "array", "items": items, "minItems": 1, "maxItems": most}
    style = {"style": "form", "explode": False, "example": ["AAPL", "MSFT"]}
    return _query("symbols", schema, description, **style, **more)


def _get(
    summary: str,
    answer: str,
    parameters: list[Json],
    refusals: tuple[int, ...],
    security: list[Json],
) -> Json:
    responses: Json = {
        "200": {
            "description": "the answer",
            "headers": _headers(("Cache-Control", *SECURITY_HEADERS), True),
            "content": {"application/json": {"schema": _reference(answer)}},
        }
    }
    kinds = tuple(kind for kind in KINDS if kind[1] not in ELSEWHERE)
    responses |= {str(status): _refusal(status, kinds) for status in sorted(refusals)}
    operation = {"summary": summary, "parameters": parameters, "responses": responses}
    return {"get": {**operation, "security": security}}


def _file(summary: str, content_type: str, schema: Json) -> Json:
    found = _get(summary, "", [], ANY, [])
    headers = _headers(("Cache-Control", "ETag", *SECURITY_HEADERS), True)
    found["get"]["responses"] |= {
        "200": {
            "description": "the file",
            "headers": headers,
            "content": {content_type: {"schema": schema}},
        },
        "304": {"description": "unchanged since the ETag in If-None-Match", "headers": headers},
    }
    return found


def _refusal(status: int, kinds: tuple[tuple[int, str, str], ...]) -> Json:
    """A response with the problems of one status."""
    titles = {code: title for number, code, title in kinds if number == status}
    narrowed = {"status": {"const": status}, "code": {"enum": list(titles)}}
    headers = _headers(("Cache-Control",), True)
    if status in SAID_WITH:
        headers |= _headers((SAID_WITH[status],), True)
    return {
        "description": "; ".join(f"`{code}`: {title}" for code, title in titles.items())
        or HTTPStatus(status).phrase,
        "headers": headers,
        "content": {CONTENT_TYPE: {"schema": {**_reference("Problem"), "properties": narrowed}}},
    }


def _headers(names: tuple[str, ...], required: bool) -> Json:
    found = {name: _header(name, required) for name in names}
    for name in ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Vary"):
        found[name] = {"$ref": f"#/components/headers/{name}"}
    return found


def _header(name: str, required: bool) -> Json:
    return {"description": HEADERS[name], "required": required, "schema": {"type": "string"}}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def reference() -> str:
    """The part of docs/rest.md that lists addresses and answers, in Markdown."""
    document = openapi()
    schemas = document["components"]["schemas"]
    lines: list[str] = []
    for path, item in document["paths"].items():
        operation = item["get"]
        lines += [f"### `GET {path}`", "", f"{operation['summary']}.", ""]
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
