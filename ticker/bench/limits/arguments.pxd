"""The arguments of a C program: see arguments.pyx."""


cdef class Arguments:
    cdef list kept
    cdef char** texts
    cdef int count
