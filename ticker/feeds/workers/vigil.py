"""Whether a feed's prices are vouched for: what came of use, and why nothing does.

A feed is live when something usable comes, not when something comes. Trades that the filter refuses
one and all are of no use either, with anything else beside them.

Law: no clock here. `now` is of a clock that only runs, `wall` is the wall clock, both in ns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import structlog

from ticker.feeds.transports.replies import without
from ticker.shm.counters import Counters
from ticker.shm.layout import STALE_REASONS, StaleReason

log = structlog.get_logger()

SECOND = 1_000_000_000
AGAIN = 60 * SECOND
"""ns until the log says once more why a feed is stale."""
FRESH = 60 * SECOND
"""ns, at least, in which what came of no use explains why the feed is stale."""
LONGEST_EXAMPLE = 160
FEWEST_TRADES = 3
"""Trades that are refused before a feed is in doubt: one of another day proves nothing."""

SAYS_NO = StaleReason.WHY_REFUSED
NO_CONNECTION = StaleReason.WHY_NOT_CONNECTED
PINGS = StaleReason.WHY_ONLY_PINGS
SILENT = StaleReason.WHY_SILENT

ADVICE = {
    NO_CONNECTION: "look at the feed's address and at what the log says of its connections",
    SILENT: "ask the venue whether it sends; if it is silent for so long while it is well, set a "
    "longer `heartbeat`, or `stale_after` of a feed with a url",
    PINGS: "there is a connection, and no price comes over it: look at `symbols`; if that is so "
    "while all is well, set a longer `stale_after`",
    StaleReason.WHY_UNREADABLE: "`compression` in [stream] of the mapping says how it is packed",
    StaleReason.WHY_TOO_LONG: "ask for less at a time (`batch`)",
    StaleReason.WHY_NO_JSON: "another page came instead: open the url, with the feed's `headers`",
    StaleReason.WHY_NO_RULE: "no rule of the mapping fits; `ticker feed test` shows more. A text "
    'that says that the vendor is well takes a record of kind "alive"',
    StaleReason.WHY_SKIPPED: "`ticker feed test` says which field of the mapping does not fit",
    SAYS_NO: "the vendor refuses: look at credentials, `symbols` and what is paid for",
    StaleReason.WHY_CLOCK_SKEW: "set the clock of this machine (NTP), then look at the feed's "
    "`timezone`; `ticker rejects` shows the trades",
    StaleReason.WHY_OLDER: "has a clock been set back, here or there? `ticker rejects` shows the "
    "trades",
    StaleReason.WHY_REJECTED: "prices may be of another scale; `ticker rejects` shows the trades",
}


class Finding(NamedTuple):
    """Something of no use that came; `time`: of the clock that only runs, ns."""

    time: int
    example: str


class Findings:
    """What came to a feed of no use: the newest of each reason. Credentials are left out."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = tuple(secrets)
        self._newest: dict[StaleReason, Finding] = {}
        self.used = 0
        """When something of use came last, 0: never."""

    def use(self, now: int) -> None:
        """Something of use came."""
        self.used = now

    @property
    def refused(self) -> bool:
        """The vendor refuses something, and nothing of use came since. With all that it says then,
        even that it is well, is of no use."""
        return self.newest(SAYS_NO).time > self.used

    def note(self, reason: StaleReason, example: bytes | str, now: int) -> None:
        """Something of no use came, for `reason`."""
        if isinstance(example, bytes):
            example = example[: 2 * LONGEST_EXAMPLE].decode(errors="replace")
        example = without(example, self._secrets)[:LONGEST_EXAMPLE]
        self._newest[reason] = Finding(now, example)

    def why(self, now: int, fresh: int) -> StaleReason:
        """What explains best that nothing of use came: since the last that did, or within `fresh`.

        A refusal explains more than what comes after it on the same connection; what is of no use
        more than a ping, or the connection's end, soon after it.
        """
        fresh = max(fresh, FRESH)
        since = min(self.used, now - fresh)
        found = {reason: each.time for reason, each in self._newest.items() if each.time > since}
        if not found:
            return SILENT
        newest, lost = max(found.values()), found.get(NO_CONNECTION, 0)

        def explains(reason: StaleReason) -> tuple[bool, bool, int]:
            time = found[reason]
            said = reason not in (PINGS, NO_CONNECTION) and time >= newest - fresh
            return reason == SAYS_NO and time >= lost - fresh, said, time

        return max(found, key=explains)

    def newest(self, reason: StaleReason) -> Finding:
        """The newest of a reason; one of no time: there is none."""
        return self._newest.get(reason, Finding(0, ""))


class Doubt:
    """Things that are refused while none is accepted: since when, and for which reason.

    Args:
        accepted: counters; one of them grows with each that is.
        refused: those that grow with each that is not, by reason.
        fewest: so many must be refused.
        lasting: they must go on being refused: many at once, like old trades that a vendor tells
            to a client that comes back, prove nothing.
    """

    def __init__(
        self,
        counters: Counters,
        accepted: Sequence[str],
        refused: Sequence[tuple[StaleReason, Sequence[str]]],
        fewest: int = 1,
        *,
        lasting: bool = False,
    ) -> None:
        self._counters = counters
        self._names = tuple(accepted)
        self._refused = tuple((reason, tuple(names)) for reason, names in refused)
        self._fewest = fewest
        self._lasting = lasting
        self.reset()

    def _sum(self, names: Sequence[str]) -> int:
        return sum(self._counters[name] for name in names)

    def _bad_now(self) -> list[int]:
        return [self._sum(names) for _, names in self._refused]

    def reset(self) -> None:
        """What was refused before is no news."""
        self._good, self._bad = self._sum(self._names), self._bad_now()
        self._count, self._since, self._newest = 0, 0, 0

    def look(self, now: int, patience: int) -> StaleReason:
        """Why nothing was accepted for `patience` ns; WHY_NONE: something was, or nothing came."""
        bad = self._bad_now()
        if self._sum(self._names) != self._good:
            self.reset()
            return StaleReason.WHY_NONE
        more = [after - before for after, before in zip(bad, self._bad, strict=True)]
        if sum(more) > self._count:
            self._count, self._newest = sum(more), now
            self._since = self._since or now
        until = self._newest if self._lasting else now
        if self._count < self._fewest or until - self._since <= patience:
            return StaleReason.WHY_NONE
        return self._refused[more.index(max(more))][0]


class Watched(Protocol):
    """What a vigil asks of a source."""

    findings: Findings
    silence_ns: int

    @property
    def heard(self) -> int: ...
    @property
    def joined(self) -> bool: ...


class Vigil:
    """Watches one feed in its worker.

    Attributes:
        why: why the prices are not vouched for, as of the last look; WHY_NONE: they are.
    """

    def __init__(self, feed: str, source: Watched, counters: Counters, now: int) -> None:
        self.feed = feed
        self.source = source
        self.why = StaleReason.WHY_NONE
        self._looked = self._started = now
        self._heard = 0
        self._heard_at = 0
        self._told = False
        self._said_at = 0
        self._said = Finding(0, "")
        self._used = 0
        self._trades = Doubt(
            counters,
            ("trades", "uncounted_prints"),
            (
                (StaleReason.WHY_CLOCK_SKEW, ("rejected_clock_skew",)),
                (StaleReason.WHY_OLDER, ("rejected_older", "rejected_too_old_to_tell")),
                (StaleReason.WHY_REJECTED, ("rejected_bad_price", "rejected_bad_size")),
            ),
            FEWEST_TRADES,
            lasting=True,
        )
        self._messages = Doubt(
            counters,
            ("trades", "uncounted_prints", "quotes", "status_changes"),
            ((SAYS_NO, ("refusals",)), (StaleReason.WHY_REJECTED, ("refused_messages",))),
        )

    @property
    def patient(self) -> bool:
        """Nothing was heard yet, and it is too early to wonder."""
        return not self._heard and self._looked - self._started <= self.source.silence_ns

    def look(self, wall: int, now: int, *, settled: bool = True) -> StaleReason:
        """Why the prices are not vouched for now. A worker that is not settled goes through what
        was there before: what is refused of that is no news."""
        source = self.source
        self._hear(source.heard, wall, now)
        if source.findings.used != self._used or not source.joined:
            self._used = source.findings.used
            self._messages.reset()
        if not settled:
            self._messages.reset()
            self._trades.reset()
        doubt = self._messages.look(now, source.silence_ns)
        doubt = doubt or self._trades.look(now, source.silence_ns)
        if self.patient:
            self.why = StaleReason.WHY_NONE
        elif not self._heard or now - self._heard_at > source.silence_ns or not source.joined:
            found = source.findings.why(now, 4 * source.silence_ns)
            lost = found == SILENT and not source.joined
            self.why = NO_CONNECTION if lost else found
        else:
            self.why = doubt
        self._told = self._told and self.why != StaleReason.WHY_NONE
        return self.why

    def _hear(self, heard: int, wall: int, now: int) -> None:
        """Age what was heard by the clock that only runs: it came since the last look."""
        if heard != self._heard:
            self._heard = heard
            self._heard_at = now - min(max(wall - heard, 0), now - self._looked)
        self._looked = now

    def tell(self, now: int) -> None:
        """Let the log say why the feed is stale: once a minute at most, and again only if there is
        a newer example of it. A feed that is silent is told of once: it may be night."""
        if self.why == StaleReason.WHY_NONE:
            return
        newest = self.source.findings.newest(self.why)
        news = not self._told or newest.time > self._said.time
        if not news or (self._said_at and now - self._said_at < AGAIN):
            return
        self._told, self._said_at, self._said = True, now, newest
        log.warning(
            "feed is of no use",
            feed=self.feed,
            why=STALE_REASONS[self.why],
            example=newest.example,
            advice=ADVICE.get(self.why, ""),
        )
