"""`ticker get` and `ticker watch` where a trade is taken back, at a gateway alone."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from click.testing import CliRunner
from rich.console import Console

from tests.gateway.conftest import CORRECTION, E9, Rig
from ticker.cli import main
from ticker.cli.watch import Board
from ticker.client.package import Update
from ticker.config import Config

MOMENT = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig(f"back{os.getpid()}", Config())
    yield rig
    rig.close()


def take_back(rig: Rig, row: int) -> None:
    """The row's only trade never was."""
    now = time.time_ns()
    rig.table.put(row, price=0, exchange_time=0, receive_time=0, size=0, publish_time=now,
                  correction_time=now, corrections=1)  # fmt: skip
    rig.record(row, CORRECTION, 0, now, rig.seq[row])


def test_get_says_that_no_trade_is_left(rig: Rig) -> None:
    rows = [rig.row(symbol) for symbol in ("AAPL", "MSFT")]
    for row in rows:
        rig.trade(row, 185 * E9)
    take_back(rig, rows[0])
    url = f"http://127.0.0.1:{rig.port}"
    done = CliRunner().invoke(main, ["get", "AAPL", "MSFT", "--url", url])
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["AAPL", "-"], ["MSFT", "185"]]
    assert "no price: AAPL; all trades were" in done.stderr


@pytest.mark.slow
def test_watch_says_it_and_goes_on(rig: Rig) -> None:
    row = rig.row("AAPL")
    rig.trade(row, 185 * E9)
    url = f"http://127.0.0.1:{rig.port}"
    command = [sys.executable, "-m", "ticker", "watch", "AAPL", "--url", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().split()[1:] == ["AAPL", "185"]
        take_back(rig, row)
        assert watching.stdout.readline().split(maxsplit=2)[1:] == ["AAPL", "taken back\n"]
        rig.trade(row, 186 * E9)
        assert watching.stdout.readline().split()[1:] == ["AAPL", "186"]
        watching.terminate()


def test_the_table_says_it() -> None:
    board = Board(("AAPL",))
    console = Console(file=io.StringIO(), width=80)

    def shown(price: Decimal | None) -> str:
        board.take(Update(symbol="AAPL", price=price, timestamp=MOMENT, seq=7), 1.0)
        with console.capture() as capture:
            console.print(board.render(1.0))
        return capture.get()

    assert "185.5" in shown(Decimal("185.5"))
    assert "taken back" in shown(None)
    assert "186.25" in shown(Decimal("186.25"))
