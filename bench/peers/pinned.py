"""`python -m bench.peers.pinned CORE [NAME=VALUE...] PROGRAM [ARGUMENT...]`: become the program,
on one core, with all descriptors that are allowed, and end with the bench."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(core: str, *rest: str) -> None:
    """Does not return."""
    os.sched_setaffinity(0, {int(core)})
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    argv = list(rest)
    while "=" in argv[0]:
        name, _, value = argv.pop(0).partition("=")
        os.environ[name] = value
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(*sys.argv[1:])
