"""`ticker record` and [record] beside a whole server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tests.whole_server import whole_server
from ticker.cli import main
from ticker.record.files import recorded

pytestmark = pytest.mark.slow


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A recorder that does not outlive a test that fails."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
        try:
            yield recorder
        finally:
            if recorder.poll() is None:
                recorder.kill()


def events_of(folder: Path) -> list[dict[str, Any]]:
    return [event for file in recorded(folder) for event in pq.read_table(file.path).to_pylist()]


def check_trades(events: list[dict[str, Any]]) -> None:
    """Nothing is missing between the first and the last trade of a symbol."""
    by_symbol: dict[str, list[int]] = {}
    for event in events:
        if event["kind"] in ("trade", "print"):
            assert event["trade_id"] is not None
            by_symbol.setdefault(event["symbol"], []).append(event["seq"])
    assert by_symbol
    for seqs in by_symbol.values():
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


def test_a_running_server_is_recorded_from_outside(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with whole_server(tmp_path, "record", 31) as url:
        until(lambda: ask(f"{url}/status")["feeds"][0]["state"] == "live")
        assert ask(f"{url}/status")["recorder"]["state"] == "off"
        command = [sys.executable, "-m", "ticker", "record", "--output", str(folder)]
        command += ["--config", str(tmp_path / "ticker.toml"), "--interval", "0.2"]
        with started(command) as recorder:
            assert recorder.stdout is not None
            assert recorder.stdout.readline().startswith("recording sim to ")
            until(lambda: any(pq_rows(folder) for _ in (0,)))
            recorder.send_signal(signal.SIGTERM)
            assert recorder.wait(20) == 0
            said = recorder.stdout.read()
        assert said.startswith("sim: ")
        assert " 0 lapped, 0 dropped" in said
    events = events_of(folder)
    assert {"trade", "quote", "row", "feed"} <= {event["kind"] for event in events}
    check_trades(events)


def pq_rows(folder: Path) -> int:
    """Events that can be read now."""
    if not folder.is_dir():
        return 0
    found = 0
    for file in recorded(folder):
        if file.path.stat().st_size > 0:
            try:
                found += pq.read_metadata(file.path).num_rows
            except (OSError, pa.ArrowInvalid):
                return 0  # amid a commit
    return found if found > 2000 else 0


def test_a_server_records_by_itself_and_says_what_the_disk_says(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.write_text("in the way")
    more = f'\n[record]\nenabled = true\nfolder = "{folder}"\ninterval = 0.2\n'
    with whole_server(tmp_path, "recorder", 32, more) as url:
        until(lambda: ask(f"{url}/status")["recorder"]["state"] == "failing")
        told = ask(f"{url}/status")
        assert told["recorder"]["faults"] > 0
        assert "the log of the server says what to do" in told["recorder"]["reason"]
        until(lambda: ask(f"{url}/status")["feeds"][0]["state"] == "live")
        assert ask(f"{url}/readyz")
        folder.unlink()
        until(lambda: ask(f"{url}/status")["recorder"]["state"] == "ok")
        until(lambda: ask(f"{url}/status")["recorder"]["events"] > 2000)
        assert ask(f"{url}/status")["recorder"]["disk_bytes"] > 0
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
            metrics = answer.read().decode()
        assert 'ticker_recorder_lapped_total{recorder="recorder"} 0.0' in metrics
        assert "ticker_recorder_faults_total" in metrics
    check_trades(events_of(folder))


def test_the_raw_packets_are_recorded_on_both_lines(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with whole_server(tmp_path, "packets", 33) as url:
        until(lambda: ask(f"{url}/status")["feeds"][0]["state"] == "live")
        command = [sys.executable, "-m", "ticker", "record", "--output", str(folder), "--packets"]
        command += ["--config", str(tmp_path / "ticker.toml")]
        with started(command) as recorder:
            assert recorder.stdout is not None
            assert recorder.stdout.readline().startswith("recording sim to ")
            until(lambda: sum(each.stat().st_size for each in folder.glob("*.pcapng")) > 500_000)
            recorder.send_signal(signal.SIGTERM)
            assert recorder.wait(20) == 0
            said = recorder.stdout.read()
        assert "0 lapped, 0 dropped" in said
    file = sorted(folder.glob("*.pcapng"))[0]
    lines = ("--channel", "239.192.33.1:26477,239.192.33.2:26477")
    result = CliRunner().invoke(
        main, ["replay", str(file), "--protocol", "itch50", "--json", *lines]
    )
    told = json.loads(result.stdout)
    assert told["counters"]["packets_line_a"] > 100
    assert told["counters"]["packets_line_b"] > 100
    assert told["capture"]["not_read"] == {}
    assert told["capture"]["without_time"] == 0


def test_what_cannot_be_recorded_is_said_at_once(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        f'[server]\ninstance = "none-{os.getpid()}"\n[[feeds]]\nname = "f"\nprotocol = "itch50"\n'
        'session = "moldudp64"\nvenue = "XNAS"\nlines = ["127.0.0.1:26700"]\n'
    )
    command = ["record", "--output", str(tmp_path / "out"), "--config", str(config)]
    assert "ticker serve" in CliRunner().invoke(main, command).output
    result = CliRunner().invoke(main, [*command, "--feed", "other"])
    assert result.exit_code == 3
    assert "there is no feed 'other'; known: f" in result.output


def test_record_feeds_are_named_as_they_are(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[record]\nenabled = true\nfeeds = ["nowhere"]\n')
    result = CliRunner().invoke(main, ["check", "--config", str(config)])
    assert "record.feeds[0]: there is no feed 'nowhere'" in result.output
