"""Texts as argc and argv."""

from libc.stdlib cimport calloc, free


cdef class Arguments:
    """`texts` holds as long as this does, with NULL behind the last."""

    def __cinit__(self, list arguments) -> None:
        cdef bytes text
        self.kept = [str(each).encode() for each in arguments]
        self.count = <int>len(self.kept)
        self.texts = <char**>calloc(<size_t>self.count + 1, sizeof(char*))
        if self.texts == NULL:
            raise MemoryError
        for at in range(self.count):
            text = self.kept[at]
            self.texts[at] = text

    def __dealloc__(self) -> None:
        free(self.texts)
