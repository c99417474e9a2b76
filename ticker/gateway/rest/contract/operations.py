"""The parts of operations in the OpenAPI document: parameters, answers, refusals, headers.

Law: each refusal and header of http.py is here once, so every address says it in the same words.
Source: spec.openapis.org/oas/v3.1.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from ticker.gateway.access.headers import SECURITY_HEADERS
from ticker.gateway.access.problems import CONTENT_TYPE, KINDS
from ticker.gateway.protocol.documents import Json

ANY = (400, 403, 413, 421, 429, 431, 500)  # refusals of every address
ASKED = (401, *ANY)  # and of those that need a token
# Codes that are no answer of a documented address: nothing is there, or only for other methods.
ELSEWHERE = {"not_found", "method_not_allowed", "upgrade_required", "too_many_connections", "busy"}
SAID_WITH = {
    401: "WWW-Authenticate",
    405: "Allow",
    426: "Upgrade",
    429: "Retry-After",
    503: "Retry-After",
}
HEADERS = {
    "Cache-Control": "`no-store` with prices and refusals, `no-cache` with files",
    "Retry-After": "seconds to wait",
    "WWW-Authenticate": "`Bearer`, with the fault of the token (RFC 6750)",
    "Allow": "the methods that this address has",
    "Upgrade": "`websocket`",
    "ETag": "a digest of the file, for If-None-Match",
    "Access-Control-Allow-Origin": "the page's origin, if it may use this server",
    "Access-Control-Expose-Headers": "the headers that such a page may read",
    "Vary": "`Origin` beside Access-Control-Allow-Origin",
    **dict.fromkeys(SECURITY_HEADERS, "for browsers: restrictions of this server's pages"),
}


def query_parameter(name: str, schema: Json, description: str, **more: Any) -> Json:
    """A parameter of the query; `more` members of it."""
    return {"name": name, "in": "query", "schema": schema, "description": description, **more}


def symbols_parameter(description: str, most: int, **more: Any) -> Json:
    """A list of at most `most` symbols in the query."""
    items = {"type": "string", "pattern": "^[^,]+$"}
    schema = {"type": "array", "items": items, "minItems": 1, "maxItems": most}
    style = {"style": "form", "explode": False, "example": ["AAPL", "MSFT"]}
    return query_parameter("symbols", schema, description, **style, **more)


def get_operation(
    summary: str,
    answer: str,
    parameters: list[Json],
    refusals: tuple[int, ...],
    security: list[Json],
) -> Json:
    """The path item of a GET that answers with a schema, or with a problem of these statuses."""
    responses: Json = {
        "200": {
            "description": "the answer",
            "headers": headers_of(("Cache-Control", *SECURITY_HEADERS), True),
            "content": {"application/json": {"schema": reference_to(answer)}},
        }
    }
    kinds = tuple(kind for kind in KINDS if kind[1] not in ELSEWHERE)
    responses |= {str(status): refusal_of(status, kinds) for status in sorted(refusals)}
    operation = {"summary": summary, "parameters": parameters, "responses": responses}
    return {"get": {**operation, "security": security}}


def get_file(summary: str, content_type: str, schema: Json) -> Json:
    """The path item of a file, which anybody may read."""
    found = get_operation(summary, "", [], ANY, [])
    headers = headers_of(("Cache-Control", "ETag", *SECURITY_HEADERS), True)
    found["get"]["responses"] |= {
        "200": {
            "description": "the file",
            "headers": headers,
            "content": {content_type: {"schema": schema}},
        },
        "304": {"description": "unchanged since the ETag in If-None-Match", "headers": headers},
    }
    return found


def refusal_of(status: int, kinds: tuple[tuple[int, str, str], ...]) -> Json:
    """A response with the problems of one status."""
    titles = {code: title for number, code, title in kinds if number == status}
    narrowed = {"status": {"const": status}, "code": {"enum": list(titles)}}
    headers = headers_of(("Cache-Control",), True)
    if status in SAID_WITH:
        headers |= headers_of((SAID_WITH[status],), True)
    return {
        "description": "; ".join(f"`{code}`: {title}" for code, title in titles.items())
        or HTTPStatus(status).phrase,
        "headers": headers,
        "content": {CONTENT_TYPE: {"schema": {**reference_to("Problem"), "properties": narrowed}}},
    }


def headers_of(names: tuple[str, ...], required: bool) -> Json:
    """Headers of HEADERS, and those that a page of another origin gets beside."""
    found = {name: header_of(name, required) for name in names}
    for name in ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Vary"):
        found[name] = {"$ref": f"#/components/headers/{name}"}
    return found


def header_of(name: str, required: bool) -> Json:
    """One of HEADERS."""
    return {"description": HEADERS[name], "required": required, "schema": {"type": "string"}}


def reference_to(name: str) -> Json:
    """A schema of the document by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def symbol_parameter() -> Json:
    """The symbol in a path."""
    return {
        "name": "symbol",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "example": "AAPL",
    }


def venue_parameter() -> Json:
    """The venue in the query."""
    return query_parameter(
        "venue", {"type": "string", "pattern": "^[A-Z0-9]{4}$"}, "MIC of one venue"
    )
