"""`ticker replay` of recordings: shown, recorded from a capture, served by a whole server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.feeds.conftest import Itch
from tests.feeds.mold_feed import packet
from tests.feeds.packets.frames import ethernet, ip4, pcap, udp
from tests.record.days import Watched, bars_of, record_day, simulated
from ticker.cli import main
from ticker.record.playback.library import recordings
from ticker.units import format_price

FROM = "2026-01-05T00:00:00Z"
SENT = 1_580_394_600 * 10**9
"""When the first packet was sent: 2020-01-30, 14:30 UTC. The others follow each 10 ms."""


def replay(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["replay", str(path), *options])


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    itch = Itch()
    begin = 34_200 * 10**9
    messages = [itch.system("O"), itch.directory(1, "AAPL")]
    messages += [itch.trade(1, 100, 3_200_000 + n, n + 1, time=begin + n) for n in range(400)]
    packets = [packet(number + 1, message) for number, message in enumerate(messages)]
    frames = [ethernet(ip4(udp(each))) for each in packets]
    path = tmp_path / "day.pcap"
    sent = [pcap(frame, time=SENT + 10**7 * n) for n, frame in enumerate(frames)]
    path.write_bytes(sent[0] + b"".join(each[24:] for each in sent[1:]))  # one file header
    return path


@contextmanager
def served(path: Path, *options: str) -> Iterator[str]:
    """The address of a server of a recording."""
    command = [sys.executable, "-m", "ticker", "replay", str(path), "--serve", "--port", "0"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            line = next(line for line in server.stdout if line.startswith("ticker: http"))
            yield line.split()[1].rstrip("/")
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0


def test_a_capture_is_recorded_and_shown_again(capture: Path, tmp_path: Path) -> None:
    options = ("--protocol", "itch50", "--json")
    before = replay(capture, *options, "--record", str(tmp_path / "out"))
    assert before.exit_code == 0, before.output
    after = replay(tmp_path / "out", "--json")
    told = json.loads(before.stdout)["symbols"]
    assert told["AAPL"]["trades"] == 400
    assert json.loads(after.stdout)["itch50"]["symbols"] == told
    [recording] = recordings(tmp_path / "out")
    assert "AAPL" in replay(recording.files[0].path).stdout


def test_a_capture_with_faults_is_the_same_each_time(capture: Path) -> None:
    def run(*options: str) -> dict[str, Any]:
        result = replay(capture, "--protocol", "itch50", "--json", *options)
        assert result.exit_code == 0, result.output
        told: dict[str, Any] = json.loads(result.stdout)
        return {name: told[name] for name in ("symbols", "packets", "counters")}

    faults = ("--faults", "loss=5%,reorder=8,duplicate=5%")
    assert run(*faults) == run(*faults) == run(*faults, "--seed", "1")
    assert run(*faults) != run(*faults, "--seed", "2")
    assert run(*faults)["counters"]["lost_messages"] > 0
    assert run("--faults", "gap=9s@09:00")["symbols"] == run()["symbols"], "nothing was sent then"
    silent = run("--faults", "gap=1s@09:30:02")
    assert silent["packets"] == 302
    assert silent["counters"]["lost_messages"] == 100


def test_wrong_usage_is_said(capture: Path, tmp_path: Path) -> None:
    assert "--protocol" in replay(capture).output
    assert "no recording" in replay(tmp_path).output
    faults = ("--protocol", "itch50", "--faults")
    assert "cannot be read; like" in replay(capture, *faults, "jitter=2").output
    assert "is no share" in replay(capture, *faults, "loss=200%").output


@pytest.mark.slow
def test_a_recorded_day_is_served(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    day = record_day(simulated(tmp_path / "day.itch", 30_000), folder)
    with served(folder, "--speed", "max", "--times", "recorded") as url:
        until(lambda: ask(f"{url}/status")["feeds"][0]["state"] == "ended")
        check_prices(url, day)
        check_bars(url, day)


def check_prices(url: str, day: Watched) -> None:
    traded = [(symbol, words) for symbol, *_, words in day.rows() if words and words["price"]]
    assert traded
    for symbol, words in traded:
        with urllib.request.urlopen(f"{url}/prices/{symbol}", timeout=5) as answer:
            text = answer.read().decode()
        price = json.loads(text)
        assert f'"price":{format_price(words["price"])},' in text
        assert (price["volume"], price["trades"], price["seq"]) == (
            words["volume"],
            words["trades"],
            words["seq"],
        )


def check_bars(url: str, day: Watched) -> None:
    """The bars that the server has made are those of the day."""
    wanted: dict[str, list[tuple[object, ...]]] = {}
    for symbol, _, opened, high, low, close, volume, trades in bars_of(day):
        figures = [float(str(each)) / 1e9 for each in (opened, high, low, close) if each]
        wanted.setdefault(str(symbol), []).append((*figures, volume, trades))
    assert wanted
    names = ("open", "high", "low", "close", "volume", "trades")

    def found(symbol: str) -> list[tuple[object, ...]]:
        try:
            bars = ask(f"{url}/bars/{symbol}?from={FROM}&limit=1000")["bars"]
        except urllib.error.HTTPError:
            return []
        return [tuple(bar[name] for name in names if bar[name] is not None) for bar in bars]

    def has(symbol: str, bars: object) -> bool:
        return found(symbol) == bars

    for symbol, bars in wanted.items():
        until(partial(has, symbol, bars))


@pytest.mark.slow
def test_a_capture_is_served_at_its_pace_and_at_todays_times(capture: Path) -> None:
    with served(capture, "--protocol", "itch50") as url:
        until(lambda: ask(f"{url}/prices?symbols=AAPL")["prices"])
        [price] = ask(f"{url}/prices?symbols=AAPL")["prices"]
        seen = price["seq"]
        until(lambda: ask(f"{url}/prices/AAPL")["seq"] > seen)
        assert price["server_timestamp"][:10] == time.strftime("%Y-%m-%d", time.gmtime())
        until(lambda: ask(f"{url}/prices/AAPL")["seq"] == 400)
