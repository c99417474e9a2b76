"""One forked child: it starts with clean signals, ends with its parent, and exits with a code.

Law: a child closes everything that it inherits and does not need. A signal sent to it is never lost
between the fork and its own handlers. When its parent is gone, it cleans up and ends.
Source: prctl(2), PR_SET_PDEATHSIG; signal(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

import structlog

from ticker.errors import TickerError
from ticker.log import name_process

PR_SET_PDEATHSIG = 1
UNEXPECTED = 1
HANDLED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD})

_libc = ctypes.CDLL(None, use_errno=True)


def fork(name: str, run: Callable[[], None], orphaned: Callable[[], None]) -> int:
    """Start a child that calls `run()` and exits; returns its pid.

    `orphaned()` is called in the child at its end, if its parent has died before it.

    Raises:
        OSError: the system cannot start another process now.
    """
    parent = os.getpid()
    _flush()
    # Blocked over the fork: a signal sent at once waits until the child's handlers stand.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        pid = os.fork()
        if pid == 0:
            _be_child(name, run, orphaned, parent)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM at the parent's death; exit at once if it is already dead."""
    if _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl(PR_SET_PDEATHSIG): {os.strerror(error)}")
    if os.getppid() != parent:
        sys.exit(0)


def describe(status: int) -> str:
    """The end of a child in words, from its wait status."""
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit code {os.waitstatus_to_exitcode(status)}"


def _be_child(
    name: str, run: Callable[[], None], orphaned: Callable[[], None], parent: int
) -> NoReturn:
    """The whole life of a child. Never returns into the parent's frames."""
    code = UNEXPECTED
    try:
        try:
            gc.freeze()  # inherited objects are shared with the parent: do not touch them
            os.setpgid(0, 0)  # Ctrl-C is for the supervisor, which then drains in order
            _clean_signals()
            die_with_parent(parent)
            name_process(name)
            run()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else UNEXPECTED if end.code else 0
        except TickerError as error:
            code = error.exit_code
            structlog.get_logger().error("cannot go on", reason=str(error), exit_code=code)
        except BaseException:
            structlog.get_logger().exception("died of an unexpected error")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.getppid() != parent:
            orphaned()
        _flush()
    finally:
        os._exit(code)


def _flush() -> None:
    """Flush the output before a fork and at the end; without a reader it is lost."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def _clean_signals() -> None:
    """Let SIGTERM end the child cleanly, and leave Ctrl-C to the supervisor."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # until the worker installs its own
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, lambda *_: sys.exit(0))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    faulthandler.enable()  # SIGABRT, sent to a hung worker, shows where it hangs
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
