"""The floor of a fan-out: the C program c/send_loop.c as a module."""

from ticker.bench.limits.arguments cimport Arguments


cdef extern from "ticker/bench/limits/c/send_loop.c":
    int send_loop(int argc, char** argv)


def main(list arguments) -> int:
    """Run it; its exit status. `arguments`: texts, the program's name first."""
    cdef Arguments given = Arguments(arguments)
    return send_loop(given.count, given.texts)
