"""The rows of a table by their symbols."""

from __future__ import annotations

from ticker.shm.table import PriceTable


def rows_of(table: PriceTable) -> dict[str, dict[str, int]]:
    """All rows, in their order; empty: one that is being written."""
    return {table.symbol(row): table.values(row) or {} for row in range(len(table))}


def row_of(table: PriceTable, symbol: str) -> dict[str, int]:
    """One row, whole; KeyError: there is none yet."""
    for row in range(len(table)):
        if table.symbol(row) == symbol:
            values = table.values(row)
            assert values is not None
            return values
    raise KeyError(symbol)
