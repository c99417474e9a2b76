"""Whether a feed's prices are up to date: its usable messages, and the reason if there are none.

A feed is live only while usable messages come. If the filter refuses all trades, the feed is not
live, even if other messages are usable.

Law: no clock here. `now` is of the monotonic clock, `wall` of the wall clock, both in ns.
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
"""ns until the log repeats why a feed is stale."""
FRESH = 60 * SECOND
"""The least ns for which an unusable message explains why the feed is stale."""
LONGEST_EXAMPLE = 160
FEWEST_TRADES = 3
"""Refused trades until a feed is in doubt: one late trade proves nothing."""

SAYS_NO = StaleReason.WHY_REFUSED
NO_CONNECTION = StaleReason.WHY_NOT_CONNECTED
PINGS = StaleReason.WHY_ONLY_PINGS
SILENT = StaleReason.WHY_SILENT

ADVICE = {
    NO_CONNECTION: "check the feed's address, and the log lines of its connections",
    SILENT: "ask the venue whether it sends; if such silence is normal for it, set a longer "
    "`heartbeat`, or `stale_after` for a feed with a url",
    PINGS: "the connection works, but brings no prices: check `symbols`; if this is normal for "
    "the market, set a longer `stale_after`",
    StaleReason.WHY_UNREADABLE: "set `compression` in [stream] of the mapping to the vendor's form",
    StaleReason.WHY_TOO_LONG: "request fewer symbols at a time (`batch`)",
    StaleReason.WHY_NO_JSON: "open the url with the feed's `headers`, and look at the page that "
    "comes instead of JSON",
    StaleReason.WHY_NO_RULE: "no rule of the mapping fits; `ticker feed test` shows more. For a "
    'text that only says that the vendor is well, add a record of kind "alive"',
    StaleReason.WHY_SKIPPED: "`ticker feed test` names the field of the mapping that does not fit",
    SAYS_NO: "the vendor refuses: check the credentials, `symbols` and your plan with the vendor",
    StaleReason.WHY_CLOCK_SKEW: "set the clock of this machine (NTP), then check the feed's "
    "`timezone`; `ticker rejects` shows the trades",
    StaleReason.WHY_OLDER: "check whether a clock was set back, here or at the venue; `ticker "
    "rejects` shows the trades",
    StaleReason.WHY_REJECTED: "check the scale of the prices; `ticker rejects` shows the trades",
}


class Finding(NamedTuple):
    """An unusable message; `time` is of the monotonic clock, ns."""

    time: int
    example: str


class Findings:
    """The newest unusable message of a feed for each reason, without credentials."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = tuple(secrets)
        self._newest: dict[StaleReason, Finding] = {}
        self.used = 0
        """The time of the last usable message, 0: none yet."""

    def use(self, now: int) -> None:
        """Note a usable message."""
        self.used = now

    @property
    def refused(self) -> bool:
        """Whether the vendor refused something, and no usable message came since. Until then no
        sign that the vendor is well counts."""
        return self.newest(SAYS_NO).time > self.used

    def note(self, reason: StaleReason, example: bytes | str, now: int) -> None:
        """Note an unusable message, with its reason."""
        if isinstance(example, bytes):
            example = example[: 2 * LONGEST_EXAMPLE].decode(errors="replace")
        example = without(example, self._secrets)[:LONGEST_EXAMPLE]
        self._newest[reason] = Finding(now, example)

    def why(self, now: int, fresh: int) -> StaleReason:
        """The best reason why no usable message came: since the last one, or within `fresh`.

        A refusal takes precedence over later messages on the same connection. An unusable message
        takes precedence over a ping, or the connection's end, soon after it.
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
        """The newest finding of a reason; its time is 0 if there is none."""
        return self._newest.get(reason, Finding(0, ""))


class Doubt:
    """Detects that items are refused and none is accepted, with the time and the reason.

    Args:
        accepted: the counters of accepted items.
        refused: the counters of refused items, by reason.
        fewest: the least number of refused items that counts.
        lasting: the refusals must go on. Many at once prove nothing, like the old trades that a
        vendor sends after a reconnect.
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
        """Ignore all refusals before now."""
        self._good, self._bad = self._sum(self._names), self._bad_now()
        self._count, self._since, self._newest = 0, 0, 0

    def look(self, now: int, patience: int) -> StaleReason:
        """The reason why nothing was accepted for `patience` ns; WHY_NONE if something was accepted
        or nothing came."""
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
    """The view of a source that a vigil needs."""

    findings: Findings
    silence_ns: int

    @property
    def heard(self) -> int: ...
    @property
    def joined(self) -> bool: ...


class Vigil:
    """Watches one feed in its worker.

    Attributes:
        why: the reason why the prices are stale, as of the last look; WHY_NONE: they are not.
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
        """Whether nothing came yet, but it is too early to call the feed stale."""
        return not self._heard and self._looked - self._started <= self.source.silence_ns

    def look(self, wall: int, now: int, *, settled: bool = True) -> StaleReason:
        """The reason why the prices are stale now. A worker that is not settled is still processing
        old messages; their refusals do not count."""
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
        """Note by the monotonic clock that a usable message came since the last look."""
        if heard != self._heard:
            self._heard = heard
            self._heard_at = now - min(max(wall - heard, 0), now - self._looked)
        self._looked = now

    def tell(self, now: int) -> None:
        """Log why the feed is stale: at most once a minute, and again only with a newer example. A
        silent feed is logged once: it may be night."""
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
