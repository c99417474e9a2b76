"""All of NATS is away for a minute: last prices, then all prices again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cluster.fleet import seen
from tests.cluster.servers import Nats, gateway, ingest, running, wait_for
from tests.cluster.watching import Watch, same_rows, stop_exchange

AWAY = 60.0
STALE = 1.5
"""s: 1.0 without a frame, a turn of the bridge, and a machine that tests share."""
WHOLE = 2.0


@pytest.mark.stress
def test_after_a_minute_without_a_bus_all_is_whole_within_two_seconds(
    nats: Nats, tmp_path: Path
) -> None:
    lines = ingest(tmp_path, f'"{nats.url}"', network=74)
    served = gateway(tmp_path, f'"{nats.url}"')
    with running(lines, served):
        wait_for(lambda: served.state("sim") == "live" and served.count("sim", "trades") > 100)
        watch = Watch(served)
        nats.kill()
        gone = time.monotonic()
        wait_for(lambda: watch.look() and served.state("sim") == "stale")
        assert time.monotonic() - gone < STALE
        still = seen(served)
        wait_for(lambda: watch.look() and time.monotonic() - gone > AWAY, seconds=AWAY + 10)
        assert seen(served) == still, "the last prices stand"
        moment = seen(lines)
        assert moment != still
        nats.start()
        back = time.monotonic()
        wait_for(
            lambda: (
                watch.look()
                and served.state("sim") == "live"
                and all(seen(served)[name] >= seq for name, seq in moment.items())
            )
        )
        took = time.monotonic() - back
        print(f"whole {took:.2f} s after the return")
        assert took < WHOLE
        stop_exchange(lines)
        wait_for(lambda: watch.look() and same_rows(lines, served))
        assert lines.relay("dropped") == 0
