"""Every fault of the disk is a state, a count and a line that says what to do, and it ends when the
fault does; for last prices and for days and bars."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from ticker.config import Config
from ticker.config.store import StoreConfig
from ticker.feeds.calls import TRADE_REGULAR, Calls
from ticker.feeds.market.market import Market
from ticker.gateway.rest.store import store_report
from ticker.shm import segment
from ticker.shm.header import KIND_STORE
from ticker.shm.segment import Geometry
from ticker.store import sqlite as history_module
from ticker.store.context import StoreContext
from ticker.store.disk import generations, steps
from ticker.store.past import read_days
from ticker.store.reader import HistoryReader
from ticker.store.snapshot import checksum
from ticker.store.worker import COMMIT_TURNS, StoreWorker

E9 = 1_000_000_000
NOW = 1_790_000_000 * E9
LAST, HISTORY = "last prices of f", "days and bars of f"
TIDY = "old days and bars"


class Kept:
    """A feed that trades, and a store worker whose turns the test takes."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder = folder
        instance = f"faults{os.getpid()}"
        self.names = segment.feed_name(instance, "f"), segment.store_name(instance)
        feed = segment.create_feed(self.names[0], Geometry(2048, 1, 4096), 1, NOW)
        segment.create_worker(self.names[1], KIND_STORE, 1, NOW)
        self.market = Market(feed, venue="XNAS")
        self.calls = Calls(self.market)
        self.calls.start_session(NOW - NOW % (86_400 * E9))
        self.row = self.calls.define(1, "AAPL")
        self.trades = 0
        self.context = StoreContext(
            segment=self.names[1], boot_id=1, feeds=(("f", self.names[0]),), folder=folder
        )
        self.worker_config = Config(store=StoreConfig(url=url))
        self.now = NOW + E9
        self.worker = StoreWorker(self.worker_config, self.context, lambda: self.now)
        self.worker.heartbeat.take_over(1, NOW)

    def commit(self) -> list[Any]:
        """A trade in another minute, and turns until all should be on the disk; what was logged
        meanwhile."""
        self.trades += 1
        self.now += 60 * E9
        self.worker.heartbeat.beat(self.now)  # as its other thread does
        time_ns = NOW + self.trades
        self.calls.trade(self.row, 5 * E9, 1, self.trades, TRADE_REGULAR, time_ns, time_ns)
        self.market.publish(time_ns)
        with structlog.testing.capture_logs() as lines:
            for _ in range(COMMIT_TURNS):
                self.worker.turn()
            if self.worker.config.url is not None:
                self.worker.commit()
        return list(lines)

    @property
    def status(self) -> Any:
        return store_report(segment.attach(self.names[1], KIND_STORE), self.now + E9)

    def close(self) -> None:
        if self.worker.history is not None:
            self.worker.history.close()
        for name in self.names:
            segment.remove(name)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.close()


def failing(error: int) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise OSError(error, os.strerror(error))

    return fail


def fails(kept: Kept, what: str, code: int, words: str) -> str:
    """The fault shows everywhere, and the other half of the store goes on. Its reason."""
    faults = kept.status.faults
    said = [line for line in kept.commit() if line["event"] == "cannot be written"]
    assert [line["what"] for line in said if line["what"] != TIDY] == [what]
    assert said[0]["log_level"] == "error"
    assert said[0]["reason"]
    assert said[0]["advice"]
    status = kept.status
    assert status.state == "failing"
    assert status.faults > faults
    assert status.reason.startswith(f"{errno.errorcode[code]}, {words};"), status.reason
    assert kept.commit() == [], "once a minute is enough"
    return str(said[0]["reason"])


def recovers(kept: Kept, what: str) -> None:
    assert ("is written again", what) in [
        (line["event"], line.get("what")) for line in kept.commit()
    ]
    assert kept.status.state == "ok"
    assert kept.status.reason is None
    assert [row["trades"] for row in read_days(HistoryReader(kept.folder), "AAPL", 1)] == [
        kept.trades
    ]


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("write", errno.ENOSPC, "the disk is full"),
        ("write", errno.EDQUOT, "the quota is used up"),
        ("open", errno.EROFS, "it is read-only"),
        ("open", errno.EACCES, "it is another user's"),
    ],
)
def test_last_prices_on_a_disk_that_fails(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, call: str, code: int, words: str
) -> None:
    assert kept.commit() == []
    assert kept.status.state == "ok"
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(code))
        patch.setattr(kept.worker, "_chronicle", lambda *_, **__: None)
        patch.setattr(kept.worker, "_tidy", lambda: None)
        fails(kept, LAST, code, words)
    recovers(kept, LAST)


def month_of(kept: Kept) -> Path:
    (month,) = (kept.folder / "history").glob("*.sqlite")
    return month


def test_a_full_disk_for_days_and_bars(kept: Kept) -> None:
    kept.commit()
    history = kept.worker.history
    assert isinstance(history, history_module.History)
    file = history._file(month_of(kept).stem)
    file.execute(f"PRAGMA max_page_count = {file.execute('PRAGMA page_count').fetchone()[0]}")
    for key in range(2, 1000):
        row = kept.calls.define(key, f"ANOTHER-SYMBOL-{key}")
        kept.calls.trade(row, 5 * E9, 1, 10_000 + key, TRADE_REGULAR, NOW + 1, NOW + 1)
    (line,) = [line for line in kept.commit() if line["event"] == "cannot be written"]
    assert line["what"] == HISTORY
    assert "make room" in line["advice"]
    status = kept.status
    assert (status.state, status.faults) == ("failing", 1)
    assert "ENOSPC, the disk is full" in status.reason
    recovers(kept, HISTORY)
    assert len(read_days(HistoryReader(kept.folder), "ANOTHER-SYMBOL-999", 1)) == 1


def test_a_read_only_file_of_days_and_bars(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.commit()
    prepared = history_module._prepared

    def read_only(path: Path) -> sqlite3.Connection:
        file = prepared(path)
        file.execute("PRAGMA query_only = ON")
        return file

    with monkeypatch.context() as patch:
        patch.setattr(history_module, "_prepared", read_only)
        assert kept.worker.history is not None
        kept.worker.history.close()
        fails(kept, HISTORY, errno.EROFS, "it is read-only")
    recovers(kept, HISTORY)


def test_a_file_that_is_moved_away_is_begun_anew(kept: Kept) -> None:
    kept.commit()
    (path,) = (kept.folder / "history").glob("*.sqlite")
    path.rename(path.with_name("aside"))
    assert kept.commit() == []
    assert path.exists()
    assert [row["trades"] for row in read_days(HistoryReader(kept.folder), "AAPL", 1)] == [
        kept.trades
    ]


def test_files_of_a_newer_version(kept: Kept) -> None:
    (kept.folder / "history").mkdir()
    month = kept.folder / "history" / "2026-09.sqlite"
    with sqlite3.connect(month) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    before = month.read_bytes()
    fails(kept, HISTORY, errno.EPROTONOSUPPORT, "a newer version of ticker wrote it")
    assert month.read_bytes() == before
    month.unlink()
    recovers(kept, HISTORY)


def test_last_prices_of_a_newer_version(kept: Kept) -> None:
    kept.commit()
    paths = list((kept.folder / "last").glob("f.[01]"))
    wanted = {path: newer(path.read_bytes()) for path in paths}
    for path, data in wanted.items():
        path.write_bytes(data)
    kept.worker.snapshots.clear()
    fails(kept, LAST, errno.EPROTONOSUPPORT, "a newer version of ticker wrote it")
    assert {path: path.read_bytes() for path in paths} == wanted
    for path in paths:
        path.unlink()
    recovers(kept, LAST)


def newer(snapshot: bytes) -> bytes:
    head = bytearray(snapshot)
    head[8] += 1
    head[124:128] = checksum(bytes(head[:124])).to_bytes(4, "little")
    return bytes(head)


@pytest.mark.parametrize("folder", ["last", "history"])
def test_a_folder_of_another_user(kept: Kept, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    require = generations.require_own

    def another(path: Path, status: os.stat_result) -> None:
        if path.name == folder:
            status = os.stat_result((*status[:4], os.geteuid() + 1, *status[5:]))
        require(path, status)

    with monkeypatch.context() as patch:
        patch.setattr(generations, "require_own", another)
        fails(kept, LAST if folder == "last" else HISTORY, errno.EACCES, "it is another user's")
    recovers(kept, LAST if folder == "last" else HISTORY)


def test_a_file_of_days_and_bars_of_another_user(kept: Kept) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    kept.commit()
    assert kept.worker.history is not None
    kept.worker.history.close()
    os.chown(month_of(kept), 12345, -1)
    fails(kept, HISTORY, errno.EACCES, "it is another user's")
    os.chown(month_of(kept), 0, -1)
    recovers(kept, HISTORY)


def test_another_program_holds_the_file(kept: Kept) -> None:
    kept.commit()
    with sqlite3.connect(month_of(kept), isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        fails(kept, HISTORY, errno.EBUSY, "another program holds the file")
        other.execute("ROLLBACK")
    other.close()
    recovers(kept, HISTORY)


def test_a_write_that_does_not_come_back(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.commit()
    stuck, go_on = threading.Event(), threading.Event()
    sync = os.fsync

    def slow(fd: int) -> None:
        stuck.set()
        assert go_on.wait(30)
        sync(fd)

    monkeypatch.setattr(steps, "SLOW", 0.0)
    with monkeypatch.context() as patch, structlog.testing.capture_logs() as lines:
        patch.setattr(os, "fsync", slow)
        kept.calls.trade(kept.row, 6 * E9, 1, 999, TRADE_REGULAR, NOW + 99, NOW + 99)
        kept.market.publish(NOW + 99)
        turn = threading.Thread(target=kept.worker.turn)
        turn.start()
        try:
            assert stuck.wait(30)
            kept.worker.steps.watch()
            kept.worker.steps.watch()
            status = kept.status
            assert (status.state, status.faults) == ("failing", 1)
            assert status.reason.startswith("ETIMEDOUT, the disk is slow;")
        finally:
            go_on.set()
            turn.join()
    assert kept.status.state == "ok"
    said = [(line["event"], line["what"]) for line in lines]
    assert said == [
        ("cannot be written", f"{LAST}, in 0 s"),
        ("is written again", f"{LAST}, in 0 s"),
    ]


def test_a_worker_without_a_sign_of_life_is_hung(kept: Kept) -> None:
    kept.commit()
    assert kept.status.state == "ok"
    kept.now += 2 * E9
    status = kept.status
    assert status.state == "hung"
    assert "no sign of life" in status.reason
