"""The symbols of synthetic feeds."""

from __future__ import annotations

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def symbol_names(count: int) -> list[str]:
    """`count` different symbols of four letters, AAAA first; the same for every process."""
    if not 0 < count <= len(LETTERS) ** 4:
        raise ValueError(f"{count} symbols: from 1 to {len(LETTERS) ** 4}")
    return [
        "".join(LETTERS[number // 26**place % 26] for place in (3, 2, 1, 0))
        for number in range(count)
    ]
