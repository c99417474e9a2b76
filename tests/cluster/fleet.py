"""An ingest box and two gateway boxes of one cluster: what tests ask of them, and tell them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.servers import Box, Nats
from tests.cluster.source import rows_of
from tests.cluster.watching import started
from tests.gateway.conftest import Client
from ticker.cluster import natswire

JSON = "ticker.v1.json"


@dataclass
class Fleet:
    nats: Nats
    lines: Box
    one: Box
    other: Box
    symbols: list[str] = field(default_factory=list)

    def newest(self, box: Box) -> dict[str, str]:
        """The time of each symbol's price by REST."""
        found = get(box, f"/prices?symbols={','.join(self.symbols)}")["prices"]
        return {each["symbol"]: each["exchange_timestamp"] for each in found}


def get(box: Box, path: str) -> Any:
    with urllib.request.urlopen(f"{box.url}{path}", timeout=10) as answer:
        return json.loads(answer.read())


def ready(box: Box) -> tuple[int, dict[str, Any], str | None]:
    """The status of /readyz, its body, and the load."""
    try:
        with urllib.request.urlopen(f"{box.url}/readyz", timeout=10) as answer:
            return answer.status, json.load(answer), answer.headers["load"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), error.headers["load"]


def watcher(box: Box, protocol: str = JSON) -> Client:
    return Client(int(box.url.rpartition(":")[2]), protocol=protocol)


def drain(box: Box, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ticker", "drain", "--config", str(box.config), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def exchange(fleet: Fleet, number: signal.Signals) -> None:
    """Stop or continue the simulated exchange."""
    os.kill(started(fleet.lines, "simulator sim"), number)


def last_rows(fleet: Fleet) -> dict[tuple[str, str], tuple[Any, ...]]:
    return rows_of(fleet.other.feed("sim"))


class Rest:
    """A box whose exchange was stopped: what had been sent was taken when nothing has changed for a
    while."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.rows = rows_of(box.feed("sim"))
        self.since = time.monotonic()

    def there(self) -> bool:
        rows = rows_of(self.box.feed("sim"))
        if rows != self.rows:
            self.rows, self.since = rows, time.monotonic()
        return time.monotonic() - self.since > 0.3


def more(client: Client, sent: dict[str, str]) -> bool:
    """Answers come with flushes, behind the answer to a ping: ask again."""
    client.send({"action": "ping"})
    while (message := client.receive())["type"] != "pong":
        if message["type"] != "status":
            assert message["type"] == "snapshot", message
            assert message["symbol"] not in sent
            sent[message["symbol"]] = message["timestamp"]
    return True


def answers(box: Box) -> bool:
    try:
        return bool(get(box, "/healthz"))
    except OSError:
        return False


def follows(box: Box) -> list[int]:
    """The shards that its bridge follows, as `ticker cluster status` says it."""
    command = [sys.executable, "-m", "ticker", "cluster", "status", "--config", str(box.config)]
    done = subprocess.run(
        [*command, "--json", "--seconds", "1.1"], capture_output=True, text=True, timeout=60
    )
    found = json.loads(done.stdout)["sim"]["boxes"]
    (bridge,) = [each for each in found if each["box"].endswith(box.instance)]
    return list(bridge["follows"])


def seen(box: Box) -> dict[str, int]:
    return {name: values["seq"] for (name, _), (*_, values) in rows_of(box.feed("sim")).items()}


def connects(port: int) -> bool:
    """Whether a client of the balancer gets a stream."""
    try:
        client = Client(port, protocol=JSON)
    except (OSError, EOFError):
        return False
    client.close()
    return client.head.startswith(b"HTTP/1.1 101")


class Ages:
    """How old the other box's rows are: how long it takes until they are those of the first one.

    Attributes:
        oldest: of all symbols at all looks, s.
        pause: the longest time between two looks, s.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.oldest = self.pause = 0.0
        self._missing: dict[str, tuple[int, float]] = {}
        self._looked = time.monotonic()
        self._deltas = {box.instance: deltas(box) for box in (fleet.one, fleet.other)}

    def look(self) -> None:
        there, here, now = seen(self.fleet.one), seen(self.fleet.other), time.monotonic()
        self.pause, self._looked = max(self.pause, now - self._looked), now
        for name, seq in there.items():
            wanted, since = self._missing.setdefault(name, (seq, now))
            if here[name] >= wanted:
                del self._missing[name]
            else:
                self.oldest = max(self.oldest, now - since)

    def deltas(self, box: Box) -> int:
        """Those that came to a box since the beginning."""
        return deltas(box) - self._deltas[box.instance]


def deltas(box: Box) -> int:
    """Frames that came to a box, without the images that it took."""
    return box.count("sim", "packets") - box.count("sim", "images")


def inject(nats: Nats, messages: list[tuple[bytes, bytes]]) -> None:
    """Publish these, as any client of the server may that knows the subjects."""
    with socket.create_connection(("127.0.0.1", nats.port), 10) as client:
        client.sendall(b"CONNECT {}\r\n")
        for begin in range(0, len(messages), 500):
            chunk = messages[begin : begin + 500]
            client.sendall(b"".join(natswire.publish(*message) for message in chunk))
        client.sendall(natswire.PING)
        heard = b""
        while b"PONG" not in heard:
            heard += client.recv(65536)


def last_price(box: Box, symbol: str) -> int:
    """In 1e-9 units, of the row."""
    return int(rows_of(box.feed("sim"))[symbol, "XNAS"][3]["price"])
