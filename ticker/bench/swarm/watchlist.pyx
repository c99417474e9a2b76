"""Which symbols each client of a swarm asks for, and the place of a symbol in a client's list.

Law: a client's symbols are different, and follow from its number, the popularity and the seed
alone: not from how many clients there are, nor from how processes share them.

Uniform: client c has the symbols (first + j * step) mod S with first = c * spread mod S. Step and
spread have no divisor in common with S, so every symbol has the same number of subscribers,
neighbours share few symbols, and a place is found by one multiplication. Otherwise a client's
symbols are a sorted list, and a place is found by bisection.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, qsort

from ticker.bench.swarm.popularity cimport Draw

import math

from ticker.bench.swarm.popularity import parse, weights


cdef uint32_t coprime(uint32_t near, uint32_t of) except 0:
    """The first number from `near` on that has no divisor in common with `of`."""
    while math.gcd(near, of) != 1:
        near += 1
    return near


cdef inline uint64_t hash_of(const char* symbol, size_t length) noexcept nogil:
    """FNV-1a, never 0."""
    cdef uint64_t value = 14695981039346656037ULL
    cdef size_t i
    for i in range(length):
        value = (value ^ <unsigned char>symbol[i]) * <uint64_t>1099511628211ULL
    return value | 1


cdef int by_number(const void* one, const void* other) noexcept nogil:
    cdef uint32_t left = (<const uint32_t*>one)[0]
    cdef uint32_t right = (<const uint32_t*>other)[0]
    return (left > right) - (left < right)


cdef class Watchlists:
    """The lists of `clients` clients, numbers from `first_client` on; `per_client` of `symbols`
    in each. `popularity` as in popularity.py.

    Raises:
        ValueError: more symbols for a client than there are, or a symbol twice.
    """

    def __cinit__(
        self, symbols: list[str], clients: int, per_client: int, *,
        first_client: int = 0, popularity: str = "uniform", seed: int = 1,
    ) -> None:
        if not 1 <= per_client <= len(symbols):
            raise ValueError(f"{per_client} of {len(symbols)} symbols")
        self.clients = clients
        self.per_client = per_client
        self.symbols = list(symbols)
        self.symbol_count = <uint32_t>len(symbols)
        self._index_symbols()
        kind, parameter = parse(popularity)
        if kind == "uniform":
            self._spread(first_client)
            return
        self.chosen = <uint32_t*>calloc(<size_t>clients * per_client + 1, sizeof(uint32_t))
        if self.chosen == NULL:
            raise MemoryError(f"the lists of {clients} clients")
        if kind == "zipf":
            self._draw(first_client, popularity, seed)
        else:
            self._heat(first_client, parameter or 0xFFFFFFFF)

    def __dealloc__(self) -> None:
        free(self.firsts)
        free(self.chosen)
        free(self.hash_keys)
        free(self.hash_values)

    cdef int _index_symbols(self) except -1:
        """Symbols by hash. Two symbols with one 64-bit hash are refused, so a hash is a name."""
        cdef uint32_t room = 16
        cdef uint32_t i, at
        cdef uint64_t key
        cdef bytes raw
        while room < 2 * self.symbol_count:
            room *= 2
        self.hash_mask = room - 1
        self.hash_keys = <uint64_t*>calloc(room, sizeof(uint64_t))
        self.hash_values = <uint32_t*>calloc(room, sizeof(uint32_t))
        if self.hash_keys == NULL or self.hash_values == NULL:
            raise MemoryError(f"{self.symbol_count} symbols")
        for i in range(self.symbol_count):
            raw = self.symbols[i].encode("ascii")
            key = hash_of(raw, len(raw))
            at = <uint32_t>(key >> 20) & self.hash_mask
            while self.hash_keys[at]:
                if self.hash_keys[at] == key:
                    raise ValueError(f"symbol {self.symbols[i]!r} is there twice")
                at = (at + 1) & self.hash_mask
            self.hash_keys[at] = key
            self.hash_values[at] = i
        return 0

    cdef int _spread(self, int first_client) except -1:
        cdef uint32_t spread = coprime(self.symbol_count // 7 + 1, self.symbol_count)
        cdef int i
        self.step = coprime(self.symbol_count // 3 + 1, self.symbol_count)
        self.inverse = pow(self.step, -1, self.symbol_count) if self.symbol_count > 1 else 0
        self.firsts = <uint32_t*>calloc(self.clients + 1, sizeof(uint32_t))
        if self.firsts == NULL:
            raise MemoryError(f"{self.clients} clients")
        for i in range(self.clients):
            self.firsts[i] = <uint32_t>(
                <uint64_t>(first_client + i) * spread % self.symbol_count
            )
        return 0

    cdef int _draw(self, int first_client, str popularity, int seed) except -1:
        """Each client draws by weight, from a seed of its own."""
        cdef Draw draw = Draw(weights(popularity, self.symbol_count))
        cdef uint32_t* mine
        cdef int i
        for i in range(self.clients):
            mine = self.chosen + <size_t>i * self.per_client
            draw.fill((<uint64_t>seed << 32) + <uint64_t>(first_client + i), mine, self.per_client)
            qsort(mine, self.per_client, sizeof(uint32_t), by_number)
        return 0

    cdef int _heat(self, int first_client, uint32_t hot) except -1:
        """The first symbol for client numbers below `hot`; the others are spread uniformly."""
        cdef uint32_t others = self.symbol_count - 1
        cdef uint32_t spread = 0
        cdef uint32_t step = 0
        cdef uint32_t has, j
        cdef uint64_t first
        cdef uint32_t* mine
        cdef int i
        if others:
            spread = coprime(others // 7 + 1, others)
            step = coprime(others // 3 + 1, others)
        for i in range(self.clients):
            has = 1 if <uint32_t>(first_client + i) < hot else 0
            if self.per_client - has > others:
                raise ValueError(f"{self.per_client} of {others} symbols that are not the hot one")
            mine = self.chosen + <size_t>i * self.per_client
            first = <uint64_t>(first_client + i) * spread
            for j in range(has, self.per_client):
                mine[j] = <uint32_t>(1 + (first + <uint64_t>j * step) % others)
            qsort(mine, self.per_client, sizeof(uint32_t), by_number)
        return 0

    cdef uint32_t symbol_at(self, int client, uint32_t place) noexcept nogil:
        """The number of a client's symbol."""
        if self.chosen != NULL:
            return self.chosen[<size_t>client * self.per_client + place]
        return <uint32_t>(
            (self.firsts[client] + <uint64_t>place * self.step) % self.symbol_count
        )

    cdef int64_t place(self, int client, const char* symbol, size_t length) noexcept nogil:
        """Which of a client's symbols this is, -1: none."""
        cdef uint64_t key = hash_of(symbol, length)
        cdef uint32_t at = <uint32_t>(key >> 20) & self.hash_mask
        cdef uint32_t number, low, high, middle
        cdef uint32_t* mine
        cdef uint64_t found
        while self.hash_keys[at] != key:
            if self.hash_keys[at] == 0:
                return -1
            at = (at + 1) & self.hash_mask
        number = self.hash_values[at]
        if self.chosen == NULL:
            found = number + self.symbol_count - self.firsts[client]
            found = found % self.symbol_count * self.inverse % self.symbol_count
            return <int64_t>found if found < self.per_client else -1
        mine = self.chosen + <size_t>client * self.per_client
        low = 0
        high = self.per_client
        while low < high:
            middle = (low + high) // 2
            if mine[middle] < number:
                low = middle + 1
            else:
                high = middle
        return low if low < self.per_client and mine[low] == number else -1

    def symbols_of(self, client: int) -> list[str]:
        """What client `client` (from 0) subscribes to."""
        cdef uint32_t j
        if not 0 <= client < self.clients:
            raise IndexError(f"client {client}: there are {self.clients}")
        return [self.symbols[self.symbol_at(client, j)] for j in range(self.per_client)]

    def place_of(self, client: int, symbol: str) -> int:
        """The place of a symbol in a client's list, -1: it is none of them."""
        cdef bytes raw = symbol.encode("ascii")
        if not 0 <= client < self.clients:
            raise IndexError(f"client {client}: there are {self.clients}")
        return self.place(client, raw, len(raw))
