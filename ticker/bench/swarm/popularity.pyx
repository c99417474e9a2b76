"""How popular symbols are, and what follows: draws by weight, an order of trades by weight.

Law: all of it is a function of its arguments; the same seed gives the same draws anywhere.

    uniform     every symbol alike
    zipf[:S]    the k-th symbol, from 1, has the weight k ** -S (G. K. Zipf); S is 1 by itself
    hot[:N]     client numbers below N, or all, have the first symbol, and no other client has it;
                the other subscriptions are uniform over the other symbols
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from array import array

EXPONENT = 1.0
_SCALE = 1 << 40                # weight of the most popular symbol
_CYCLE = 1 << 20                # trades at most until their order repeats, and a turn of each


def parse(popularity: str) -> tuple[str, float]:
    """(kind, parameter): ("uniform", 0), ("zipf", exponent) or ("hot", clients, 0: all).

    Raises:
        ValueError: it is none of these.
    """
    kind, colon, text = popularity.partition(":")
    try:
        if kind == "uniform" and not colon:
            return kind, 0.0
        if kind == "zipf":
            exponent = float(text) if colon else EXPONENT
            if 0 < exponent <= 4:
                return kind, exponent
        if kind == "hot":
            clients = int(text) if colon else 0
            if clients > 0 or not colon:
                return kind, clients
    except ValueError:
        pass
    raise ValueError(
        f"popularity {popularity!r}: uniform, zipf, zipf:S with S up to 4, hot, or hot:CLIENTS"
    )


def weights(popularity: str, symbols: int) -> list[int]:
    """Of each symbol, the most popular first; all alike where it is not Zipf's."""
    kind, exponent = parse(popularity)
    if kind != "zipf":
        return [1] * symbols
    return [max(1, round(_SCALE * rank**-exponent)) for rank in range(1, symbols + 1)]


def trade_order(weights: list[int]) -> array[int]:
    """Symbol numbers in which each is there as often as its weight says, once at least, and as
    evenly spread as can be: turn j of n of a symbol stands at (j + its phase) / n."""
    total = sum(weights)
    turns = []
    for symbol, weight in enumerate(weights):
        count = max(1, round(weight / total * min(_CYCLE, 64 * len(weights))))
        phase = symbol * 0.6180339887498949 % 1.0
        turns.extend(((turn + phase) / count, symbol) for turn in range(count))
    turns.sort()
    return array("I", [symbol for _, symbol in turns])


cdef inline uint64_t mix(uint64_t value) noexcept nogil:
    """SplitMix64's output function (S. Vigna)."""
    value = (value ^ (value >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
    value = (value ^ (value >> 27)) * <uint64_t>0x94D049BB133111EBULL
    return value ^ (value >> 31)


cdef class Draw:
    """One draw costs log2(symbols) steps, for any weights."""

    def __cinit__(self, weights: list[int]) -> None:
        cdef uint32_t i
        self.count = <uint32_t>len(weights)
        self.room = 1
        while self.room < self.count:
            self.room *= 2
        self.weights = <uint64_t*>calloc(self.room + 1, sizeof(uint64_t))
        self.tree = <uint64_t*>calloc(self.room + 1, sizeof(uint64_t))
        if self.weights == NULL or self.tree == NULL:
            raise MemoryError(f"{self.count} weights")
        for i in range(self.count):
            self.weights[i] = weights[i]
            self._change(i, self.weights[i])

    def __dealloc__(self) -> None:
        free(self.weights)
        free(self.tree)

    cdef void _change(self, uint32_t symbol, uint64_t by) noexcept nogil:
        """Add to a symbol's weight; to take away, add the complement."""
        cdef uint32_t at = symbol + 1
        while at <= self.room:
            self.tree[at] += by
            at += at & (~at + 1)

    cdef uint32_t _take(self, uint64_t at) noexcept nogil:
        """The symbol on whose weight the sum of all before passes `at`; its weight is gone."""
        cdef uint32_t symbol = 0
        cdef uint32_t step = self.room
        while step:
            if symbol + step <= self.room and self.tree[symbol + step] <= at:
                symbol += step
                at -= self.tree[symbol]
            step //= 2
        self._change(symbol, <uint64_t>0 - self.weights[symbol])
        return symbol

    cdef int fill(self, uint64_t seed, uint32_t* out, uint32_t wanted) except -1:
        """`wanted` different symbols; the weights are whole again afterwards."""
        cdef uint64_t state = mix(seed + <uint64_t>0x9E3779B97F4A7C15ULL)
        cdef uint32_t i
        if wanted > self.count:
            raise ValueError(f"{wanted} of {self.count} symbols")
        for i in range(wanted):
            state += <uint64_t>0x9E3779B97F4A7C15ULL
            out[i] = self._take(mix(state) % self.tree[self.room])
        for i in range(wanted):
            self._change(out[i], self.weights[out[i]])
        return 0

    def take(self, seed: int, wanted: int) -> list[int]:
        """As `fill`, in the order in which they were drawn."""
        cdef uint32_t i
        cdef uint32_t* out = <uint32_t*>calloc(max(1, wanted), sizeof(uint32_t))
        if out == NULL:
            raise MemoryError(f"{wanted} symbols")
        try:
            self.fill(seed, out, wanted)
            return [out[i] for i in range(<uint32_t>wanted)]
        finally:
            free(out)
