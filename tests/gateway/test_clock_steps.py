"""The host's wall clock is set while clients watch: their updates go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import urlopen

import msgspec
import pytest

from tests.stepped_clock import SteppedClock
from tests.whole_server import whole_server

DAY = 86_400.0
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> SteppedClock:
    return SteppedClock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, clock: SteppedClock) -> Iterator[str]:
    """A server with a simulated exchange, all of whose processes believe `clock`."""
    folder = tmp_path_factory.mktemp("stepped")
    with whole_server(folder, "stepped", 79, environ=clock.environ) as address:
        yield address


def quotes(url: str, client_type: Callable[..., Any], wait_for: Callable[..., None]) -> Any:
    """A client that watches the quotes of some symbols."""

    def names() -> list[str]:
        with urlopen(f"{url}/symbols?limit=20") as answer:
            return [each["symbol"] for each in msgspec.json.decode(answer.read())["symbols"]]

    wait_for(lambda: len(names()) == 20, 20)
    client = client_type(int(url.rpartition(":")[2]), protocol="ticker.v1.json")
    client.send({"action": "subscribe", "symbols": names(), "channel": "quote"})
    client.until("update")
    return client


@pytest.mark.parametrize("seconds", [-40.0, 40.0, -DAY, DAY])
def test_streams_go_on_whatever_the_wall_clock_says(
    url: str,
    clock: SteppedClock,
    seconds: float,
    client_type: Callable[..., Any],
    wait_for: Callable[..., None],
) -> None:
    client = quotes(url, client_type, wait_for)
    try:
        clock.step(seconds)
        longest, last = 0.0, time.monotonic()
        end = last + 3
        while last < end:
            client.until("update")  # a close frame fails here
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        assert longest < 1.0, f"no update for {longest:.1f} s"
    finally:
        clock.step(0)
        client.close()
