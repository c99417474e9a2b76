"""The table of `ticker watch` with names that stand for several symbols."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console

from ticker.cli.watch import Board
from ticker.client.package.messages import Update

MOMENT = datetime(2026, 3, 31, 14, 30, tzinfo=UTC)


def test_a_watchlist_is_shown_as_its_symbols() -> None:
    board = Board(("MSFT", "@tech", "@nosuch"))
    console = Console(file=io.StringIO(), width=80)

    def shown() -> list[list[str]]:
        with console.capture() as capture:
            console.print(board.render(1.0, {"@nosuch"}))
        return [line.split() for line in capture.get().splitlines()[1:]]

    assert [line[0] for line in shown()] == ["MSFT", "@tech", "@nosuch"]
    for symbol in ("NVDA", "AAPL"):
        board.take(Update(symbol=symbol, price=Decimal("1.5"), timestamp=MOMENT, seq=7), 1.0)
    lines = shown()
    assert [line[0] for line in lines] == ["MSFT", "@nosuch", "AAPL", "NVDA"]
    assert lines[1][1:] == ["unknown", "symbol"]
    assert lines[2][1] == "1.5"
