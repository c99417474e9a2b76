"""Which symbols' depth the gateways want.

Law: a gateway writes its interest into its own segment, with an odd version while it does, and a
greater even one when it is done; feed workers read it when the version has moved. A gateway that
was killed leaves its interest as it is, so no book is given up until the gateway's successor says
anew what it wants.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from ticker.shm.atomics cimport (
    copy_words_in,
    copy_words_out,
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.header cimport Mapping
from ticker.shm.depth.layout cimport Interest
from ticker.shm.layout cimport (
    BODY_OFFSET,
    DEPTH_LEVELS,
    INTEREST_BYTES,
    INTEREST_SLOTS,
    SYMBOL_BYTES,
    GatewayState,
)

from ticker.errors import SegmentError

if sizeof(Interest) != INTEREST_BYTES:
    raise ImportError("Interest: INTEREST_BYTES (layout.pxd)")

MOST_LEVELS = DEPTH_LEVELS
MOST_SYMBOLS = INTEREST_SLOTS


cdef class InterestWriter:
    """Of the gateway whose segment `mapping` is. Making one withdraws what a predecessor wanted
    that is not in `wanted`, the levels of each symbol that is wanted from the start."""

    def __cinit__(self, Mapping mapping not None, wanted: dict[str, int] | None = None) -> None:
        if not mapping.writable:
            raise SegmentError("the segment is mapped read-only: only its owner may write it")
        self.mapping = mapping
        self.state = mapping.gateway_state()
        self.slots = <Interest*>(mapping.base + BODY_OFFSET)
        self.places = {}
        self.wanted = {}
        self.free_slots = []
        cdef uint64_t version = load_relaxed(&self.state.interest_version)
        store_relaxed(&self.state.interest_version, version | 1)
        fence_release()
        store_relaxed(&self.state.interest_used, 0)
        store_release(&self.state.interest_version, (version | 1) + 1)
        self.want(wanted or {})

    def want(self, wanted: dict[str, int]) -> None:
        """Want the depth of these symbols, with so many levels of each side, and of no others.

        Raises:
            ValueError: more than MOST_SYMBOLS.
        """
        if len(wanted) > INTEREST_SLOTS:
            raise ValueError(f"{len(wanted)} symbols: {MOST_SYMBOLS} at most")
        if wanted == self.wanted:
            return
        cdef uint64_t version = load_relaxed(&self.state.interest_version)
        store_relaxed(&self.state.interest_version, version + 1)
        fence_release()
        for symbol in self.wanted.keys() - wanted.keys():
            self.free_slots.append(self.places[symbol])
            self._put(self.places.pop(symbol), symbol, 0)
        for symbol, levels in wanted.items():
            if self.wanted.get(symbol) != levels:
                if symbol not in self.places:
                    self.places[symbol] = self._place()
                self._put(self.places[symbol], symbol, levels)
        self.wanted = dict(wanted)
        store_release(&self.state.interest_version, version + 2)

    def _place(self) -> int:
        if self.free_slots:
            return self.free_slots.pop()
        store_relaxed(&self.state.interest_used, len(self.places) + 1)
        return len(self.places)

    def _put(self, place: int, symbol: str, levels: int) -> None:
        cdef Interest slot
        cdef bytes name = symbol.encode("latin-1")
        assert 0 <= place < INTEREST_SLOTS and len(name) < SYMBOL_BYTES
        memset(&slot, 0, sizeof(slot))
        memcpy(slot.symbol, <const char*>name, len(name))
        slot.levels = min(levels, DEPTH_LEVELS)
        copy_words_in(
            <uint64_t*>(self.slots + <size_t>place), <const uint64_t*>&slot, sizeof(slot) // 8
        )


cdef class Interests:
    """Reads what the gateways want whose bells `ringer` rings; None: there are none."""

    def __cinit__(self, DoorbellRinger ringer) -> None:
        cdef Mapping mapping
        self.mappings = ringer.mappings if ringer is not None else []
        for mapping in self.mappings:
            self.states[self.used] = mapping.gateway_state()
            self.used += 1
        self.found = [{} for _ in self.mappings]

    cdef bint changed(self) noexcept nogil:
        """Whether some gateway wants others than when `read` was called last. One that is being
        changed is not read."""
        cdef int i
        cdef uint64_t version
        for i in range(self.used):
            version = load_relaxed(&self.states[i].interest_version)
            if version != self.seen[i] and not version & 1:
                return True
        return False

    def read(self) -> dict[str, int]:
        """The levels of each symbol that some gateway wants: the most that one of them does."""
        cdef int i
        cdef uint64_t version
        for i in range(self.used):
            version = load_acquire(&self.states[i].interest_version)
            if version == self.seen[i] or version & 1:
                continue
            found = interest_of(self.mappings[i])
            fence_acquire()
            if load_relaxed(&self.states[i].interest_version) == version:
                self.found[i] = found
                self.seen[i] = version
        wanted = {}
        for found in self.found:
            for symbol, levels in found.items():
                wanted[symbol] = max(levels, wanted.get(symbol, 0))
        return wanted


cdef dict interest_of(Mapping mapping):
    """What one gateway wants, as its segment says now; torn where the gateway changes it."""
    cdef const Interest* slots = <const Interest*>(mapping.base + BODY_OFFSET)
    cdef uint64_t used = load_relaxed(&mapping.gateway_state().interest_used)
    cdef Interest slot
    cdef uint64_t place
    found = {}
    for place in range(min(used, <uint64_t>INTEREST_SLOTS)):
        copy_words_out(<uint64_t*>&slot, <const uint64_t*>(slots + place), sizeof(slot) // 8)
        if slot.levels:
            symbol = slot.symbol[:SYMBOL_BYTES].rstrip(b"\0").decode("latin-1")
            found[symbol] = min(slot.levels, <uint64_t>DEPTH_LEVELS)
    return found
