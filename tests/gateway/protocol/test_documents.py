"""The machine-readable contract, and real messages checked against it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from ticker.gateway.protocol.documents import asyncapi, reference
from ticker.gateway.protocol.messages import COMMANDS, MESSAGES
from ticker.gateway.rest.openapi import openapi

E9 = 1_000_000_000
DOCS = Path(__file__).resolve().parents[3] / "docs" / "protocol.md"
Connect = Callable[..., Any]


def strict(document: dict[str, Any], *, server: bool) -> dict[str, Any]:
    """The schemas, with fields refused that they don't name."""
    schemas = document["components"]["schemas"]
    names = {message.__name__ for message in MESSAGES} if server else set(schemas)
    for name in names & set(schemas):
        if "properties" in schemas[name] and name not in ("FeedReport", "Problem"):
            schemas[name]["additionalProperties"] = False
    return document


def validator(document: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.Draft202012Validator.check_schema(document["components"]["schemas"][name])
    return jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "$ref":
                yield value
            yield from references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from references(value)


@pytest.mark.parametrize("document", [openapi(), asyncapi()])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert found
    for reference_ in found:
        place: Any = document
        for step in reference_.removeprefix("#/").split("/"):
            place = place[step.replace("~1", "/")]


def test_asyncapi_has_every_message_in_its_direction() -> None:
    operations = asyncapi()["operations"]

    def names(operation: str) -> set[str]:
        return {one["$ref"].rpartition("/")[2] for one in operations[operation]["messages"]}

    assert names("command") == {command.__name__ for command in COMMANDS}
    assert names("tell") == {message.__name__ for message in MESSAGES} | {"Batch"}
    assert (operations["command"]["action"], operations["tell"]["action"]) == ("receive", "send")


def test_the_docs_page_is_made_from_the_types() -> None:
    """To write it anew: put documents.reference() behind the mark."""
    _, _, made = DOCS.read_text().partition("documents.reference() -->\n\n")
    assert made == reference()


def get(client: Any, path: str) -> tuple[int, Any]:
    client.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = client.read_until(b"\r\n\r\n").lower()
    length = int(head.partition(b"content-length:")[2].split()[0])
    body = client.read(length)
    return int(head.split()[1]), body if path.endswith(".proto") else msgspec.json.decode(body)


def test_rest_answers_are_as_documented(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    rig.trade(row, 185_420_000_000)
    rig.quote(row, bid=E9, bid_size=1, ask=2 * E9, ask_size=2, open=3, high=4, low=5)
    rig.row("NEW")
    client = connect(handshake=False)
    status, document = get(client, "/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    assert document == msgspec.json.decode(msgspec.json.encode(openapi(tokens=False)))
    strict(document, server=False)
    for path, template in (
        ("/prices/AAPL", "/prices/{symbol}"),
        ("/prices/AAPL?venue=XNAS", "/prices/{symbol}"),
        ("/prices/XX", "/prices/{symbol}"),
        ("/prices/NEW", "/prices/{symbol}"),
        ("/prices?symbols=AAPL,NEW,XX", "/prices"),
        ("/prices", "/prices"),
        ("/symbols?q=a&limit=5", "/symbols"),
        ("/symbols?limit=0", "/symbols"),
        ("/status", "/status"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
    ):
        status, body = get(client, path)
        content = document["paths"][template]["get"]["responses"][str(status)]["content"]
        name = next(iter(content.values()))["schema"]["$ref"].rpartition("/")[2]
        validator(document, name).validate(body)


def test_the_shipped_proto_is_served(connect: Connect) -> None:
    status, body = get(connect(handshake=False), "/ticker_v1.proto")
    assert status == 200
    assert b"message ServerMessage" in body


@pytest.mark.parametrize("protocol", ["", "ticker.v1.json"])
def test_live_messages_are_as_documented(rig: Any, connect: Connect, protocol: str) -> None:
    rows = [rig.row(name) for name in ("AAPL", "MSFT")]
    for row in rows:
        rig.trade(row, 185_420_000_000)
    rig.quote(rows[0], bid=E9, bid_size=1, ask=2 * E9, ask_size=2, previous_close=3)
    client = connect(protocol=protocol)
    status, document = get(connect(handshake=False), "/asyncapi.json")
    assert (status, document["asyncapi"]) == (200, "3.1.0")
    strict(document, server=True)
    commands: list[dict[str, Any]] = [
        {"action": "subscribe", "symbols": ["AAPL", "XX"], "id": 1},
        {"action": "subscribe", "symbol": "AAPL", "channel": "quote", "id": "q"},
        {"action": "subscribe", "symbols": ["MSFT"], "channel": "trades"},
        {"action": "reconnect", "last_seen": {"MSFT": "2020-01-01T00:00:00Z"}},
        {"action": "configure", "max_rate": 10, "batch": False, "id": 3},
        {"action": "unsubscribe", "symbols": ["MSFT"], "channel": "trades"},
        {"action": "ping", "id": "p"},
    ]
    for command in commands:
        validator(document, command["action"].capitalize()).validate(command)
        client.send(command)
    client.send({"action": "fly", "id": 9})
    for row in rows:
        rig.trade(row, 185_430_000_000)
    rig.heartbeat.set_state(3)
    kinds: set[str] = set()
    end = time.monotonic() + 10
    wanted = {"error", "snapshot", "update"}
    if protocol:
        wanted |= {
            "hello", "subscribed", "unsubscribed", "recovered", "configured", "status", "pong",
        }  # fmt: skip
    while not wanted <= kinds:
        assert time.monotonic() < end, wanted - kinds
        message = client.receive()
        validator(document, message["type"].capitalize()).validate(message)
        kinds.add(message["type"])
    assert kinds == wanted
