"""The source of a FIX feed: one TCP (or TLS) connection at a time, one session.

The session has the rules (fix/dialogue.py). This module connects, and writes the sequence numbers
to their file before a message is sent.

Law: only one process of a machine logs on under an identity, be it `ticker feed test` or a worker.
A venue would drop one of two, and the numbers of both would be wrong.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ticker.clock import Clock, now_ns
from ticker.config import FeedConfig, FixConfig
from ticker.errors import FeedError
from ticker.feeds.fix.initiator import FixOptions
from ticker.feeds.fix.requests import Instrument, Subscription
from ticker.feeds.images.keeper import Keeper
from ticker.feeds.sessions.fix import Fix
from ticker.feeds.transports.tls import client_context
from ticker.feeds.workers import loop
from ticker.feeds.workers.connection import Event, SessionConnection, Tls, stay_connected
from ticker.feeds.workers.credentials import read_password
from ticker.feeds.workers.fix_store import SequenceStore
from ticker.feeds.workers.sources import SECOND, Life, Place, silence_ns
from ticker.feeds.workers.vigil import Findings
from ticker.shm.layout import StaleReason

ADVICE = "fix.tls_ca names the authority that signed it, fix.tls_name the host in it"


EXPLAINS = {
    "request_rejected": StaleReason.WHY_REFUSED,
    "logged_out": StaleReason.WHY_NOT_CONNECTED,
    "closed": StaleReason.WHY_NOT_CONNECTED,
}
"""Events of the session that explain why there are no prices."""


def connection(
    session: Fix,
    store: SequenceStore | None,
    clock: Clock = now_ns,
    told: Callable[[Event], None] = lambda _: None,
) -> SessionConnection:
    """One connection; it writes the numbers to their file before a message is sent."""

    def keep_numbers() -> None:
        """Write the numbers of the next message out and in."""
        if store is not None:
            store.save(session.next_sequence_out, session.next_expected_sequence)

    return SessionConnection(session, clock, "fix", about_to_send=keep_numbers, told=told)


class FixSource:
    """A feed's connection, the session on it, and the file of its numbers.

    Raises:
        FeedError: the identity or its sequence file is in use, or the file is unusable.
    """

    rebuilds = keeps_images = False
    keeper: Keeper | None = None

    def __init__(self, place: Place) -> None:
        config = place.config
        if config.fix is None:
            raise FeedError(f"feed {config.name!r}: needs its [feeds.fix] table")
        self.place = place
        self.fix: FixConfig = config.fix
        self.silence_ns = silence_ns(self.fix.heartbeat)
        self.findings = Findings()
        self.told: dict[str, object] = {}
        self.tls: Tls | None = None
        if self.fix.tls:
            self.tls = Tls(client_context(self.fix.tls_ca), self.fix.tls_name, ADVICE)
        with ExitStack() as opened:
            opened.enter_context(claim_identity(config, self.fix))
            self.store = open_store(self.fix)
            if self.store is not None:
                opened.callback(self.store.close)
            self.pipeline = place.build(
                size_exponent=self.fix.size_decimals,
                session_options=session_options(self.fix, self.store),
                protocol_options={
                    "depth": self.fix.depth,
                    "price_decimals": self.fix.price_decimals,
                },
            )
            self._opened = opened.pop_all()
        session = self.pipeline.session
        assert isinstance(session, Fix)
        self.session = session

    @property
    def heard(self) -> int:
        """The time of the last message, ns; 0: none yet."""
        return self.session.last_packet_ns

    @property
    def joined(self) -> bool:
        """Whether the session is logged on; from then on its silence is noticed."""
        return self.session.logged_on

    @property
    def recovering(self) -> bool:
        """Whether a gap is being requested."""
        return self.session.recovering

    def run(self, life: Life) -> None:
        """Receive and publish until it is time to stop; then log out."""
        loop.run(self.work, life)

    async def work(self, stop: asyncio.Event) -> None:
        """Stay logged on until `stop`."""
        await stay_connected(
            [(host, port) for host, port, _ in self.place.plan.lines],
            lambda: connection(self.session, self.store, self.place.clock, self._told),
            stop,
            progress=lambda: self.session.last_packet_ns,
            tls=self.tls,
        )

    def _told(self, event: Event) -> None:
        """Note refusals and ends of sessions: they explain why a feed has no prices."""
        reason = EXPLAINS.get(event.kind)
        if reason is not None:
            self.findings.note(reason, event.text, self.place.steady())

    def close(self) -> None:
        """Release the numbers' file and the identity."""
        self._opened.close()


def claim_identity(config: FeedConfig, fix: FixConfig) -> socket.socket:
    """Claim an identity by an abstract socket, which the kernel frees when its owner ends.

    Raises:
        FeedError: another process of this machine has claimed it.
    """
    identity = f"{fix.begin_string} {fix.sender} {fix.target} {sorted(config.lines)}"
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind("\0ticker.fix." + hashlib.sha256(identity.encode()).hexdigest()[:32])
    except OSError as error:
        claim.close()
        if error.errno != errno.EADDRINUSE:
            raise FeedError(f"feed {config.name!r}: no name for its session ({error})") from None
        raise FeedError(
            f"feed {config.name!r}: another process is logged on to {', '.join(config.lines)} as "
            f"{fix.sender!r}, and a venue takes an identity once; stop `ticker serve` (or `ticker "
            "feed test`) first, or name another fix.sender that the venue knows"
        ) from None
    return claim


def open_store(fix: FixConfig) -> SequenceStore | None:
    """The file of the session's numbers, if it keeps them. Raises FeedError."""
    if fix.sequence_file is None:
        return None
    identity = f"{fix.begin_string} {fix.sender} {fix.target}"
    return SequenceStore(Path(fix.sequence_file), identity)


def instrument(written: str | dict[str, str]) -> Instrument:
    """An instrument, from a symbol or a table of tags."""
    if isinstance(written, str):
        return ((55, written),)
    named = {int(tag): value for tag, value in written.items()}
    return ((55, named.pop(55, "[N/A]")), *named.items())


def session_options(fix: FixConfig, store: SequenceStore | None) -> FixOptions:
    """The session's options from the configuration."""
    return FixOptions(
        sender=fix.sender,
        target=fix.target,
        begin_string=fix.begin_string,
        heartbeat_ns=fix.heartbeat * SECOND,
        username=fix.username,
        password=read_password("fix", fix.password_env) if fix.password_env is not None else "",
        logon_fields=tuple((int(tag), value) for tag, value in fix.logon_fields.items()),
        reset_on_logon=fix.reset_on_logon or store is None,
        next_sequence_out=store.next_out if store else 1,
        next_sequence_in=store.next_in if store else 1,
        subscription=Subscription(
            instruments=tuple(map(instrument, fix.symbols)),
            depth=fix.depth,
            entries=fix.entries,
            incremental=fix.incremental,
            aggregated=fix.aggregated,
            symbols_per_request=fix.symbols_per_request,
        ),
    )
