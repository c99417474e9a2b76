"""Every fault of a database is a state, a count and a line that says what to do; the last prices go
on, no password is in a word, and what waited is written once the fault is over."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import structlog

from tests.store.postgres_server import PASSWORD, PostgresServer
from tests.store.test_faults import HISTORY, NOW, TIDY, Kept, fails
from tests.supervisor.test_serve import until
from ticker.feeds.calls import TRADE_REGULAR
from ticker.store import chronicle, server
from ticker.store import postgres as postgres_module
from ticker.store.disk import steps
from ticker.store.past import read_days, read_minutes
from ticker.store.postgres import Database, DatabaseReader
from ticker.store.rows import Place

pytestmark = pytest.mark.slow
E9 = 1_000_000_000
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
"""


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.database()


@pytest.fixture(autouse=True)
def tries_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_module, "RETRY", 0.0)


@pytest.fixture
def kept(tmp_path: Path, url: str) -> Iterator[Kept]:
    made = Kept(tmp_path, url)
    yield made
    made.close()


OWN_BACKEND = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'ticker' AND datname = current_database() AND pid != pg_backend_pid()
"""
Fault = Callable[[PostgresServer, str], AbstractContextManager[None]]


@contextmanager
def down(postgres: PostgresServer, _: str) -> Iterator[None]:
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


def queries(before: tuple[str, ...], after: tuple[str, ...]) -> Fault:
    """A fault that queries of an administrator make, and end; {name} is the database."""

    @contextmanager
    def fault(postgres: PostgresServer, url: str) -> Iterator[None]:
        name = url.rpartition("/")[2]
        for query in before:
            postgres.ask("postgres" if "DATABASE" in query else url, query.format(name=name))
        yield
        for query in after:
            postgres.ask("postgres" if "DATABASE" in query else url, query.format(name=name))

    return fault


CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ticker'"
FAULTS: dict[str, tuple[Fault, int, str]] = {
    "down": (down, errno.ECONNREFUSED, "the database server cannot be reached"),
    "full": (
        queries(
            (FULL, "CREATE TRIGGER full_disk BEFORE INSERT ON days EXECUTE FUNCTION full_disk()"),
            ("DROP TRIGGER full_disk ON days",),
        ),
        errno.ENOSPC,
        "the disk is full",
    ),
    "read-only": (
        queries(
            ("ALTER DATABASE {name} SET default_transaction_read_only = on", CUT),
            ("ALTER DATABASE {name} RESET default_transaction_read_only",),
        ),
        errno.EROFS,
        "it is read-only",
    ),
    "a changed table": (
        queries(("ALTER TABLE days RENAME TO other",), ("ALTER TABLE other RENAME TO days",)),
        errno.EPROTO,
        "the database refuses a statement",
    ),
    "renamed": (
        queries(
            (CUT, "ALTER DATABASE {name} RENAME TO away"),
            ("ALTER DATABASE away RENAME TO {name}",),
        ),
        errno.ENODEV,
        "there is no such database or schema",
    ),
}


def is_clean(lines: list[Any]) -> None:
    assert PASSWORD not in repr(lines)
    assert quote(PASSWORD, safe="") not in repr(lines)


def recovers(tmp_path: Path, kept: Kept, url: str) -> None:
    lines = kept.commit()
    assert ("is written again", HISTORY) in [(line["event"], line.get("what")) for line in lines]
    status = kept.status
    assert (status.state, status.reason, status.waiting, status.dropped) == ("ok", None, 0, 0)
    assert status.database_bytes > 0
    reader = DatabaseReader(url, tmp_path)
    assert [row["trades"] for row in read_days(reader, "AAPL", 1)] == [kept.trades]
    bars = read_minutes(reader, "AAPL", 0, 1 << 40)
    assert sum(row["trades"] for row in bars) == kept.trades
    reader.close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_and_its_end(
    tmp_path: Path, postgres: PostgresServer, kept: Kept, url: str, name: str
) -> None:
    fault, code, words = FAULTS[name]
    assert kept.commit() == []
    assert kept.status.state == "ok"
    with fault(postgres, url):
        snapshots = kept.status.snapshots
        with structlog.testing.capture_logs() as lines:
            reason = fails(kept, HISTORY, code, words)
        is_clean([*lines, reason, kept.status])
        assert kept.status.snapshots > snapshots, "last prices are of the disk"
        assert kept.status.waiting >= 2
    recovers(tmp_path, kept, url)


def test_a_server_that_is_down_at_the_start(
    tmp_path: Path, postgres: PostgresServer, kept: Kept, url: str
) -> None:
    """Bars are made meanwhile, and nothing is missing afterwards."""
    with down(postgres, url):
        fails(kept, HISTORY, *FAULTS["down"][1:])
    recovers(tmp_path, kept, url)
    reader = DatabaseReader(url, tmp_path)
    assert reader.holes(0, 1 << 62) == []
    reader.close()


def test_a_restart_of_the_server_between_two_commits(
    tmp_path: Path, postgres: PostgresServer, kept: Kept, url: str
) -> None:
    kept.commit()
    postgres.stop("fast")
    postgres.start()
    lines = kept.commit()
    assert [line["event"] for line in lines if line["what"] != TIDY] == ["cannot be written"]
    recovers(tmp_path, kept, url)


def test_a_wrong_password(postgres: PostgresServer, tmp_path: Path, url: str) -> None:
    name = url.rpartition("/")[2]
    role = f"for_{name}"
    postgres.ask("postgres", f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'other'")
    kept = Kept(tmp_path, postgres.url(name, user=role))
    try:
        words = "the database server refuses the user or the password"
        with structlog.testing.capture_logs() as lines:
            reason = fails(kept, HISTORY, errno.EKEYREJECTED, words)
        is_clean([*lines, reason])
        assert "password authentication failed" in reason
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as owner:
            owner.execute(
                psycopg.sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    psycopg.sql.Identifier(role), psycopg.sql.Literal(PASSWORD)
                )
            )
        recovers(tmp_path, kept, url)
    finally:
        kept.close()


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (
            "UPDATE store SET format = 99",
            errno.EPROTONOSUPPORT,
            "a newer version of ticker wrote it",
        ),
        (
            "UPDATE store SET instance = 'other'",
            errno.EALREADY,
            "another server writes to the database",
        ),
    ],
)
def test_the_tables_of_another(
    tmp_path: Path,
    postgres: PostgresServer,
    kept: Kept,
    url: str,
    change: str,
    code: int,
    words: str,
) -> None:
    other = Database(url, "default", tmp_path)
    other.write("f", [], [], [], Place(1, 1, [1]))
    other.close()
    before = postgres.ask(url, change, "SELECT * FROM places")
    fails(kept, HISTORY, code, words)
    assert postgres.ask(url, "SELECT * FROM places") == before


def test_one_server_writes_at_a_time(tmp_path: Path, kept: Kept, url: str) -> None:
    other = Database(url, "default", tmp_path)
    other.place("f")
    fails(kept, HISTORY, errno.EALREADY, "another server writes to the database")
    other.close()
    recovers(tmp_path, kept, url)


def test_a_database_that_is_slow_and_then_does_not_answer(
    tmp_path: Path, kept: Kept, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.commit()
    monkeypatch.setattr(steps, "SLOW", 0.0)
    monkeypatch.setattr(postgres_module, "DEADLINE", 0.5)
    monkeypatch.setattr(postgres_module, "PRUNE_DEADLINE", 0.5)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE places IN ACCESS EXCLUSIVE MODE")
        seen: list[str] = []
        renew = server.Deadline.renew

        def watch(deadline: Any) -> None:
            renew(deadline)
            kept.worker.steps.watch()
            seen.append(kept.status.reason or "")

        monkeypatch.setattr(server.Deadline, "renew", watch)
        lines = kept.commit()
        assert any(reason.startswith("ETIME, the database is slow;") for reason in seen)
        assert any("statement timeout" in line.get("reason", "") for line in lines)
        assert kept.status.state == "failing"
        assert kept.status.reason.startswith("ETIME, the database is slow;")
    monkeypatch.setattr(server.Deadline, "renew", renew)
    monkeypatch.setattr(steps, "SLOW", 5.0)
    recovers(tmp_path, kept, url)


def test_a_backend_that_says_nothing_is_cut_off(
    tmp_path: Path, postgres: PostgresServer, kept: Kept, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.commit()
    monkeypatch.setattr(postgres_module, "DEADLINE", 0.2)
    monkeypatch.setattr(server, "GRACE", 0.1)
    ((pid,),) = postgres.ask(url, OWN_BACKEND)
    os.kill(pid, signal.SIGSTOP)
    try:
        lines = kept.commit()
        assert any("no answer in 0.2 s" in line.get("reason", "") for line in lines)
        assert kept.status.state == "failing"
    finally:
        os.kill(pid, signal.SIGCONT)
    monkeypatch.setattr(postgres_module, "DEADLINE", 30.0)
    until(lambda: not postgres.ask(url, OWN_BACKEND))
    recovers(tmp_path, kept, url)


def test_a_stopped_server_is_cut_off(
    tmp_path: Path, postgres: PostgresServer, kept: Kept, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections, and says nothing: the kernel answers for it."""
    history = kept.worker._opened()
    assert isinstance(history, Database)
    history.server.parameters["connect_timeout"] = "2"
    kept.worker.history = history
    monkeypatch.setattr(postgres_module, "RETRY", 60.0)
    os.kill(postgres.pid, signal.SIGSTOP)
    try:
        fails(kept, HISTORY, errno.ECONNREFUSED, "the database server cannot be reached")
    finally:
        os.kill(postgres.pid, signal.SIGCONT)
    history._again = 0.0
    recovers(tmp_path, kept, url)


def test_what_waits_is_bounded(
    tmp_path: Path, postgres: PostgresServer, kept: Kept, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.commit()
    monkeypatch.setattr(chronicle, "MOST_UNWRITTEN", 50)
    with down(postgres, url):
        for minute in range(60):
            kept.trades += 1
            time_ns = NOW + minute * 60 * E9
            kept.calls.trade(kept.row, 5 * E9, 1, 1000 + minute, TRADE_REGULAR, time_ns, time_ns)
            kept.market.publish(time_ns)
            if minute % 20 == 19:
                kept.commit()
        status = kept.status
        assert status.dropped > 50
        assert status.waiting <= 50
    kept.commit()
    assert kept.status.waiting == 0
    reader = DatabaseReader(url, tmp_path)
    assert "disk" in [hole.reason for hole in reader.holes(0, 1 << 62)]
    reader.close()
