"""PITCH live: a late start by spin, gaps by the proxy, and the refusals of both."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.feeds.cboe_live import UNITS, Exchange
from tests.feeds.worker_process import LOOPBACK, Worker, wait_for
from ticker.bench.rig.ports import free_port
from ticker.feeds.cboe.frames import FrameReader, frame
from ticker.simulate.cboe_exchange import CboeExchange, CboeSettings
from ticker.simulate.servers.cboe import ProxyLimits

# Not the last sale: one may have been made while nobody heard it, and none since.
BOOK = ("bid", "bid_size", "ask", "ask_size", "status")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with ExitStack() as stack:
        yield Exchange(stack)


def books(worker: Worker) -> dict[str, dict[str, int]]:
    return {symbol: {name: row[name] for name in BOOK} for symbol, row in worker.rows().items()}


def quotes(worker: Worker) -> dict[str, list[int]]:
    return {symbol: [row[name] for name in BOOK[:4]] for symbol, row in worker.rows().items()}


@pytest.mark.slow
def test_a_late_start_has_the_same_books(exchange: Exchange) -> None:
    """One worker hears it all; one comes late, dies, and its successor comes later still."""
    first = exchange.worker(patience=5)  # its gaps wait until the proxy is there
    exchange.speak("--duration", "5", "--loss", "1%", "--reorder", "8")
    wait_for(lambda: first["messages"] > 10_000)
    late = exchange.worker(exchange.spins())
    wait_for(lambda: late["images"] == UNITS and late.heartbeat.state == "live")
    late.kill()
    late.start()
    wait_for(lambda: late["images"] == 2 * UNITS and late.heartbeat.state == "live")
    wait_for(lambda: first.heartbeat.state == "ended" and late.heartbeat.state == "ended")
    assert books(late) == books(first)
    assert len(books(late)) == 30
    for worker in (first, late):
        assert (worker["lost_messages"], worker["bad_packets"], worker["bad_orders"]) == (0, 0, 0)
        assert worker["unknown_orders"] == 0


@pytest.mark.slow
def test_an_image_heals_the_book_of_a_unit_that_lost_messages(exchange: Exchange) -> None:
    """One worker asks the proxy; the other has none, and lost packets of both lines for good."""
    whole = exchange.worker(patience=5)  # its gaps wait until the proxy is there
    hurt = exchange.worker(exchange.spins(), asks=False)
    exchange.speak("--duration", "3", "--loss", "10%", "--linger", "8")
    wait_for(lambda: whole.heartbeat.state == "ended")
    assert whole["lost_messages"] == 0
    wait_for(lambda: quotes(hurt) == quotes(whole))
    assert hurt["lost_messages"] > 0
    assert hurt["images"] > UNITS


@pytest.mark.slow
def test_without_the_spin_server_a_late_start_goes_on(exchange: Exchange) -> None:
    nobody = [f"{LOOPBACK}:{free_port()}" for _ in range(UNITS)]
    exchange.speak("--duration", "60")
    late = exchange.worker(f"units = [1, 2, 3]\nspin = {json.dumps(nobody)}\nspin_timeout = 0.5\n")
    started = time.monotonic()
    wait_for(lambda: late["trades"] > 10)
    assert time.monotonic() - started < 5
    assert late["images"] == 0
    wait_for(lambda: late.heartbeat.state == "live")


class Client:
    """A bare client of one of the simulated servers."""

    def __init__(self, address: tuple[str, int] | None) -> None:
        assert address is not None
        self.socket = socket.create_connection(address, timeout=5)
        self.reader = FrameReader()
        self.messages: list[bytes] = []
        self.waiting: list[bytes] = []

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def login(self, username: bytes = b"TICK", password: bytes = b"secret") -> bytes:
        login = struct.pack("<BB4s4s2s10s", 22, 1, b"0001", username, b"  ", password.ljust(10))
        return self.ask(login, 0x02)

    def ask(self, message: bytes, kind: int) -> bytes:
        self.socket.sendall(frame(message))
        return self.until(kind)

    def until(self, kind: int) -> bytes:
        """The next message of a kind; those before it are in `messages`."""
        self.messages = []
        while True:
            while self.waiting:
                message = self.waiting.pop(0)
                if message[1] == kind:
                    return message
                self.messages.append(message)
            data = self.socket.recv(65536)
            assert data, "closed"
            self.waiting = [m for each in self.reader.receive_data(data) for m in each]

    def gap(self, unit: int, sequence: int, count: int) -> str:
        request = struct.pack("<BBBIH", 9, 3, unit, sequence, count)
        answer = self.ask(request, 0x04)
        assert struct.unpack_from("<BIH", answer, 2) == (unit, sequence, count)
        return answer[9:10].decode()


@pytest.fixture
def simulated() -> Iterator[Callable[..., CboeExchange]]:
    """`simulated(**settings)`: an exchange that speaks in a thread."""
    stopping = threading.Event()
    with ExitStack() as stack:

        def make(**settings: Any) -> CboeExchange:
            free: tuple[str, int] = (LOOPBACK, 0)
            made = CboeExchange(
                CboeSettings(
                    symbols=20,
                    units=2,
                    rate=5000,
                    lines=((LOOPBACK, free_port()),),
                    gap_proxy=free,
                    gap_line=(LOOPBACK, free_port()),
                    spin=(free, free),
                    **settings,
                )
            )
            stack.enter_context(made)
            thread = threading.Thread(target=made.run, args=(stopping.is_set, None, 0.0))
            thread.start()
            stack.callback(thread.join)
            stack.callback(stopping.set)
            return made

        yield make


Simulated = Callable[..., CboeExchange]


@pytest.mark.slow
def test_what_the_proxy_refuses(simulated: Simulated) -> None:
    limits = ProxyLimits(most_count=50, per_second=80, account=("TICK", "secret"))
    exchange = simulated(limits=limits)
    with Client(exchange.gap_proxy) as client:
        assert client.login()[2:3] == b"A"
        wait_for(lambda: client.gap(1, 1, 1) == "A")
        assert client.gap(1, 1, 51) == "C"
        assert client.gap(1, 1, 0) == "C"
        assert client.gap(1, 0, 1) == "O"
        assert client.gap(1, 1 << 30, 1) == "O"
        assert client.gap(3, 1, 1) == "I"
        wait_for(lambda: client.gap(2, 50, 1) == "A")
        assert [client.gap(2, 1, 50), client.gap(2, 1, 50)] == ["A", "S"]
        wait_for(lambda: client.gap(2, 1, 50) == "A")
    with Client(exchange.gap_proxy) as client:
        assert client.login(password=b"guess")[2:3] == b"N"
        assert client.socket.recv(10) == b""


@pytest.mark.slow
def test_who_asks_before_the_login_is_dropped(simulated: Simulated) -> None:
    exchange = simulated()
    for address in (exchange.gap_proxy, exchange.spin(1)):
        with Client(address) as client:
            client.socket.sendall(frame(struct.pack("<BBBIH", 9, 3, 1, 1, 1)))
            assert client.socket.recv(10) == b""


@pytest.mark.slow
def test_an_image_is_announced_asked_for_and_finished(simulated: Simulated) -> None:
    exchange = simulated()
    with Client(exchange.spin(2)) as client:
        assert client.login()[2:3] == b"A"
        sequence = struct.unpack_from("<I", client.until(0x80), 2)[0]
        wrong = client.ask(struct.pack("<BBI", 6, 0x81, sequence + 1_000_000), 0x82)
        assert wrong[10:11] == b"O"
        answer = client.ask(struct.pack("<BBI", 6, 0x81, sequence), 0x82)
        assert struct.unpack_from("<I", answer, 2)[0] == sequence
        orders, status = struct.unpack_from("<Ic", answer, 6)
        assert status == b"A"
        finished = client.until(0x83)
        image = client.messages
        assert struct.unpack_from("<I", finished, 2)[0] == sequence
        assert image[0][1] == 0x20
        assert sum(message[1] in (0x21, 0x22, 0x2F) for message in image) == orders
        assert sum(message[1] == 0x31 for message in image) == 10
