from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef class Watchlists:
    """Which symbols each client of a swarm has asked for."""

    cdef readonly int clients
    cdef readonly uint32_t per_client
    cdef readonly list symbols
    cdef uint32_t symbol_count
    # by arithmetic: a client's first symbol; step and its inverse
    cdef uint32_t* firsts
    cdef uint32_t step, inverse
    # or as lists, each in order; NULL otherwise
    cdef uint32_t* chosen
    # symbol numbers by the hash of their names
    cdef uint64_t* hash_keys
    cdef uint32_t* hash_values
    cdef uint32_t hash_mask

    cdef int _index_symbols(self) except -1
    cdef int _spread(self, int first_client) except -1
    cdef int _draw(self, int first_client, str popularity, int seed) except -1
    cdef int _heat(self, int first_client, uint32_t hot) except -1
    cdef uint32_t symbol_at(self, int client, uint32_t place) noexcept nogil
    cdef int64_t place(self, int client, const char* symbol, size_t length) noexcept nogil
