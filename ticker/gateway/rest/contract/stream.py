"""`/stream` in the OpenAPI document: the handshake of a WebSocket, and a request for events.

Law: the parameters are those of gateway/events.py; the messages are in /asyncapi.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from ticker.gateway.access.headers import SECURITY_HEADERS
from ticker.gateway.access.problems import (
    BAD_PARAMETER,
    BAD_REQUEST,
    BUSY,
    DEPTH_FULL,
    DRAINING,
    FORBIDDEN_ORIGIN,
    HEAD_TOO_LARGE,
    INTERNAL,
    NO_HISTORY,
    NOT_AUTHENTICATED,
    NOT_ENTITLED,
    TOO_LARGE,
    TOO_MANY_CONNECTIONS,
    UNKNOWN_HOST,
    UPGRADE_REQUIRED,
)
from ticker.gateway.bars.encode import INTERVALS
from ticker.gateway.pacing.rates import PACES
from ticker.gateway.protocol.documents import Json
from ticker.gateway.protocol.movers import MOST_LISTED, USUAL
from ticker.gateway.protocol.vocabulary import SUBPROTOCOLS, Channel
from ticker.gateway.rest.contract.operations import (
    headers_of,
    query_parameter,
    refusal_of,
    symbols_parameter,
    venue_parameter,
)

LEAST_RATE, MOST_RATE = 0.01, 1000.0
"""Of `max_rate`, in updates a second per symbol."""
REFUSALS = (
    BAD_PARAMETER, BAD_REQUEST, NOT_AUTHENTICATED, FORBIDDEN_ORIGIN, NOT_ENTITLED, NO_HISTORY,
    TOO_LARGE, UNKNOWN_HOST, UPGRADE_REQUIRED, TOO_MANY_CONNECTIONS, HEAD_TOO_LARGE, INTERNAL, BUSY,
    DRAINING, DEPTH_FULL,
)  # fmt: skip
WORDS = (
    "With `Upgrade: websocket` the answer is 101, and the symbols are asked for in messages; the "
    "parameters are of events. A request without it gets server-sent events, each with a message "
    "of `ticker.v1.json` in its `data`, until the connection ends."
)


def stream(security: list[Json], max_symbols: int, levels: Sequence[int]) -> Json:
    """The path `/stream`; the arguments are those of openapi()."""
    statuses = sorted({status for status, _, _ in REFUSALS})
    operation = {
        "summary": "Prices as they change, by WebSocket or as server-sent events",
        "description": WORDS,
        "parameters": [
            symbols_parameter("the symbols; not with channel=movers", max_symbols),
            *_choices(levels),
            *_numbers(),
            venue_parameter(),
            query_parameter("token", {"type": "string"}, "for pages, which send no Authorization"),
            _header_parameter("Last-Event-ID", "the id of the last event, to go on from there"),
            _header_parameter(
                "Sec-WebSocket-Protocol",
                f"of a WebSocket: {', '.join(SUBPROTOCOLS)}; none: the plain dialect",
            ),
        ],
        "responses": {
            "101": {"description": "a WebSocket", "headers": _switching()},
            "200": {
                "description": "events",
                "headers": headers_of(("Cache-Control", *SECURITY_HEADERS), True),
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            **{str(status): refusal_of(status, REFUSALS) for status in statuses},
        },
        "security": security,
    }
    return {"/stream": {"get": operation}}


def _choices(levels: Sequence[int]) -> list[Json]:
    return [
        query_parameter(name, {"enum": [*values]}, words)
        for name, values, words in (
            ("channel", get_args(Channel), "default price"),
            ("interval", INTERVALS, "with channel=bars, needed there"),
            ("levels", levels, "with channel=depth: levels of each side; default 10"),
            ("pace", PACES, "default steady"),
        )
    ]


def _numbers() -> list[Json]:
    return [
        query_parameter(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MOST_LISTED},
            f"with channel=movers: symbols of each list; default {USUAL}",
        ),
        query_parameter(
            "max_rate",
            {"type": "number", "minimum": LEAST_RATE, "maximum": MOST_RATE},
            "updates a second per symbol",
        ),
    ]


def _header_parameter(name: str, description: str) -> Json:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "schema": schema, "description": description}


def _switching() -> Json:
    return {
        name: {"description": words, "required": needed, "schema": {"type": "string"}}
        for name, words, needed in (
            ("Upgrade", "`websocket`", True),
            ("Connection", "`Upgrade`", True),
            ("Sec-WebSocket-Accept", "the answer to Sec-WebSocket-Key (RFC 6455)", True),
            ("Sec-WebSocket-Protocol", "the subprotocol, if one was offered", False),
            ("Sec-WebSocket-Extensions", "`permessage-deflate`, if it was agreed on", False),
        )
    }
