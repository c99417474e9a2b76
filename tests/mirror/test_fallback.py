"""A gateway box without a bus, with a real Redis for the prices that it lacks."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.servers import Box, running, wait_for
from tests.gateway.rest.test_elsewhere import OBJECT
from tests.mirror.redis_servers import RedisProgram
from ticker.bench.rig.ports import free_port

pytestmark = pytest.mark.slow


def box_of(folder: Path, redis: RedisProgram) -> Box:
    return Box(
        folder,
        f"""
[server]
instance = "INSTANCE"
port = 0
[store]
enabled = false
[cluster.redis]
url = "{redis.url}"
fallback = true
[[feeds]]
name = "quiet"
protocol = "itch50"
venue = "XNAS"
lines = ["127.0.0.1:{free_port()}"]
rows = 64
required = false
""",
    )


def get(box: Box, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(box.url + path, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def counters(box: Box) -> dict[str, float]:
    with urllib.request.urlopen(f"{box.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    start = "ticker_gateway_fallback_"
    return {
        line.split("{")[0].removeprefix(start).removesuffix("_total"): float(line.split()[-1])
        for line in lines
        if line.startswith(start) and 'gateway="0"' in line
    }


def test_a_box_gives_prices_that_only_the_redis_has(redis: RedisProgram, tmp_path: Path) -> None:
    from redis import Redis

    client: Any = Redis(port=redis.port, socket_timeout=5)
    client.set("latest:AAPL", json.dumps(OBJECT))
    client.set("latest:BAD", json.dumps(OBJECT))
    box = box_of(tmp_path, redis)
    with running(box):
        status, found = get(box, "/prices/AAPL")
        assert status == 200
        assert (found["price"], found["status"], found["stale"]) == (185.42, "stale", True)
        assert get(box, "/prices/MSFT")[1]["code"] == "unknown_symbol"
        assert get(box, "/prices/BAD")[1]["code"] == "unknown_symbol"
        found = get(box, "/prices?symbols=AAPL,BAD,MSFT")[1]
        assert [each["symbol"] for each in found["prices"]] == ["AAPL"]
        assert found["unknown"] == ["BAD", "MSFT"]
        assert get(box, "/prices/AAPL?venue=XNAS")[0] == 404
        assert counters(box) == {"reads": 6, "hits": 2, "faults": 2, "refused": 0}
        assert get(box, "/status")[1]["mirror"] is None or not client.keys("latest:quiet*")
        slow_and_gone(redis, box)


def slow_and_gone(redis: RedisProgram, box: Box) -> None:
    """A stopped Redis costs one request a quarter of a second, and nobody else anything."""
    redis.send_signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(get, box, f"/prices/S{number}") for number in range(8)]
            begun = time.monotonic()
            assert get(box, "/healthz")[0] == 200
            assert time.monotonic() - begun < 0.2, "the loop does not wait"
            assert {each.result()[0] for each in waiting} == {404}
        begun = time.monotonic()
        assert get(box, "/prices/AAPL")[0] == 404
        assert time.monotonic() - begun < 0.2, "it is left alone for a while"
    finally:
        redis.send_signal(signal.SIGCONT)
    wait_for(lambda: get(box, "/prices/AAPL")[0] == 200)
    redis.kill()
    wait_for(lambda: get(box, "/prices/AAPL")[0] == 404)
    assert get(box, "/prices/S1")[1]["code"] == "unknown_symbol"
