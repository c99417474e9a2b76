"""The running server that a load is aimed at: its address, and which of its symbols have a price.

Law: every fault is said before the first client connects, with its remedy.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ticker.bench.rig.clients import Place
from ticker.client.server import Server
from ticker.errors import BenchError, ClientError

STREAM = "/stream"
LISTED = 1000  # symbols in one answer of /symbols at most
ASKED = 200  # prices in one request
FIRST_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
EXAMPLE = "ws://127.0.0.1:8700/stream"


class Target:
    """A server by its URL, ws://host:port/path or http://host:port; `symbols` instead of those that
    it lists itself.

    Raises:
        BenchError: an address that clients cannot connect to.
    """

    def __init__(self, url: str, token: str | None = None, symbols: Iterable[str] = ()) -> None:
        parts = urlsplit(url)
        self.host, self.port = _address(url, parts)
        self.authority = parts.netloc.rpartition("@")[2]
        self.path = parts.path if parts.path not in ("", "/") else STREAM
        self.token = token or ""
        self.server = Server(f"http://{self.authority}", token)
        self.local = self.host.startswith("127.")
        self.asked = list(dict.fromkeys(symbols))
        self.symbols: list[str] = []
        self.without_price = 0
        self.status: dict[str, Any] = {}

    def choose(self, most: int, least: int) -> None:
        """Take the first `most` symbols that have a price, so that each subscription has a
        snapshot.

        Raises:
            ClientError: no server there, or it does not let us in.
            BenchError: fewer than `least`, or one that the server does not know.
        """
        self.status = self.server.get("/status")
        for some in _pieces(self.asked or self._listed(most)):
            found = self._prices(some)
            if found["unknown"] and self.asked:
                names = ", ".join(found["unknown"][:5])
                raise BenchError(f"--symbols-file: the server does not know {names}")
            priced = {price["symbol"] for price in found["prices"]}
            self.symbols += [symbol for symbol in some if symbol in priced]
            self.without_price += len(some) - len(priced)
            if len(self.symbols) >= most:
                break
        del self.symbols[most:]
        if len(self.symbols) < least:
            raise BenchError(
                f"{self.server.url}: {len(self.symbols)} symbols have a price, {least} are wanted "
                "for each client; wait until its feeds trade, or take fewer --symbols-per-client"
            )

    def _prices(self, some: list[str]) -> dict[str, list[Any]]:
        """The answer to one question, or to several where the token allows fewer in one."""
        try:
            found: dict[str, list[Any]] = self.server.get("/prices", symbols=",".join(some))
        except ClientError as error:
            if len(some) == 1 or "is the most" not in str(error):
                raise
            half = len(some) // 2
            first, second = self._prices(some[:half]), self._prices(some[half:])
            return {name: first[name] + second[name] for name in first}
        return found

    def _listed(self, wanted: int) -> list[str]:
        """The server's symbols in its own order; where one answer has no room, by first letter."""
        first = self.server.get("/symbols", limit=str(LISTED))
        found = dict.fromkeys(each["symbol"] for each in first["symbols"])
        if first["total"] > len(found) and wanted > len(found):
            for letter in FIRST_LETTERS:
                more = self.server.get("/symbols", q=letter, limit=str(LISTED))
                found.update(dict.fromkeys(each["symbol"] for each in more["symbols"]))
        return list(found)

    def place(self) -> Place:
        """For a swarm."""
        return Place(
            self.port, self.host, self.path, self.authority, self.token, tuple(self.symbols)
        )

    def described(self) -> dict[str, Any]:
        """For a report."""
        return {
            "version": self.status["version"],
            "gateways": len(self.status["gateways"]),
            "feeds": len(self.status["feeds"]),
            "symbols": self.status["symbols"],
            "subscribed_from": len(self.symbols),
            "without_price": self.without_price,
        }


def _address(url: str, parts: SplitResult) -> tuple[str, int]:
    """An IPv4 address and a port."""
    if parts.scheme in ("wss", "https"):
        raise BenchError(
            f"--url {url}: the load generator speaks no TLS; give the plain port, ws://host:port, "
            "of the server itself (without [tls]) behind the proxy that encrypts"
        )
    try:
        port = parts.port or 80
    except ValueError:
        port = 0
    if parts.scheme not in ("ws", "http") or not parts.hostname or not port:
        raise BenchError(f"--url {url}: not the URL of a server; give one like {EXAMPLE}")
    try:
        found = socket.getaddrinfo(parts.hostname, port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise BenchError(
            f"--url {url}: {parts.hostname} has no IPv4 address ({error}), which clients need"
        ) from None
    return str(found[0][4][0]), port


def symbols_in(path: Path) -> list[str]:
    """The first word of each line of a file, but for comments (#).

    Raises:
        BenchError: it cannot be read, or has none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"--symbols-file {path}: {error}") from None
    found = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise BenchError(f"--symbols-file {path}: no symbols in it, one a line")
    return found


def _pieces(symbols: list[str]) -> Iterable[list[str]]:
    for at in range(0, len(symbols), ASKED):
        yield symbols[at : at + ASKED]
