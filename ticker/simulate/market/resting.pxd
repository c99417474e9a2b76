"""The resting orders of one side: an array in price-time order, the next to trade at its end."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memmove

from ticker.checks cimport check


cdef enum:
    BID = 0
    ASK = 1
    DEPTH = 64               # most resting orders of one side of one instrument


cdef struct Resting:
    uint64_t reference
    uint32_t price
    uint16_t shares
    uint16_t born            # visits of its instrument when it, or what it replaced, was added


cdef inline bint behind(int side, uint32_t price, uint32_t other) noexcept nogil:
    """Is `price` worse than `other`, seen from `side`?"""
    return price < other if side == BID else price > other


cdef inline void put_in(
    Resting* orders, uint32_t depth, int side, uint64_t reference, uint32_t shares,
    uint32_t price, uint16_t born,
) noexcept nogil:
    """Insert behind every order of the same price. `orders` has room for depth + 1."""
    cdef uint32_t at = depth
    check(depth < DEPTH)
    while at and not behind(side, orders[at - 1].price, price):
        at -= 1
    memmove(&orders[at + 1], &orders[at], (depth - at) * sizeof(Resting))
    orders[at].reference = reference
    orders[at].price = price
    orders[at].shares = <uint16_t>shares
    orders[at].born = born


cdef inline void take_out(Resting* orders, uint32_t depth, uint32_t at) noexcept nogil:
    check(at < depth)
    memmove(&orders[at], &orders[at + 1], (depth - at - 1) * sizeof(Resting))
