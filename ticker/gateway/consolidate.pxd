from ticker.shm.layout cimport Values


cdef void merge(Values* into, const Values* row) noexcept nogil
