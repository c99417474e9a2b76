"""What changed in the liveness of feeds, markets and symbols since it was last asked for.

Law: reads the board and the timetable as of their last look; no clock, no I/O. The sender of
`status` messages has one Watch, and asks it after each look of the board.
"""

from libc.stdint cimport uint32_t

from ticker.gateway.prices.board cimport Board
from ticker.shm.liveness cimport LIVENESS_LIVE, LIVENESS_QUIET, LIVENESS_QUIET_UNSAID, Liveness

from ticker.shm.liveness import STATES


cdef class Watch:
    """Remembers what was told last, one byte per symbol.

    What was never told is taken for live (symbols, feeds) or open (markets), which is what a
    client believes that was told nothing.
    """

    cdef Board board
    cdef bytearray told          # Liveness by symbol number
    cdef dict feed_states
    cdef dict market_phases

    def __init__(self, Board board not None) -> None:
        self.board = board
        self.told = bytearray()
        self.feed_states = {}
        self.market_phases = {}

    def symbols(self, numbers: list[int]) -> list[tuple[int, str]]:
        """(number, state) of those of these symbols whose state is another one than was told
        last; 50 to 100 ns for each number asked for and row it has."""
        cdef uint32_t number
        cdef int state
        changed = []
        if len(self.told) < len(self.board):
            self.told.extend(bytes([LIVENESS_LIVE]) * (len(self.board) - len(self.told)))
        for number in numbers:
            state = self._state(number)
            if state != self.told[number]:
                self.told[number] = state
                changed.append((number, STATES[state]))
        return changed

    def now(self, number: int) -> str:
        """The state of a symbol, for a client that has just subscribed to it."""
        return STATES[self._state(number)]

    def feeds(self) -> list[tuple[str, str]]:
        """(name, state) of the feeds whose state changed."""
        return _news(self.feed_states, self.board.feeds(), "live")

    def markets(self, phases: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of (market, phase) whose phase changed (Timetable.markets says them)."""
        return _news(self.market_phases, phases, "open")

    cdef int _state(self, uint32_t number) except -1:
        if number >= self.board.count:
            raise IndexError(f"symbol {number}: there are {self.board.count}")
        cdef Liveness found = self.board.verdict(number).state
        return LIVENESS_QUIET if found == LIVENESS_QUIET_UNSAID else found


def _news(
    told: dict[str, str], now: list[tuple[str, str]], otherwise: str
) -> list[tuple[str, str]]:
    changed = [(name, state) for name, state in now if told.get(name, otherwise) != state]
    told.update(changed)
    return changed
