"""REST held to /openapi.json: schemathesis asks a live gateway all that the document allows, and
much that it forbids, with every check that it has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import Rig
from tests.gateway.event_reader import EventReader
from tests.gateway.kept import keep, kept_bar
from ticker.config import Config, GatewayConfig
from ticker.config.access import AuthConfig, TokenConfig
from ticker.gateway.access.access import Access
from ticker.gateway.access.auth import Authenticator, hash_token
from ticker.gateway.access.problems import KINDS
from ticker.gateway.events import PARAMETERS
from ticker.gateway.prices.board import Board
from ticker.gateway.rest.guard import Guard
from ticker.gateway.rest.http import make_app
from ticker.gateway.rest.openapi import openapi, reference
from ticker.gateway.rest.page import FILES
from ticker.gateway.rest.status import Status
from ticker.shm.depth.rows import DepthWriter
from ticker.store.past import Past
from ticker.store.reader import HistoryReader

E9 = 1_000_000_000
TOKEN = "a-token-for-the-test"
TOKENS = (TokenConfig(name="desk", sha256=hash_token(TOKEN), metrics=True),)
ASKING = Config(
    gateway=GatewayConfig(max_connections=64), auth=AuthConfig(required=True, tokens=TOKENS)
)
# A refusal by the size of the request is one as well.
WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
SETTINGS = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 413, 429, 431]
"""


def found_by_schemathesis(port: int, folder: Path, *options: str) -> tuple[int, str]:
    """The exit code, 0 where it finds nothing, and what it says."""
    settings = folder / "schemathesis.toml"
    settings.write_text(SETTINGS)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run"]
    command += [f"http://127.0.0.1:{port}/openapi.json", "--checks", "all", "--mode", "all"]
    command += [
        "--exclude-path",
        "/stream",
        "--seed",
        "1",
        "--max-examples",
        "30",
        "--no-color",
        *options,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A gateway with a history."""
    folder = tmp_path / "kept"
    keep(folder, [kept_bar(symbol, 1_790_000_040, E9) for symbol in ("AAPL", "MSFT")])
    open_to_all = Config(gateway=GatewayConfig(max_connections=512))
    made = Rig(
        f"openapi-{os.getpid()}",
        getattr(request, "param", open_to_all),
        past=Past(HistoryReader(folder)),
    )
    yield made
    assert made.close() == 0


def prices(rig: Any) -> None:
    for symbol in ("AAPL", "MSFT"):
        row = rig.row(symbol)
        rig.trade(row, 185_420_000_000)
        rig.quote(row, bid=E9, bid_size=1, ask=2 * E9, ask_size=2, open=3, high=4, low=5)
        DepthWriter(rig.feed).put(row, 50, [(E9, 1)], [(2 * E9, 2)], 1)
    rig.row("NEW")


@pytest.mark.slow
def test_schemathesis_finds_nothing(rig: Any, tmp_path: Path) -> None:
    prices(rig)
    code, said = found_by_schemathesis(rig.port, tmp_path)
    assert code == 0, said
    assert "17 selected / 18 total" in said
    assert "No issues found" in said, said


@pytest.mark.slow
@pytest.mark.parametrize("rig", [ASKING], indirect=True)
def test_schemathesis_finds_nothing_where_a_token_is_asked_for(rig: Any, tmp_path: Path) -> None:
    prices(rig)
    header = f"Authorization: Bearer {TOKEN}"
    code, said = found_by_schemathesis(rig.port, tmp_path, "--header", header)
    assert code == 0, said
    assert "No issues found" in said, said


def test_every_route_is_documented() -> None:
    guard = Guard(None, 1, 1)
    app = make_app(Board([]), Status([], version="", epoch=0), guard=guard)
    routes = {route.resource.canonical for route in app.router.routes() if route.resource}
    assert routes - set(FILES) | {"/", "/stream"} == set(openapi()["paths"])


def test_every_problem_is_documented() -> None:
    document = openapi()
    responses = [document["components"]["responses"]]
    responses += [path["get"]["responses"] for path in document["paths"].values()]
    codes = set()
    for answers in responses:
        for status, answer in answers.items():
            if "application/problem+json" in answer.get("content", {}):
                narrowed = answer["content"]["application/problem+json"]["schema"]["properties"]
                assert narrowed["status"] == {"const": int(status)}
                assert narrowed["code"]["enum"], status
                codes |= set(narrowed["code"]["enum"])
    assert codes == {code for _, code, _ in KINDS}


# A request for /stream, its headers, and the documented answer.
STREAMS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("?symbols=AAPL,MSFT&channel=depth&levels=5&venue=XNAS", (), "200"),
    ("?symbols=AAPL&channel=bars&interval=1m&max_rate=2.5&pace=saver", (), "200"),
    ("?channel=movers&limit=3", (), "200"),
    ("?symbols=AAPL", ("Last-Event-ID: 2026-03-29T14:30:05.000000Z",), "200"),
    ("", WEBSOCKET, "101"),
    ("", (*WEBSOCKET, "Sec-WebSocket-Protocol: ticker.v1.json"), "101"),
    ("", ("Accept: */*",), "426"),
    ("?symbols=AAPL&levels=5", (), "400"),
    ("?symbols=AAPL&channel=bars", (), "400"),
    ("", (*WEBSOCKET[:-1], "Sec-WebSocket-Version: 8"), "400"),
    ("?symbols=AAPL", ("Content-Length: 1",), "413"),
    ("?symbols=AAPL", ("Host: elsewhere",), "421"),
    ("?symbols=AAPL", ("Origin: http://desk.example",), "403"),
    ("?symbols=AAPL", ("X: " + "y" * 20_000,), "431"),
)


@pytest.mark.parametrize(("query", "asked", "status"), STREAMS)
def test_answers_of_the_stream_are_documented(
    rig: Any, query: str, asked: tuple[str, ...], status: str
) -> None:
    """An answer that goes on is nothing for schemathesis."""
    prices(rig)
    reader = EventReader(rig.port, f"/stream{query}", *asked, accept="" if asked else "*/*")
    told = openapi()["paths"]["/stream"]["get"]["responses"][status]
    assert str(reader.status) == status, reader.head
    names = {line.partition(":")[0].lower() for line in reader.head.split("\r\n")[1:]}
    assert {name.lower() for name, each in told["headers"].items() if each.get("required")} <= names
    if int(status) >= 400:
        schema = told["content"]["application/problem+json"]["schema"]
        assert reader.body()["code"] in schema["properties"]["code"]["enum"]
    reader.close()


def test_the_parameters_of_events_are_documented() -> None:
    given = openapi()["paths"]["/stream"]["get"]["parameters"]
    assert {each["name"] for each in given if each["in"] == "query"} == set(PARAMETERS)


@pytest.mark.parametrize(
    ("auth", "security"),
    [
        (None, []),
        (AuthConfig(required=False, tokens=TOKENS), [{}, {"bearer": []}]),
        (AuthConfig(required=True, tokens=TOKENS), [{"bearer": []}]),
    ],
)
def test_who_has_to_show_a_token_is_documented(auth: AuthConfig | None, security: Any) -> None:
    access = Access(Config(auth=auth), Authenticator(auth) if auth else None)
    guard = Guard(access, 1, 1)
    document = openapi(tokens=guard.tokens, required=guard.tokens_required)
    assert document["paths"]["/prices"]["get"]["security"] == security
    assert document["paths"]["/healthz"]["get"]["security"] == []


def test_every_operation_has_a_name_and_a_tag() -> None:
    document = openapi()
    operations = [item["get"] for item in document["paths"].values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert {"getPricesOfSymbol", "getBars", "getPage", "getTickerV1Proto"} <= set(names)
    tags = {tag["name"] for tag in document["tags"]}
    assert {tag for operation in operations for tag in operation["tags"]} == tags
    assert document["servers"]


def test_the_page_on_rest_is_made_from_the_document(root: Path) -> None:
    """To write it anew: put openapi.reference() behind the mark."""
    _, _, made = (root / "docs" / "rest.md").read_text().partition("openapi.reference() -->\n\n")
    assert made == reference()
