"""The floor of an ingest: the C program c/walk.c as a module."""

from ticker.bench.limits.arguments cimport Arguments


cdef extern from "ticker/bench/limits/c/walk.c":
    int walk(int argc, char** argv)


def main(list arguments) -> int:
    """Run it; its exit status. `arguments`: texts, the program's name first."""
    cdef Arguments given = Arguments(arguments)
    return walk(given.count, given.texts)
