"""The base of all speakers: says nothing; a protocol overrides what it has words for."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef class Speaker:
    """Encodes a market's messages (speaker.pxd); see itch.pyx."""

    cdef void system(self, char code) noexcept nogil:
        pass

    cdef void directory(self, const Instrument* on) noexcept nogil:
        pass

    cdef void status(self, const Instrument* on, char state, const char* reason) noexcept nogil:
        pass

    cdef void operational_halt(self, const Instrument* on, char action) noexcept nogil:
        pass

    cdef void add(
        self, const Instrument* on, uint64_t reference, int side, uint32_t shares,
        uint32_t price, const char* mpid,
    ) noexcept nogil:
        pass

    cdef void execute(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint64_t match
    ) noexcept nogil:
        pass

    cdef void execute_at(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint32_t remaining,
        uint64_t match, bint printable, uint32_t price,
    ) noexcept nogil:
        pass

    cdef void cancel(self, const Instrument* on, uint64_t reference, uint32_t shares) noexcept nogil:
        pass

    cdef void delete(self, const Instrument* on, uint64_t reference) noexcept nogil:
        pass

    cdef void replace(
        self, const Instrument* on, uint64_t reference, uint64_t new_reference, uint32_t shares,
        uint32_t price,
    ) noexcept nogil:
        pass

    cdef void trade(
        self, const Instrument* on, uint32_t shares, uint32_t price, uint64_t match
    ) noexcept nogil:
        pass

    cdef void cross(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, char kind
    ) noexcept nogil:
        pass

    cdef void broken(self, const Instrument* on, uint64_t match) noexcept nogil:
        pass

    cdef void imbalance(
        self, const Instrument* on, uint64_t paired, uint64_t shares, char direction,
        uint32_t price, char cross,
    ) noexcept nogil:
        pass

    cdef void collar(self, const Instrument* on, uint32_t price) noexcept nogil:
        pass

    cdef void short_sale(self, const Instrument* on, char action) noexcept nogil:
        pass

    cdef void market_maker(self, const Instrument* on, const char* mpid, char state) noexcept nogil:
        pass

    cdef void retail_interest(self, const Instrument* on, char interest) noexcept nogil:
        pass

    cdef void offering(self, const Instrument* on, uint32_t second, uint32_t price) noexcept nogil:
        pass

    cdef void direct_listing(self, const Instrument* on, uint32_t price) noexcept nogil:
        pass

    cdef void breaker_levels(self, uint64_t price) noexcept nogil:
        pass

    cdef void breaker_breached(self, char level) noexcept nogil:
        pass
