"""The yardstick of an ingest: the C program c/book.c as a module."""

from ticker.bench.limits.arguments cimport Arguments


cdef extern from "ticker/bench/limits/c/book.c":
    int book(int argc, char** argv)


def main(list arguments) -> int:
    """Run it; its exit status. `arguments`: texts, the program's name first."""
    cdef Arguments given = Arguments(arguments)
    return book(given.count, given.texts)
