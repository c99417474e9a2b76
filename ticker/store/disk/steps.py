"""The calls that wait for the disk or the database: a fault of one is a state, a counter and a line
in the log with what to do, and the next turn tries again.

In: the calls, from any thread. Out: counters of the worker's segment. Owned by the store worker.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

import structlog

from ticker.errors import StoreError
from ticker.shm.counters import Counters

log = structlog.get_logger()

SLOW = 5.0
"""s after which a write that does not come back is a fault of the disk."""
SAY_AGAIN = 60.0
"""s between two lines about the same fault."""
ADVICE = {
    errno.ENOSPC: "make room on the disk of [store] folder, or name another folder",
    errno.EDQUOT: "raise the quota of this user, or name another folder in [store]",
    errno.EROFS: "mount the disk of [store] folder writable, or name another folder",
    errno.EACCES: "give this user the folder of [store]",
    errno.ETIMEDOUT: "look at the disk of [store] folder, or name another folder",
    errno.ECONNREFUSED: "start the database server of [store] url, or correct its address",
    errno.EKEYREJECTED: "correct the user and password of [store] url, or the server's pg_hba.conf",
    errno.ENODEV: "create the database of [store] url, or name another",
    errno.EPERM: "grant the user of [store] url the right that the reason names",
    errno.EALREADY: "give each server a database or schema of its own, as the store's page says",
    errno.ETIME: "look at the load, locks and disk of the database server",
    errno.EUCLEAN: "keep or delete the file that the reason names; a new one is begun",
    errno.EPROTONOSUPPORT: "move the files away, or start the newer version of ticker",
}


class Steps:
    """The steps of one worker, which count in its segment."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self._lock = threading.RLock()
        self._at: dict[int, tuple[str, float, int]] = {}
        """By thread the step that waits now, since when, and the fault of one that is slow."""
        self._said: dict[str, float] = {}
        self._failing: dict[str, int] = {}

    def take(
        self,
        what: str,
        work: Callable[[], None],
        *,
        writes: bool = True,
        slow: int = errno.ETIMEDOUT,
    ) -> None:
        """Call a step. A fault is counted and logged once a minute; the next turn tries again.
        Only a step that `writes` shows that a fault is over."""
        thread = threading.get_ident()
        self._at[thread] = what, time.monotonic(), slow
        try:
            work()
        except (OSError, StoreError) as error:
            self._fail(what, error.errno or 0, str(error))
        else:
            if writes:
                self._succeed(what)
        finally:
            del self._at[thread]
            self._succeed(f"{what}, in {SLOW:g} s")

    def fails(self, what: str) -> bool:
        """Whether a step failed at its last try."""
        return what in self._failing

    def watch(self) -> None:
        """A write that does not come back for SLOW seconds is a fault, too. Another thread than
        those that write calls this."""
        for step, since, slow in tuple(self._at.values()):
            what = f"{step}, in {SLOW:g} s"
            if time.monotonic() - since >= SLOW and what not in self._failing:
                self._fail(what, slow, "a write does not come back")

    def _fail(self, what: str, code: int, reason: str) -> None:
        with self._lock:
            self.counters.add("faults")
            now = time.monotonic()
            if what not in self._failing or now - self._said.get(what, 0.0) >= SAY_AGAIN:
                self._said[what] = now
                log.error(
                    "cannot be written",
                    what=what,
                    reason=reason,
                    advice=ADVICE.get(code, "see the reason; prices are served meanwhile"),
                )
            self._failing.pop(what, None)
            self._failing[what] = code
            self._show()

    def _succeed(self, what: str) -> None:
        with self._lock:
            if self._failing.pop(what, None) is not None:
                log.info("is written again", what=what)
                self._show()

    def _show(self) -> None:
        """The number of steps that fail, and the newest fault of those."""
        for code in self._failing.values():
            self.counters.put("fault", code)
        self.counters.put("failing", len(self._failing))
