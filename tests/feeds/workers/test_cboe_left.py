"""A gap proxy that takes a login and answers nothing is left alone, and the log says so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from tests.feeds.cboe_feed import numbered
from tests.feeds.worker_process import LOOPBACK, Worker, has_lost, wait_for
from ticker.bench.rig.ports import free_port
from ticker.feeds.cboe.frames import LOGIN_RESPONSE, TYPE_LOGIN_RESPONSE, frame

ACCEPTED = LOGIN_RESPONSE.pack(LOGIN_RESPONSE.size, TYPE_LOGIN_RESPONSE, b"A")
UNITS = (1, 2)


@pytest.fixture
def proxy() -> Iterator[tuple[str, int]]:
    """Its address."""
    over = threading.Event()

    def beat(client: socket.socket) -> None:
        with client:
            client.sendall(frame(ACCEPTED))
            while not over.wait(0.5):
                client.sendall(frame())

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        client.recv(64)
        beat(client)

    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.settimeout(15)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()
        over.set()
        thread.join()


@pytest.mark.slow
def test_a_proxy_that_answers_nothing_is_told_of_once(proxy: tuple[str, int]) -> None:
    line, gaps = free_port(), free_port()
    worker = Worker(
        '[[feeds]]\nname = "bzx"\nvenue = "BATS"\nprotocol = "pitch"\n'
        f'request_timeout = 0.02\nrequest_attempts = 2\nlines = ["{LOOPBACK}:{line}"]\n'
        f'[feeds.pitch]\ngap_proxy = "{LOOPBACK}:{proxy[1]}"\ngap_lines = ["{LOOPBACK}:{gaps}"]\n'
    )
    try:
        wait_for(lambda: "logged in" in worker.log())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as venue:
            at = 1
            for lost in (2, 4):
                for unit in UNITS:
                    for sequence in (at, at + 2, at + 3):  # the one between is missing
                        venue.sendto(numbered(sequence, unit=unit), (LOOPBACK, line))
                at += 4
                wait_for(partial(has_lost, worker.mapping, lost))
            wait_for(lambda: "left alone" in worker.log())
        told = [each for each in worker.log().splitlines() if "left alone" in each]
        assert len(told) == 1
        assert "gap proxy is left alone" in told[0]
        assert f"{LOOPBACK}:{proxy[1]}" in told[0]
        assert "it does not answer" in told[0]
    finally:
        worker.close()
