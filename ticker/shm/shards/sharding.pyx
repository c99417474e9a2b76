"""Among which shards of the bus symbols are spread.

Law: the same on all boxes of a cluster. A symbol's shard is its stable hash, but a pinned symbol has
a shard of its own: numbers from `hashed` on, in the order of the configuration.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memset

from ticker.shm.ring cimport shard_of

MOST = MOST_PINNED
"""Symbols that can be pinned."""


cdef class Sharding:
    """`hashed` shards for all symbols, and one for each of the `pinned` ones.

    Attributes:
        count: of all shards.

    Raises:
        ValueError: too many symbols are pinned, or one twice.
    """

    def __cinit__(self, hashed: int, pinned: tuple[str, ...] = ()) -> None:
        cdef uint32_t place
        self.symbols = [symbol.encode("latin-1") for symbol in pinned]
        if len(self.symbols) > MOST_PINNED or len(set(self.symbols)) < len(self.symbols):
            raise ValueError(f"{len(pinned)} pinned symbols: {MOST} at most, and none twice")
        self.hashed = hashed
        self.count = self.hashed + <uint32_t>len(self.symbols)
        memset(self.places, 0, sizeof(self.places))
        for index, name in enumerate(self.symbols):
            place = shard_of(name, len(name), PLACES)
            while self.places[place]:
                place = (place + 1) & <uint32_t>(PLACES - 1)
            self.places[place] = index + 1

    cdef uint32_t of(self, const char* symbol, size_t length) noexcept:
        cdef uint32_t place
        cdef uint32_t index
        cdef bytes name
        if self.count == self.hashed:
            return shard_of(symbol, length, self.hashed)
        place = shard_of(symbol, length, PLACES)
        while self.places[place]:
            index = self.places[place] - 1
            name = <bytes>self.symbols[index]
            if <size_t>len(name) == length and memcmp(<const char*>name, symbol, length) == 0:
                return self.hashed + index
            place = (place + 1) & <uint32_t>(PLACES - 1)
        return shard_of(symbol, length, self.hashed)

    def number(self, symbol: str) -> int:
        """The shard of a symbol."""
        name = symbol.encode("latin-1")
        return self.of(name, len(name))
