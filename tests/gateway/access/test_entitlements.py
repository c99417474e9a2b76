"""Every cell of the table of entitlements, asked of a real gateway; and nothing left out of it."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.gateway.access.entitlements import KINDS, TABLE, Row, table
from tests.gateway.access.kinds import TOKENS, authorization, of_channel, up_to_pong
from tests.gateway.conftest import Client, Rig
from tests.gateway.dialects.rights import verdict
from tests.gateway.event_reader import EventReader
from tests.gateway.kept import keep, kept_bar
from ticker.config import Config, GatewayConfig
from ticker.config.access import AuthConfig
from ticker.gateway.dialects.speaker import PATHS
from ticker.gateway.prices.board import Board
from ticker.gateway.protocol.messages import COMMANDS, MESSAGES
from ticker.gateway.protocol.vocabulary import Channel
from ticker.gateway.rest.guard import Guard
from ticker.gateway.rest.http import make_app
from ticker.gateway.rest.resources import PriceObject
from ticker.gateway.rest.status import Status
from ticker.shm import counters
from ticker.shm.depth.rows import DepthWriter
from ticker.shm.rejects import RejectWriter
from ticker.store.past import Past
from ticker.store.reader import HistoryReader

E9 = 10**9
V1 = "Sec-WebSocket-Protocol: ticker.v1.json"
OF_THE_DAY = (
    *("open", "high", "low", "official_close", "previous_close", "extended_price"),
    *("extended_time", "volume", "trades"),
)
_numbers = itertools.count()


def made(required: bool, folder: Path) -> Rig:
    config = Config(
        gateway=GatewayConfig(max_connections=64, heartbeat=0.2),
        auth=AuthConfig(required=required, tokens=TOKENS),
    )
    rig = Rig(f"rights{os.getpid()}-{next(_numbers)}", config, past=Past(HistoryReader(folder)))
    for symbol in ("AAPL", "MSFT"):
        row = rig.row(symbol)
        rig.trade(row, 185 * E9)
        more = dict.fromkeys(OF_THE_DAY, 1)
        rig.quote(row, bid=184 * E9, bid_size=1, ask=186 * E9, ask_size=2, **more)
        RejectWriter(rig.feed).put("older", symbol, price=E9, size=1)
        DepthWriter(rig.feed).put(row, 50, [(184 * E9, 1)], [(186 * E9, 2)], 1)
        rig.bar(rig.bar_writer.add(symbol), 1, start=60 * E9, time=61 * E9, open=E9, flags=1)
    return rig


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store that has a bar of each symbol."""
    folder = tmp_path_factory.mktemp("kept")
    keep(folder, [kept_bar(symbol, 1_790_000_040, 185 * E9) for symbol in ("AAPL", "MSFT")])
    return folder


@pytest.fixture(scope="module")
def rigs(kept: Path) -> Iterator[dict[str, Rig]]:
    """By the kind of token, a gateway that asks for one, or that does not."""
    asking, free = made(True, kept), made(False, kept)
    yield {kind: free if kind == "free" else asking for kind in KINDS}
    for rig in (asking, free):
        assert rig.close() == 0


class Asker:
    """One kind of client at its gateway; a method for each probe, which returns a cell."""

    def __init__(self, rig: Rig, kind: str, row: Row) -> None:
        self.rig = rig
        self.kind = kind
        self.row = row

    def fetch(self, path: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.rig.port, timeout=10)
        try:
            connection.request("GET", path, headers=authorization(self.kind))
            found = connection.getresponse()
            body = found.read()
            is_json = "json" in found.headers.get("Content-Type", "")
            return found.status, json.loads(body) if is_json else body
        finally:
            connection.close()

    def looked(self, path: str, holds: Callable[[Any], bool]) -> str:
        status, body = self.fetch(path)
        if status != 200:
            return str(status)
        return "yes" if holds(body) else "no"

    def get(self) -> str:
        cells = {self.looked(path, bool) for path in self.row.paths}
        assert len(cells) == 1, "one cell cannot say different things"
        return cells.pop()

    def rejects(self) -> str:
        def holds(status: Any) -> bool:
            found = status["feeds"][0]["rejects"]["older"]
            assert found["count"] == 2, "how many there were is no secret"
            return self.row.argument in [each["symbol"] for each in found["last"]]

        return self.looked("/status", holds)

    def listed(self) -> str:
        wanted = {"symbol": self.row.argument}
        return self.looked("/symbols", lambda body: wanted in body["symbols"])

    def field(self) -> str:
        def holds(price: Any) -> bool:
            given = {price[name] is not None for name in self.row.argument.split(",")}
            assert len(given) == 1, price
            return given.pop()

        cells = {self.looked("/prices/AAPL", holds)}
        cells.add(self.looked("/prices?symbols=AAPL", lambda body: holds(body["prices"][0])))
        assert len(cells) == 1
        return cells.pop()

    def price(self) -> str:
        return self.looked(f"/prices/{self.row.argument}", bool)

    def prices(self) -> str:
        symbols = f"AAPL,{self.row.argument}"
        return self.looked(
            f"/prices?symbols={symbols}",
            lambda body: self.row.argument in [price["symbol"] for price in body["prices"]],
        )

    def get_lineage(self) -> str:
        path = f"/lineage/{self.row.argument}"
        return self.looked(path, lambda body: len(body["prices"][0]["refused"]) == 1)

    def moves(self) -> str:
        symbol = self.row.argument
        return self.looked(
            "/movers", lambda body: symbol in [each["symbol"] for each in body["most_active"]]
        )

    def get_trades(self) -> str:
        symbol = self.row.argument
        return self.looked(f"/trades/{symbol}", lambda body: body["symbol"] == symbol)

    def get_depth(self) -> str:
        symbol = self.row.argument
        return self.looked(f"/depth/{symbol}", lambda body: body["bids"] == [[184, 1]])

    def events(self) -> str:
        """What the first price on a stream of events is, or why there is none."""
        reader = EventReader(
            self.rig.port,
            f"/stream?symbols={self.row.argument}",
            *(f"{name}: {text}" for name, text in authorization(self.kind).items()),
        )
        try:
            if reader.status != 200:
                return str(reader.status)
            answer = reader.until("subscribed")
            if answer["rejected"]:
                return str(answer["rejected"][0]["code"])
            return "yes" if reader.until("snapshot")["price"] == 185 else "no"
        finally:
            reader.close()

    def get_bars(self) -> str:
        symbol = self.row.argument
        found = self.looked(f"/bars/{symbol}", lambda body: len(body["bars"]) == 1)

        def listed(body: Any) -> bool:
            return [each["symbol"] for each in body["bars"]] == [symbol]

        several = self.looked(f"/bars?symbols={symbol}", listed)
        assert several == ("no" if found == "404" else found)
        return found

    def stream(self) -> Client:
        token = [f"{name}: {text}" for name, text in authorization(self.kind).items()]
        return Client(self.rig.port, headers=(V1, *token))

    def heard(self, client: Client, *kinds: str) -> str:
        """The code of the next error or close, or yes for a message of these kinds."""
        while True:
            opcode, payload = client.receive_frame()
            if opcode == 8:
                return str(int.from_bytes(payload[:2], "big"))
            message = json.loads(payload) if opcode == 1 else {"type": "ping"}
            if message["type"] in kinds:
                return "yes"
            if message["type"] == "error" and message["code"] != 402:  # which closes
                return str(message["code"])

    def opens(self) -> str:
        client = self.stream()
        try:
            return self.heard(client, "hello")
        finally:
            client.close()

    def hears(self) -> str:
        client = self.stream()
        try:
            said = self.heard(client, self.row.argument)
            return "no" if self.row.argument == "hello" and said != "yes" else said
        finally:
            client.close()

    def asks(self) -> str:
        commands: dict[str, tuple[dict[str, Any], str]] = {
            "ping": ({"action": "ping"}, "pong"),
            "configure": ({"action": "configure", "max_rate": 1}, "configured"),
        }
        command, answer = commands[self.row.argument]
        return self.said(command, answer)

    def said(self, command: dict[str, Any], *answers: str) -> str:
        client = self.stream()
        try:
            client.send(command)
            return self.heard(client, *answers)
        finally:
            client.close()

    def enters(self) -> str:
        client = self.stream()
        try:
            client.send({"action": "auth", "token": "full-token"})
            client.send({"action": "subscribe", "symbols": ["AAPL"]})
            return self.heard(client, "snapshot")
        finally:
            client.close()

    def feed(self) -> str:
        """Whether a feed that falls silent is told to this client."""
        other = Client(self.rig.port, headers=(V1, "Authorization: Bearer full-token"))
        client = self.stream()
        try:
            if (opened := self.heard(client, "hello")) != "yes":
                return opened
            was_stale = "stale" in up_to_pong(other)
            self.rig.heartbeat.set_state(counters.LIVE)
            self.rig.heartbeat.beat(time.time_ns())
            if was_stale:
                assert other.until("status")["state"] == "live"
            self.rig.heartbeat.set_state(counters.STALE)
            assert other.until("status")["state"] == "stale"
            return "yes" if "stale" in up_to_pong(client) else "no"
        finally:
            client.close()
            other.close()

    def subscribes(self) -> str:
        cells = {
            self.subscribed({"action": "subscribe", "symbols": ["AAPL"]}, "subscribed"),
            self.subscribed({"action": "reconnect", "last_seen": {"AAPL": ""}}, "recovered"),
        }
        assert len(cells) == 1
        return cells.pop()

    def subscribed(self, command: dict[str, Any], answer: str) -> str:
        channel = self.row.argument
        client = self.stream()
        try:
            client.send({**command, "channel": channel})
            if (said := self.heard(client, answer)) != "yes":
                return said
            self.rig.trade(0, 185 * E9)
            while True:
                message = client.receive()
                if message["type"] == "depth":
                    assert channel == "depth"
                    return "yes"
                if message["type"] == "update":
                    assert message.get("channel", "price") == channel
                    return "yes"
                assert message["type"] in (
                    "snapshot",
                    "status",
                    "heartbeat",
                    "lagged",
                    "correction",
                    "cancel",
                )
        finally:
            client.close()

    def watches_bars(self) -> str:
        where = {"channel": "bars", "interval": "1m"}
        cells = {
            self.said({"action": "subscribe", "symbols": ["AAPL"], **where}, "bar"),
            self.said({"action": "reconnect", "last_seen": {"AAPL": ""}, **where}, "bar"),
        }
        assert len(cells) == 1
        return cells.pop()

    def watches_movers(self) -> str:
        client = self.stream()
        try:
            client.send({"action": "subscribe", "channel": "movers"})
            if (said := self.heard(client, "subscribed")) != "yes":
                return said
            most = client.until("movers")["most_active"]
            return "yes" if self.row.argument in [each["symbol"] for each in most] else "no"
        finally:
            client.close()

    def takes_all(self) -> str:
        channel = self.kind if self.kind in get_args(Channel) else "price"
        return self.said(
            {"action": "subscribe", "symbol": "*", **of_channel(channel)}, "subscribed"
        )

    def other(self) -> str:
        channel = self.kind if self.kind in get_args(Channel) else "price"
        client = self.stream()
        try:
            client.send({"action": "subscribe", "symbol": "MSFT", **of_channel(channel)})
            while True:
                opcode, payload = client.receive_frame()
                if opcode == 8:
                    return str(int.from_bytes(payload[:2], "big"))
                message = json.loads(payload)
                if message["type"] == "subscribed":
                    rejected = message["rejected"]
                    return str(rejected[0]["code"]) if rejected else "yes"
                if message["type"] == "error" and message["code"] != 402:
                    return str(message["code"])
        finally:
            client.close()

    def speaks(self) -> str:
        secret = authorization(self.kind).get("Authorization", "").removeprefix("Bearer ")
        return verdict(self.rig.port, secret, self.row.argument)

    def leaves(self) -> str:
        channel = self.kind if self.kind in get_args(Channel) else "price"
        return self.said(
            {"action": "unsubscribe", "symbol": "AAPL", **of_channel(channel)}, "unsubscribed"
        )


CELLS = [(row, kind) for row in TABLE if row.probe != "goodbye" for kind in KINDS]


@pytest.mark.parametrize(
    ("row", "kind"), CELLS, ids=[f"{row.what}-{kind}".replace("`", "") for row, kind in CELLS]
)
def test_a_cell_says_what_a_gateway_does(rigs: dict[str, Rig], row: Row, kind: str) -> None:
    assert getattr(Asker(rigs[kind], kind, row), row.probe)() == row.cell(kind)


def test_all_who_are_connected_are_told_goodbye(kept: Path) -> None:
    row = next(row for row in TABLE if row.probe == "goodbye")
    rigs = {True: made(True, kept), False: made(False, kept)}
    clients = {kind: Asker(rigs[kind != "free"], kind, row).stream() for kind in KINDS}
    for kind, client in clients.items():
        if kind != "wrong":
            client.until("hello")
    for rig in rigs.values():
        assert rig.close() == 0
    for kind, client in clients.items():
        said = Asker(rigs[kind != "free"], kind, row).heard(client, "goodbye")
        assert ("yes" if said == "yes" else "no") == row.cell(kind), kind
        client.close()


def test_every_endpoint_channel_command_and_message_is_in_the_table() -> None:
    guard = Guard(None, 1, 1)
    app = make_app(Board([]), Status([], version="", epoch=0), guard=guard)
    routes = {route.resource.canonical for route in app.router.routes() if route.resource}
    assert routes | {"/stream", *PATHS} == {path for row in TABLE for path in row.paths}
    fields = [row.argument.split(",") for row in TABLE if row.probe == "field"]
    assert {name for names in fields for name in names} == set(PriceObject.__struct_fields__)
    assert set(get_args(Channel)) == {name for row in TABLE for name in row.channels}
    for kinds, covered in (
        (COMMANDS, [name for row in TABLE for name in row.commands]),
        (MESSAGES, [name for row in TABLE for name in row.messages]),
    ):
        assert {kind.__struct_config__.tag for kind in kinds} == set(covered)


def test_the_docs_have_this_very_table(root: Any) -> None:
    """To write it anew: put table() between the marks."""
    text = (root / "docs" / "security.md").read_text()
    _, _, rest = text.partition("<!-- made from tests/gateway/access/entitlements.py -->\n\n")
    assert rest.partition("\n<!-- until here -->")[0] == table()
