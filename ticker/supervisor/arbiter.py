"""The supervisor's loop: start what is due, reap, kill the hung, drain.

Law: this process has no thread and no event loop, ever, so that it can fork at any time.
Signal handlers do nothing; the numbers of signals come through a pipe into the loop.
Source: the arbiter of gunicorn (gunicorn/arbiter.py), as read.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from ticker.errors import ConfigError, SegmentError
from ticker.supervisor import child
from ticker.supervisor.rolling import Rolling, Step
from ticker.supervisor.slot import Patience, Slot, Stage
from ticker.supervisor.system.core_waits import CoreWaits

TICK = 0.25
SOONEST = 0.02
"""s between two looks at a worker whose silence is about to be too long."""
HOPELESS = frozenset({ConfigError.exit_code, SegmentError.exit_code})
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
ASKED = frozenset({signal.SIGHUP, signal.SIGUSR2})
"""A reload, a restart."""


class Arbiter:
    """Keeps every slot filled until it is told to stop.

    Args:
        slots: in the order in which they start.
        orphaned: called in a child that outlives this process, on the child's way out.
        drain: called once when draining begins, before the first worker is told.
        ready: called once when every vital worker has shown its first sign of life.
        reload: called at SIGHUP. If it returns True, the gateways get SIGHUP in turn.
        rolling: the workers that SIGUSR2 replaces.
        beat: called with each turn, a few times a second at least.
    """

    def __init__(
        self,
        slots: list[Slot],
        *,
        orphaned: Callable[[], None],
        drain: Callable[[], None],
        ready: Callable[[], None],
        reload: Callable[[], bool] = lambda: True,
        rolling: Rolling | None = None,
        beat: Callable[[], None] = lambda: None,
        patience: Patience | None = None,
    ) -> None:
        self.slots = slots
        self.rolling = rolling or Rolling([], boot=0.0, drain=float)
        self._on_reload = reload
        self._beat = beat
        self.patience = patience or Patience()
        self._orphaned, self._on_drain, self._on_ready = orphaned, drain, ready
        self._log = structlog.get_logger()
        self._exit_code: int | None = None  # the exit code, once draining has begun
        self._stage: Stage | None = None
        self._deadline = 0.0
        self._ready = False
        self._looked = 0.0
        self._next_look = 0.0
        self._core_waits = CoreWaits()
        self._terminal = _has_terminal()

    def run(self) -> int:
        """Run until a signal or a worker's boot failure; returns the exit code.

        When this returns or raises, no child is left.
        """
        try:
            with _signals() as pipe:
                self._looked = time.monotonic()
                while self._exit_code is None or any(slot.pid for slot in self.slots):
                    self._beat()
                    self._start_due()
                    self._wait(pipe)
                    self._reap()
                    self._kill_hung()
                    self._roll()
                    self._check_ready()
                    self._drain()
        finally:
            self._kill_all()
        self._log.info("stopped")
        return self._exit_code

    def add(self, slot: Slot) -> None:
        """A further slot; its worker starts with the next turn."""
        self.slots.append(slot)

    def renew(self, slot: Slot) -> None:
        """Replace its worker: the present one is told to end, then `run` is called anew."""
        if slot.pid:
            slot.renewing, slot.told = True, time.monotonic()
            _signal(slot.pid, signal.SIGTERM)
        else:
            slot.renewed()

    def remove(self, slot: Slot, ended: Callable[[], None]) -> None:
        """End its worker and forget the slot; `ended` is called then."""
        slot.vacant, slot.ended, slot.told = True, ended, time.monotonic()
        if slot.pid:
            _signal(slot.pid, signal.SIGTERM)
        else:
            self._forget(slot)

    def take_back(self, slot: Slot) -> bool:
        """Undo a `remove`: the worker that was told to end gets a successor. False: it has ended,
        and the slot is gone."""
        if slot not in self.slots or slot.ended is None:
            return False
        slot.vacant, slot.ended, slot.renewing = False, None, True
        return True

    def _forget(self, slot: Slot) -> None:
        self.slots.remove(slot)
        if slot.ended is not None:
            slot.ended()

    def stop(self, exit_code: int, reason: str) -> None:
        """Begin to drain. A second call, while draining, kills the workers at once."""
        now = time.monotonic()
        if self._exit_code is not None:
            self._log.warning("told again, killing what is left", reason=reason)
            self._deadline = now
            self.patience = Patience(drain=(0.0, 0.0, 0.0, 0.0))
            return
        self._log.info("draining", reason=reason)
        self._exit_code = exit_code
        self._on_drain()

    def _start_due(self) -> None:
        if self._exit_code is not None:
            return
        for slot in self.slots:
            now = time.monotonic()
            if not slot.pid and not slot.vacant and slot.due <= now:
                self._start(slot, now)

    def _start(self, slot: Slot, now: float) -> None:
        try:
            slot.taken(child.fork(slot.name, slot.run, self._orphaned), now)
        except OSError as error:  # no room for a process now
            delay = slot.unborn(now, self.patience)
            self._log.error(
                "cannot fork", worker=slot.name, reason=error.strerror, restart_in=round(delay, 2)
            )
        else:
            self._log.info("started", worker=slot.name, pid=slot.pid)

    def _wait(self, pipe: int) -> None:
        """Until a signal comes or something is due, at most a tick. A silence that is about to be
        too long is looked at then."""
        now = time.monotonic()
        due = [slot.due for slot in self.slots if not slot.pid and not slot.vacant]
        due = due if self._exit_code is None else []
        timeout = max(0.0, min([TICK, *(when - now for when in [*due, self._next_look])]))
        if not select.select([pipe], [], [], timeout)[0]:
            return
        for number in os.read(pipe, 4096):
            if number in STOP_SIGNALS:
                self.stop(0, signal.Signals(number).name)
            elif number == signal.SIGHUP and self._terminal and not _has_terminal():
                self.stop(0, "the terminal is gone")
            elif number == signal.SIGHUP:
                self._reload()
            elif number == signal.SIGUSR2:
                self._restart()

    def _reap(self) -> None:
        by_pid = {slot.pid: slot for slot in self.slots if slot.pid}
        while by_pid:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            slot = by_pid.pop(pid, None)
            if slot is not None:
                self._buried(slot, status)

    def _reload(self) -> bool:
        """Tell the gateways to take the configuration, if it is found right."""
        if self._exit_code is not None or not self._on_reload():
            return False
        for slot in self.slots:
            if slot.stage == Stage.GATEWAY and slot.pid:
                _signal(slot.pid, signal.SIGHUP)
        return True

    def _restart(self) -> None:
        """Replace the gateway workers, if the configuration for the new ones is right."""
        if self._reload() and not self.rolling.begin():
            self._log.warning("a rolling restart is under way already")

    def _roll(self) -> None:
        """One step of a rolling restart, if one is under way."""
        if self._exit_code is not None or not (due := self.rolling.step(time.monotonic())):
            return
        step, slot = due
        if step is Step.RETIRE:
            self._log.info("retires", worker=slot.name, pid=slot.pid)
            _signal(slot.pid, signal.SIGUSR2)
        elif step is Step.KILL:
            self._log.error("does not end, killed", worker=slot.name, pid=slot.pid)
            _signal(slot.pid, signal.SIGKILL)
        elif step is Step.ABANDON:
            self._log.error("rolling restart given up: the new worker did not come up")
            slot.vacant = True
            if slot.pid:
                _signal(slot.pid, signal.SIGKILL)
        elif step is Step.DONE:
            self._log.info("rolling restart done")

    def _buried(self, slot: Slot, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        pid, end = slot.pid, child.describe(status)
        if slot.ended is not None or slot.renewing:
            self._log.info("ended", worker=slot.name, pid=pid, how=end)
            if slot.ended is not None:
                slot.leave()
                self._forget(slot)
            else:
                slot.renewed()
            return
        if slot.vacant or self.rolling.is_retiring(slot) or self.rolling.is_trial(slot):
            self._log.info("ended", worker=slot.name, pid=pid, how=end)
            slot.leave()
            return
        delay = slot.vacated(time.monotonic(), self.patience)
        if self._exit_code is not None:
            self._log.info("ended", worker=slot.name, pid=pid, how=end)
        elif self._is_fatal(slot, code):
            self._log.error("cannot start", worker=slot.name, pid=pid, how=end)
            self.stop(code, f"{slot.name} cannot start")
        else:
            self._log.warning(
                "died", worker=slot.name, pid=pid, how=end, restart_in=round(delay, 2)
            )

    def _is_fatal(self, slot: Slot, code: int) -> bool:
        """Whether a worker's failure ends the server. It does only for a vital worker, and only
        before the server has been up."""
        failed = code in HOPELESS or (code > 0 and not slot.been_up)
        return failed and slot.vital and not self._ready

    def _kill_hung(self) -> None:
        now = time.monotonic()
        if now - self._looked > 8 * TICK:  # suspended, or starved of its core
            for slot in self.slots:
                slot.excuse(now, self.patience)
        self._looked = now
        self._next_look = now + TICK
        self._core_waits.keep({slot.pid for slot in self.slots})
        for slot in self.slots:
            waited = self._core_waits.waited(slot.pid, now) if slot.pid else 0.0
            sentence = slot.sentence(now, self.patience, waited)
            if slot.pid and (left := slot.patience_left(now, self.patience, waited)) > 0.0:
                self._next_look = min(self._next_look, now + max(left, SOONEST))
            if sentence == "abort":
                silent = round(slot.silence(now, waited), 1)
                self._log.error("hung", worker=slot.name, pid=slot.pid, silent=silent)
                _signal(slot.pid, signal.SIGABRT)
            elif sentence == "kill" or slot.overdue(now, self.patience):
                _signal(slot.pid, signal.SIGKILL)

    def _check_ready(self) -> None:
        if (
            not self._ready
            and self._exit_code is None
            and all(slot.up() for slot in self.slots if slot.vital and not slot.vacant)
        ):
            self._ready = True
            self._on_ready()

    def _drain(self) -> None:
        """Stop the workers stage by stage: SIGTERM first, SIGKILL when their time is over."""
        left = [slot for slot in self.slots if slot.pid]
        if self._exit_code is None or not left:
            return
        now = time.monotonic()
        stage = min(slot.stage for slot in left)
        if stage != self._stage:
            self._stage, self._deadline = stage, now + self.patience.drain[stage]
            for slot in left:
                if slot.stage == stage:
                    _signal(slot.pid, signal.SIGTERM)
        elif now >= self._deadline:
            for slot in left:
                if slot.stage == stage:
                    self._log.error("does not end, killed", worker=slot.name, pid=slot.pid)
                    _signal(slot.pid, signal.SIGKILL)
            self._deadline = now + 1.0

    def _kill_all(self) -> None:
        for slot in self.slots:
            if slot.pid:
                _signal(slot.pid, signal.SIGKILL)
                os.waitpid(slot.pid, 0)
                slot.pid = 0


@contextmanager
def asked_later() -> Iterator[None]:
    """A reload or a restart that is asked for before an arbiter runs waits for it, and one that is
    asked for behind its end is nothing. Otherwise these signals end a process."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKED)
    try:
        yield
    finally:
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in ASKED}
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _signals() -> Iterator[int]:
    """Signals of interest as bytes on a pipe; everything is as before at the end."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {number: signal.signal(number, _noted) for number in child.HANDLED}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    held = signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKED)
    try:
        yield reader
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal, and that still has its other end."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _noted(_number: int, _frame: object) -> None:
    """The wakeup pipe has it already; without a handler the default would be taken."""


def _signal(pid: int, number: signal.Signals) -> None:
    # not reaped yet, so the pid is still its own, even as a zombie
    os.kill(pid, number)
