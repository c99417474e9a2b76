"""A worker that is replaced accepts nobody any more, and refuses nobody whom it has accepted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

JSON = "ticker.v1.json"
Connect = Callable[..., Any]


def retired(rig: Any) -> None:
    """Wait for the end of the worker, then start its successor on the same socket."""
    _, status = os.waitpid(rig.pid, 0)
    assert status == 0
    rig.pid = rig._fork()


@pytest.mark.slow
@pytest.mark.parametrize("rig", [{"restart_spread": 1.0}], indirect=True)
def test_places_that_come_free_are_not_filled_again(
    rig: Any, connect: Connect, wait_for: Callable[..., None]
) -> None:
    there = [connect(protocol=JSON) for _ in range(4)]
    os.kill(rig.pid, signal.SIGUSR2)
    goodbye = there[0].until("goodbye")
    assert goodbye["reason"] == "restart"
    there[0].close()
    wait_for(lambda: rig.counters["connections_closed"] >= 1)
    waiting = connect(handshake=False)
    waiting.socket.sendall(waiting.request())
    for client in there[1:]:
        assert client.until("goodbye")["reason"] == "restart"
        assert client.receive_close() == 1012
        client.close()
    assert rig.counters["connections_accepted"] == 4
    retired(rig)
    assert waiting.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")


@pytest.mark.slow
@pytest.mark.parametrize("rig", [{"restart_spread": 0.1}], indirect=True)
def test_a_request_that_comes_late_is_answered(
    rig: Any, connect: Connect, wait_for: Callable[..., None]
) -> None:
    late = connect(handshake=False)
    wait_for(lambda: rig.counters["connections_accepted"] == 1)
    leaving = connect(protocol=JSON)
    os.kill(rig.pid, signal.SIGUSR2)
    assert leaving.receive_close() == 1012
    leaving.close()
    time.sleep(0.3)  # longer than the spread
    late.socket.sendall(late.request(f"Sec-WebSocket-Protocol: {JSON}"))
    assert late.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    assert late.until("goodbye")["reason"] == "restart"
    assert late.receive_close() == 1012
    late.close()
    retired(rig)
