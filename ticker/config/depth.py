"""[depth] of ticker.toml: the books of symbols, by price.

Law: a message starts with the key within the table, says what is wrong, and gives a value that
works.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from ticker.config.section import Section

SymbolName = Annotated[str, Meta(pattern=r"^[ -~]{1,23}\Z")]


class DepthConfig(Section, frozen=True, kw_only=True):
    """The depth that the server shows.

    `levels`: the numbers of levels of each side that a client may ask for; without one it gets the
    greatest that is not above 10. `rows`: symbols of which a feed shows the book at a time, 0 for
    none; a feed has no other cost of books that nobody watches. `symbols`: those whose book is
    always there, in its greatest depth.
    """

    levels: Annotated[tuple[Annotated[int, Meta(ge=1, le=50)], ...], Meta(min_length=1)] = (
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 50,
    )  # fmt: skip
    rows: Annotated[int, Meta(ge=0, le=4096)] = 1000
    symbols: tuple[SymbolName, ...] = ()

    @property
    def usual(self) -> int:
        """The levels of a client that does not say how many it wants."""
        return max((each for each in self.levels if each <= 10), default=min(self.levels))


def depth_problems(depth: DepthConfig) -> Iterator[str]:
    """The faults of the table."""
    if len(depth.symbols) > depth.rows:
        yield f"depth.symbols: has {len(depth.symbols)}, and depth.rows is {depth.rows}; raise it"
    if len(set(depth.levels)) < len(depth.levels):
        yield "depth.levels: names a number twice; name each once"
